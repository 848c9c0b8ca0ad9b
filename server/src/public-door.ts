import type { Call } from '@nacos-kube/core/http/route.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { agentOf } from '@nacos-kube/core/wire/naming-agent.ts';
import type { ListRequest } from '@nacos-kube/core/wire/naming-list.ts';
import { configAdminRoutes } from './config/admin/admin.ts';
import { consoleRoutes } from './console/routes.ts';
import { authorizePublic, clientIpOf } from './http/access.ts';
import { Door } from './http/door.ts';
import { refusedRoutes } from './http/refused.ts';
import type { Metrics } from './metrics/metrics.ts';
import { catalogRoutes } from './naming/catalog-routes.ts';
import { editRoutes } from './naming/edit-routes.ts';
import { legacyRoutes } from './naming/legacy-routes.ts';
import { Reads } from './naming/reads.ts';
import { namingRoutes } from './naming/routes.ts';
import { serviceRoutes } from './naming/service-routes.ts';
import { operationsRoutes } from './ops/operations.ts';
import type { Parts } from './parts.ts';
import { Subscribers } from './push/subscribers.ts';

/** The port that clients and operators call. */
export function publicDoor(parts: Parts, metrics: Metrics): Door {
  const { host, settings, store, follower, operations, naming, distro, config, membership, lifecycle, switches } =
    parts;
  const { registry } = naming;
  const isOwn = (service: string) => distro.ownership.isOwn(service);
  const reads = new Reads({
    registry,
    isLoaded: () => !distro.isStarting,
    knowsStored: () => naming.notReadyReason() === undefined,
  });
  const subscribers = new Subscribers(host, parts.push.hub, membership.peers);
  const instanceRoutes = [
    ...namingRoutes({
      naming,
      switches,
      now: () => host.clock.now(),
      subscribe: (request, call) => subscribe(parts, request, call),
      isLoaded: () => !distro.isStarting,
      knowsPersistent: () => naming.notReadyReason() === undefined,
    }),
    ...editRoutes({ host, naming, reads, port: settings.port }),
  ];
  return new Door(host, {
    name: 'public port',
    address: settings.listen,
    port: settings.port,
    contextPath: settings.contextPath,
    routes: [
      ...instanceRoutes,
      ...legacyRoutes({ reads, isOwn, routes: instanceRoutes }),
      ...serviceRoutes({ naming, reads, isOwn, subscribers: (request) => subscribers.of(request) }),
      ...catalogRoutes({
        ...{ clock: host.clock, reads },
        checkTimes: (service, cluster) => parts.checks.roundTrips(serviceKey(service), cluster),
      }),
      ...operationsRoutes(parts),
      ...configAdminRoutes(config, {
        ...{ host, store, peers: membership.peers, hinted: () => follower.hinted() },
        storeTrouble: () => (follower.staleReason() === undefined ? undefined : store.kind),
      }),
      ...consoleRoutes({
        mode: settings.mode,
        notReadyReasons: () => lifecycle.notReadyReasons(),
        staleReasons: () => [parts.copies.staleReason(), config.staleReason()],
      }),
      ...membership.publicRoutes,
      ...refusedRoutes(),
      metrics.route(),
    ],
    authorize: authorizePublic,
    clientIp: clientIpOf(settings.trustedProxies),
    observe: (path, method, status, durationMs) => metrics.observe(path, method, status, durationMs),
    gate: operations.gate,
    ...(operations.accessLog && { accessLog: operations.accessLog }),
  });
}

/** False when the caller cannot be pushed to and has to poll more often. */
function subscribe({ push, operations }: Parts, request: ListRequest, call: Call): boolean {
  const agent = agentOf(call.request.headers, operations.pushVersions);
  if (!agent.mayBePushed) return false;
  const { service, clusters, clientIp, udpPort, app } = request;
  const target = { address: clientIp, port: udpPort };
  const view = { service: serviceKey(service), clusters, isGrouped: agent.isJavaSinceOne };
  const subscription = { ...view, target, agent: call.request.headers['user-agent'] ?? '', app };
  return push.subscribe(subscription, call.clientIp);
}
