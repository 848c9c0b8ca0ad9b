import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import { Lifecycle } from '@nacos-kube/core/lifecycle.ts';
import { peerPort } from '@nacos-kube/core/model/member.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { agentOf } from '@nacos-kube/core/wire/naming-agent.ts';
import { encodeShortList, joinList, type ListRequest, PUSHED_CACHE_MS } from '@nacos-kube/core/wire/naming-list.ts';
import type { SidecarLease } from '@nacos-kube/core/wire/sidecar.ts';
import { createConfigService } from './config/service.ts';
import { listNamespaces } from './console/namespaces.ts';
import { consoleRoutes } from './console/routes.ts';
import { Distro } from './distro/distro.ts';
import { distroRoutes } from './distro/routes.ts';
import { authorizePeer, authorizePublic, clientIpOf } from './http/access.ts';
import { Door } from './http/door.ts';
import { refusedRoutes } from './http/refused.ts';
import type { Membership } from './members/membership.ts';
import { PEER_REQUEST_BYTES_MAX } from './members/peer-client.ts';
import { Metrics } from './metrics/metrics.ts';
import { metricSources } from './metrics/sources.ts';
import { Checks } from './naming/checks.ts';
import { listParts } from './naming/list.ts';
import { Registry } from './naming/registry.ts';
import { namingRoutes } from './naming/routes.ts';
import { NamingService } from './naming/service.ts';
import { statusRoutes } from './naming/status-routes.ts';
import { PushDriver } from './push/driver.ts';
import type { PushView } from './push/hub.ts';
import { isLoopback } from './push/target.ts';
import type { NodeSettings } from './settings/settings.ts';
import { sidecarRoutes } from './sidecar/routes.ts';
import { SidecarToken } from './sidecar/token.ts';
import { Follower } from './store/follow.ts';
import { StorePart } from './store/part.ts';
import type { Store } from './store/store.ts';

export interface ServerOptions {
  readonly host: Host;
  readonly settings: NodeSettings;
  readonly store: Store;
  readonly membership: Membership;
  /** Figures of the process itself among the metrics; not in a simulated one. */
  readonly withProcessMetrics: boolean;
}

export interface NacosServer {
  readonly lifecycle: Lifecycle;
  readonly naming: NamingService;
  readonly distro: Distro;
  readonly push: PushDriver;
}

/**
 * Puts a node together. Only here do the parts meet: calls go down, knowledge goes up by change feeds, so naming knows
 * neither Distro nor push.
 */
