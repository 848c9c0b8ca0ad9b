import type { HttpHandler, HttpRequest, HttpResponse, Log } from '../host/host.ts';
import { text } from './answers.ts';
import { decodeForm } from './form.ts';
import { ProtocolError } from './protocol-error.ts';
import { RepeatedCall, RepeatedForms } from './repeated-forms.ts';
import type { Policy, Route } from './route.ts';

export interface PipelineOptions {
  /** Prefix of every route, e.g. `/nacos`; empty for none. */
  readonly contextPath: string;
  readonly routes: readonly Route[];
  /** Throws `ProtocolError` when the caller may not; runs on the very route object whose handler follows (S2). */
  readonly authorize: (policy: Policy, request: HttpRequest) => void;
  /** Who sent the request, behind proxies too. */
  readonly clientIp: (request: HttpRequest) => string;
  /** What a failure of the world (a store, a peer) means to a client; undefined: 500. */
  readonly answerFailure: (error: unknown) => HttpResponse | undefined;
  /** What is answered where no route is; the default is 404. */
  readonly answerUnknown?: (request: HttpRequest) => HttpResponse;
  readonly log: Log;
  /** Told of every answer; `path` is the route's own or `unknown`, so labels stay bounded. */
  readonly observe?: (path: string, method: string, status: number, durationMs: number) => void;
  /** Monotonic, ms: what the duration is measured by; without it every duration is 0. */
  readonly now?: () => number;
}

/**
 * Match > policy > form > handler > answer, the only way into any handler. Routes are static paths, so a map is the
 * router; a path that no route has is never served.
 */
export function createPipeline(options: PipelineOptions): HttpHandler {
  const { contextPath, observe, now = () => 0 } = options;
  const routes = indexRoutes(options.routes, contextPath);
  const repeated = new Map(options.routes.filter(isRepeated).map((route) => [route, new RepeatedForms()]));

  const fail = (error: unknown, route: Route): HttpResponse => {
    if (error instanceof ProtocolError) return text(error.message, error.status);
    const known = options.answerFailure(error);
    if (known !== undefined) return known;
    options.log.error('a request failed unexpectedly', { method: route.method, path: route.path, error });
    return text('internal error, the log of the server says more', 500);
  };

  const later = async (given: Promise<HttpResponse>, route: Route, startedMs: number): Promise<HttpResponse> => {
    let answer: HttpResponse;
    try {
      answer = await given;
    } catch (error) {
      answer = fail(error, route);
    }
    observe?.(route.path, route.method, answer.status, now() - startedMs);
    return answer;
  };

  return (request) => {
    const startedMs = observe === undefined ? 0 : now();
    const route = routes.get(request.method === 'HEAD' ? 'GET' : request.method)?.get(request.path);
    if (route === undefined) {
      const answer = options.answerUnknown?.(request) ?? text('not found', 404);
      observe?.('unknown', request.method, answer.status, now() - startedMs);
      return answer;
    }
    let answer: HttpResponse;
    try {
      if (route.policy.kind === 'refused') throw new ProtocolError(403, route.policy.text);
      options.authorize(route.policy, request);
      const kept = isRepeated(route) ? repeated.get(route)?.of(request) : undefined;
      const given = route.handler(
        kept === undefined
          ? { request, form: decodeForm(request), clientIp: options.clientIp(request) }
          : new RepeatedCall(request, options.clientIp(request), kept),
      );
      if (given instanceof Promise) return later(given, route, startedMs);
      answer = given;
    } catch (error) {
      answer = fail(error, route);
    }
    observe?.(route.path, route.method, answer.status, now() - startedMs);
    return answer;
  };
}

function isRepeated(route: Route): boolean {
  return route.isRepeated === true;
}

/** By method and whole path; one trailing slash is accepted. */
function indexRoutes(routes: readonly Route[], contextPath: string): ReadonlyMap<string, ReadonlyMap<string, Route>> {
  const index = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const paths = index.get(route.method) ?? new Map<string, Route>();
    if (paths.has(contextPath + route.path)) throw new Error(`two routes for ${route.method} ${route.path}`);
    paths.set(contextPath + route.path, route);
    paths.set(`${contextPath}${route.path}/`, route);
    index.set(route.method, paths);
  }
  return index;
}
