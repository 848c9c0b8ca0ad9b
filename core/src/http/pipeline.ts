import type { HttpHandler, HttpRequest, HttpResponse, Log } from '../host/host.ts';
import { text } from './answers.ts';
import { decodeForm } from './form.ts';
import { ProtocolError } from './protocol-error.ts';
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
  readonly observe?: (path: string, method: string, status: number) => void;
}

/**
 * Match > policy > form > handler > answer, the only way into any handler. Routes are static paths, so a map is the
 * router; a path that no route has is never served.
 */
export function createPipeline(options: PipelineOptions): HttpHandler {
  const routes = indexRoutes(options.routes);
  const { contextPath, observe } = options;

  const fail = (error: unknown, route: Route): HttpResponse => {
    if (error instanceof ProtocolError) return text(error.message, error.status);
    const known = options.answerFailure(error);
    if (known !== undefined) return known;
    options.log.error('a request failed unexpectedly', { method: route.method, path: route.path, error });
    return text('internal error, the log of the server says more', 500);
  };

  return (request) => {
    const route = routes.get(routeKey(request.method, request.path, contextPath));
    if (route === undefined) {
      const answer = options.answerUnknown?.(request) ?? text('not found', 404);
      observe?.('unknown', request.method, answer.status);
      return answer;
    }
    const told = (answer: HttpResponse): HttpResponse => {
      observe?.(route.path, route.method, answer.status);
      return answer;
    };
    try {
      if (route.policy.kind === 'refused') throw new ProtocolError(403, route.policy.text);
      options.authorize(route.policy, request);
      const answer = route.handler({ request, form: decodeForm(request), clientIp: options.clientIp(request) });
      if (!(answer instanceof Promise)) return told(answer);
      return answer.catch((error: unknown) => fail(error, route)).then(told);
    } catch (error) {
      return told(fail(error, route));
    }
  };
}

function indexRoutes(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const index = new Map<string, Route>();
  for (const route of routes) {
    const key = `${route.method} ${route.path}`;
    if (index.has(key)) throw new Error(`two routes for ${key}`);
    index.set(key, route);
  }
  return index;
}

/** One trailing slash is accepted; HEAD is answered as GET. */
function routeKey(method: string, path: string, contextPath: string): string {
  if (!path.startsWith(contextPath)) return '';
  const end = path.length > contextPath.length + 1 && path.endsWith('/') ? path.length - 1 : path.length;
  return `${method === 'HEAD' ? 'GET' : method} ${path.slice(contextPath.length, end)}`;
}