export function createNacosServer({
  host,
  settings,
  store,
  membership,
  withProcessMetrics,
}: ServerOptions): NacosServer {
  const lifecycle = new Lifecycle(host);
  const { peers } = membership;
  const registry = new Registry(`${settings.member}~${host.random.uuid().slice(0, 8)}`);
  const follower = new Follower(host, store);
  const naming: NamingService = new NamingService(host, store, registry, {
    isOwn: (service) => distro.ownership.isOwn(service),
    judges: (service) => distro.ownership.judges(service),
    isContested: (service) => distro.ownership.isContested(service),
    forward: (service, operation) => distro.ownership.forward(service, operation),
  });
  const distro = new Distro({ host, naming, peers, directory: `${settings.data}/naming` });
  const push = new PushDriver(host, settings.listen, (view) => pushDocument(host, registry, view));
  const config = createConfigService(host, store, follower, {
    dumpDirectory: `${settings.data}/config`,
    hintPeers: (revision) => membership.hintPeers(revision),
  });
  const checks = new Checks(host, naming, () => ({
    forbidden: new Set(membership.forbiddenHosts()),
    isLoopbackAllowed: isLoopback(settings.listen),
  }));
  const token = new SidecarToken(host, settings.sidecarTokenFile);

  naming.changes.subscribe((change) => {
    if (change.visible) push.changed(change.service);
  });
  membership.onHint((revision) => follower.hinted(revision));
  membership.contribute(() => ({ storeRevision: follower.metrics().revision, isReady: lifecycle.isReady() }));

  const metrics = new Metrics(
    metricSources({ naming, distro, push, config, checks, follower, membership, settings, lifecycle }),
    { withProcess: withProcessMetrics },
  );
  const subscribe = (request: ListRequest, call: Call): boolean => {
    const agent = agentOf(call.request.headers);
    if (!agent.mayBePushed) return false;
    const { service, clusters, clientIp, udpPort, app } = request;
    const target = { address: clientIp, port: udpPort };
    const view = { service: serviceKey(service), clusters, isGrouped: agent.isJavaSinceOne };
    const subscription = { ...view, target, agent: call.request.headers['user-agent'] ?? '', app };
    return push.subscribe(subscription, call.clientIp);
  };

  const publicDoor = new Door(host, {
    name: 'public port',
    address: settings.listen,
    port: settings.port,
    contextPath: settings.contextPath,
    routes: [
      ...namingRoutes({
        naming,
        now: () => host.clock.now(),
        subscribe,
        isLoaded: () => !distro.isStarting,
        knowsPersistent: () => naming.notReadyReason() === undefined,
      }),
      ...statusRoutes({ registry, isReady: () => lifecycle.isReady(), isOwn: (key) => distro.ownership.isOwn(key) }),
      ...config.routes,
      ...consoleRoutes({
        mode: settings.mode,
        notReadyReasons: () => lifecycle.notReadyReasons(),
        namespaces: () => listNamespaces(store),
        countConfigs: (namespaceId) => store.countConfigs(namespaceId),
      }),
      ...membership.publicRoutes,
      ...refusedRoutes(),
      metrics.route(),
    ],
    authorize: authorizePublic,
    clientIp: clientIpOf(settings.trustedProxies),
    observe: (path, method, status) => metrics.observe(path, method, status),
  });
  const peerDoor = new Door(host, {
    name: 'peer port',
    address: settings.listen,
    port: peerPort(settings.port),
    contextPath: '',
    bodyBytesMax: PEER_REQUEST_BYTES_MAX,
    routes: [
      ...membership.peerRoutes,
      ...distroRoutes(distro, naming, peers),
      ...sidecarRoutes({
        lease: () => lease(),
        take: (verdicts) => checks.takeOfSidecar(verdicts),
        drain: () => lifecycle.drain(),
      }),
    ],
    authorize: authorizePeer({ verifyPeer: membership.verifyPeer, sidecarToken: () => token.value }),
    seal: membership.sealAnswer,
    clientIp: (request) => request.remote.address,
  });

  const lease = (): SidecarLease => {
    const { targets, guard } = checks.lease();
    return {
      member: settings.member,
      isReady: lifecycle.isReady(),
      notReadyReasons: lifecycle.notReadyReasons(),
      memberList: membership.listState(),
      members: membership.members().map(({ address, state }) => ({ address, state })),
      lag: distro.lag().map(({ peer, waitingMs, entries }) => ({ peer, seconds: waitingMs / 1000, entries })),
      targets,
      guard: { forbidden: [...guard.forbidden], isLoopbackAllowed: guard.isLoopbackAllowed },
    };
  };

  // Peers may ask from early on, clients last; what starts last stops first.
  const feed = follower.subscribe(naming.feedReader);
  lifecycle.add(new StorePart(host, store));
  lifecycle.add(follower);
  lifecycle.add(token);
  lifecycle.add(peerDoor);
  lifecycle.add(membership.part);
  lifecycle.add(distro);
  lifecycle.add(push);
  lifecycle.add(naming);
  lifecycle.add({ name: 'feed of naming', stop: () => feed.end() });
  lifecycle.add(checks);
  lifecycle.add(config);
  lifecycle.add(publicDoor);
  return { lifecycle, naming, distro, push };
}

/** The list that a subscriber is pushed: as it would be answered now. */
function pushDocument(host: Host, registry: Registry, { service, clusters, isGrouped }: PushView): string {
  const view = registry.view(service);
  if (view === undefined) return encodeShortList(service.slice(service.indexOf('##') + 2), clusters, PUSHED_CACHE_MS);
  const clusterNames = clusters.split(',').filter((name) => name !== '');
  const parts = listParts(view, { clusterNames, healthyOnly: false, agent: { isJavaSinceOne: isGrouped } });
  return joinList(parts, { cacheMs: PUSHED_CACHE_MS, nowMs: host.clock.now(), clusters, env: '' });
}
