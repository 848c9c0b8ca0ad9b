import type { Host } from '@nacos-kube/core/host/host.ts';
import { inArea } from '@nacos-kube/core/host/in-area.ts';
import { Lifecycle } from '@nacos-kube/core/lifecycle.ts';
import type { MysqlProbe } from '@nacos-kube/core/probe/mysql-check.ts';
import { clusterNamesOf, encodeShortList } from '@nacos-kube/core/wire/naming-list.ts';
import { createConfigService } from './config/service.ts';
import { Distro } from './distro/distro.ts';
import { Farewell } from './farewell.ts';
import type { Door } from './http/door.ts';
import type { Membership } from './members/membership.ts';
import { Metrics } from './metrics/metrics.ts';
import { metricSources } from './metrics/sources.ts';
import { Checks } from './naming/checks.ts';
import { EmptyServices } from './naming/empty-services.ts';
import { listText } from './naming/list.ts';
import { Registry } from './naming/registry.ts';
import { NamingService } from './naming/service.ts';
import { Operations } from './ops/operations.ts';
import type { Parts } from './parts.ts';
import { peerDoor } from './peer-door.ts';
import { publicDoor } from './public-door.ts';
import { PushDriver } from './push/driver.ts';
import type { Subscription } from './push/hub.ts';
import { isLoopback } from './push/target.ts';
import type { NodeSettings } from './settings/settings.ts';
import { SidecarToken } from './sidecar/token.ts';
import { Follower } from './store/follow.ts';
import { LocalCopies } from './store/local-copies.ts';
import { StorePart } from './store/part.ts';
import { RaftLook } from './store/raft-facts.ts';
import type { Store } from './store/store.ts';
import { SwitchBoard } from './switches/switches.ts';

export interface ServerOptions {
  readonly host: Host;
  readonly settings: NodeSettings;
  readonly store: Store;
  readonly membership: Membership;
  /** Figures of the process itself among the metrics; not in a simulated one. */
  readonly withProcessMetrics: boolean;
  /** Asks databases whether they are well; without it they are not checked. */
  readonly mysqlProbe?: MysqlProbe | undefined;
}

export interface NacosServer {
  readonly lifecycle: Lifecycle;
  readonly naming: NamingService;
  readonly distro: Distro;
  readonly push: PushDriver;
  readonly publicDoor: Door;
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
  mysqlProbe,
}: ServerOptions): NacosServer {
  const lifecycle = new Lifecycle(host);
  const { peers } = membership;
  const registry = new Registry(`${settings.member}~${host.random.uuid().slice(0, 8)}`);
  const follower = new Follower(host, store);
  const switches = new SwitchBoard();
  const operations = new Operations({ host, settings, store, follower, switches });
  const naming: NamingService = new NamingService({
    ...{ host: inArea(host, 'naming'), store, registry, switches },
    ownership: {
      isOwn: (service) => distro.ownership.isOwn(service),
      judges: (service) => distro.ownership.judges(service),
      isContested: (service) => distro.ownership.isContested(service),
      forward: (service, operation) => distro.ownership.forward(service, operation),
    },
  });
  const distro = new Distro({ host: inArea(host, 'distro'), naming, peers, directory: `${settings.data}/naming` });
  const push = new PushDriver({
    ...{ host: inArea(host, 'push'), listen: settings.listen, switches },
    isPersonal: (service) => (registry.view(service)?.settings.selector.type ?? 'none') !== 'none',
    document: (subscription) =>
      pushDocument(naming, subscription, host.clock.now(), switches.current.defaultPushCacheMillis),
  });
  const config = createConfigService(host, store, follower, {
    dumpDirectory: `${settings.data}/config`,
    ...(settings.capacity === undefined ? {} : { capacity: settings.capacity }),
    peers: {
      listed: () => peers.listed(),
      isHealthy: (peer) => peers.healthy().includes(peer),
      hint: (peer, revision) => operations.hintTimes.measure(() => membership.hintPeer(peer, revision)),
    },
  });
  const checkGuard = () => ({
    forbidden: new Set(membership.forbiddenHosts()),
    isLoopbackAllowed: isLoopback(settings.listen),
  });
  const checks = new Checks(host, naming, checkGuard, { mysql: mysqlProbe });
  const emptyServices = new EmptyServices({
    ...{ host, naming, isOn: settings.keepsEmptyServices !== true },
    isSure: (service) => !distro.isStarting && follower.staleReason() === undefined && distro.ownership.judges(service),
  });
  const copies = new LocalCopies(host, `${settings.data}/records`, follower, [
    ...[naming.services.records, naming.persistent.records],
    ...[operations.namespaces.records, operations.shared.records],
  ]);
  const raft = new RaftLook(host, store);
  const token = new SidecarToken(host, settings.sidecarTokenFile);
  const farewell = new Farewell(host, {
    answerHeld: () => config.drain?.(),
    retire: (lingerMs) => door.retire(lingerMs),
  });
  const parts: Parts = {
    ...{ host, settings, lifecycle, store, follower, copies, switches, membership, operations },
    ...{ naming, distro, push, config, checks, token, farewell },
  };

  naming.changes.subscribe((change) => {
    if (change.visible) push.changed(change.service);
  });
  peers.onChange(() => checks.ownersChanged());
  membership.onHint((revision) => follower.hinted(revision));
  membership.contribute(() => ({
    storeRevision: follower.metrics().revision,
    isReady: lifecycle.isReady(),
    ...distro.facts(),
    ...raft.facts(),
  }));

  // Peers may ask from early on, clients last; what starts last stops first.
  const feed = follower.subscribe(naming.feedReader);
  lifecycle.add(new StorePart(host, store));
  lifecycle.add(raft);
  lifecycle.add(follower);
  lifecycle.add(copies);
  lifecycle.add(operations);
  lifecycle.add(token);
  lifecycle.add(peerDoor(parts));
  lifecycle.add(farewell);
  lifecycle.add(membership.part);
  lifecycle.add(distro);
  lifecycle.add(push);
  lifecycle.add(naming);
  lifecycle.add(emptyServices);
  lifecycle.add({ name: 'feed of naming', stop: () => feed.end() });
  lifecycle.add(checks);
  lifecycle.add(config);
  const door = publicDoor(parts, new Metrics(metricSources(parts), { withProcess: withProcessMetrics }));
  lifecycle.add(door);
  return { lifecycle, naming, distro, push, publicDoor: door };
}

/** The list that a subscriber is pushed: as it would be answered now. */
function pushDocument(naming: NamingService, pushed: Subscription, nowMs: number, cacheMs: number): string {
  const { service, clusters, isGrouped, target } = pushed;
  const view = naming.registry.view(service);
  if (view === undefined) return encodeShortList(service.slice(service.indexOf('##') + 2), clusters, cacheMs);
  const clusterNames = clusterNamesOf(clusters);
  const select = naming.selections.of(view, target.address);
  const question = { clusterNames, healthyOnly: false, agent: { isJavaSinceOne: isGrouped }, select };
  return listText(view, question, { cacheMs, nowMs, clusters, env: '' });
}
