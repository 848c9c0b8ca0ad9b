import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { json } from '@nacos-kube/core/http/answers.ts';
import { optional, required, strictBoolean } from '@nacos-kube/core/http/parameters.ts';
import type { Call, Form, Policy, Route } from '@nacos-kube/core/http/route.ts';
import {
  DEFAULT_GROUP,
  groupedName,
  PUBLIC_NAMESPACE,
  type ServiceKey,
  serviceKey,
  splitGroupedName,
} from '@nacos-kube/core/model/names.ts';
import { agentOf } from '@nacos-kube/core/wire/naming-agent.ts';
import { SERVICE_PAGE_MAX } from '@nacos-kube/core/wire/naming-service.ts';
import type { Reads } from './reads.ts';

const READ: Policy = { kind: 'read', area: 'naming' };
const INSTANCE = '/v1/ns/instance';
const API = '/v1/ns/api';

export interface LegacyRoutesOptions {
  readonly reads: Reads;
  readonly isOwn: (service: ServiceKey) => boolean;
  /** Those below `/v1/ns/instance` are served below `/v1/ns/api` too. */
  readonly routes: readonly Route[];
}

/** What clients from before 1.0 call, `/v1/ns/api` (spec/naming.md 1.6). */
export function legacyRoutes({ reads, isOwn, routes }: LegacyRoutesOptions): Route[] {
  const aliases = routes.flatMap((route) => {
    if (route.path !== INSTANCE && !route.path.startsWith(`${INSTANCE}/`)) return [];
    return [{ ...route, path: API + route.path.slice(INSTANCE.length) }];
  });
  return [
    ...aliases,
    ofDom(`${API}/srvIPXT`, routeOf(routes, 'GET', `${INSTANCE}/list`)),
    ofDom(`${API}/clientBeat`, routeOf(routes, 'PUT', `${INSTANCE}/beat`)),
    { method: 'GET', path: `${API}/allDomNames`, policy: READ, handler: (call) => allNames(reads, isOwn, call) },
  ];
}

function routeOf(routes: readonly Route[], method: Route['method'], path: string): Route {
  const route = routes.find((one) => one.method === method && one.path === path);
  if (route === undefined) throw new Error(`there is no ${method} ${path} to stand in for`);
  return route;
}

/** The same by GET, with the service in `dom`, which is of the default group whatever else is said. */
function ofDom(path: string, { policy, handler }: Route): Route {
  return {
    method: 'GET',
    path,
    policy,
    handler(call) {
      const form = new Map(call.form);
      form.set('serviceName', groupedName(DEFAULT_GROUP, required(call.form, 'dom')));
      form.delete('groupName');
      // The query says the same as the form, for handlers that look at it first.
      return handler({ form, request: withQuery(call.request, queryOf(form)), clientIp: call.clientIp });
    },
  };
}

/** Member by member: a request need not be a plain object. */
function withQuery(request: HttpRequest, query: string): HttpRequest {
  const { method, path, headers, body, remote } = request;
  return { method, path, query, headers, body, remote, onGone: (run) => request.onGone(run) };
}

function queryOf(form: Form): string {
  return [...form].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

/** Names by namespace; DNS-F up to 1.0.1 knows but the public one. */
function allNames(reads: Reads, isOwn: (service: ServiceKey) => boolean, { form, request }: Call) {
  const responsibleOnly = strictBoolean(optional(form, 'responsibleOnly', 'false'));
  const { registry } = reads;
  const { kind, version } = agentOf(request.headers);
  const isOldDns = kind === 'dns' && (version[0] < 1 || (version[0] === 1 && version[1] === 0 && version[2] <= 1));
  const doms = new Map<string, string[]>();
  let count = 0;
  for (const namespaceId of isOldDns ? [PUBLIC_NAMESPACE] : registry.namespaces()) {
    const names = new Set<string>();
    for (const name of registry.serviceNames(namespaceId)) {
      if (count + names.size >= SERVICE_PAGE_MAX) break;
      if (!responsibleOnly || isOwn(serviceKey({ namespaceId, name }))) names.add(splitGroupedName(name).service);
    }
    doms.set(namespaceId, [...names].sort());
    count += names.size;
  }
  return json({ count, doms: isOldDns ? (doms.get(PUBLIC_NAMESPACE) ?? []) : Object.fromEntries(doms) });
}
