import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { type PushVersions, pushVersionsOf } from '@nacos-kube/core/wire/naming-agent.ts';
import { namespaceRoutes } from '../console/namespace-routes.ts';
import { Namespaces } from '../console/namespaces.ts';
import { clientIpOf } from '../http/access.ts';
import { AccessLog } from '../http/access-log.ts';
import { TrafficGate } from '../http/traffic-gate.ts';
import { RequestFigures } from '../metrics/requests.ts';
import { Timing } from '../metrics/timing.ts';
import type { Parts } from '../parts.ts';
import type { NodeSettings } from '../settings/settings.ts';
import type { FeedSubscription } from '../store/feed-delivery.ts';
import type { Follower } from '../store/follow.ts';
import type { Store } from '../store/store.ts';
import { SharedSwitches } from '../switches/shared.ts';
import type { SwitchBoard } from '../switches/switches.ts';
import { coreRoutes } from './core-routes.ts';
import { logRoutes } from './log-routes.ts';
import { operatorRoutes } from './operator-routes.ts';
import { PushState } from './push-state.ts';
import { NodeStatus } from './status.ts';

export interface OperationsOptions {
  readonly host: Host;
  readonly settings: NodeSettings;
  readonly store: Store;
  readonly follower: Follower;
  readonly switches: SwitchBoard;
}

/** What operators have a node by: switches, namespaces, the gate of its traffic, its access log. */
export class Operations implements Part {
  readonly name = 'operations';
  readonly shared: SharedSwitches;
  readonly namespaces: Namespaces;
  readonly gate: TrafficGate;
  /** Undefined when nobody asked for one. */
  readonly accessLog: AccessLog | undefined;
  /** Answers of the public port. */
  readonly requests: RequestFigures;
  /** How long peers took to be told of configurations. */
  readonly hintTimes: Timing;
  /** From which versions on clients are pushed to now. */
  pushVersions: PushVersions;
  readonly #follower: Follower;
  #feeds: readonly FeedSubscription[] = [];

  constructor({ host, settings, store, follower, switches }: OperationsOptions) {
    this.#follower = follower;
    this.shared = new SharedSwitches(host, store, switches);
    this.namespaces = new Namespaces(host, store);
    this.gate = new TrafficGate(settings.contextPath, switches);
    const clientIp = clientIpOf(settings.trustedProxies);
    const { accessLog } = settings;
    this.accessLog = accessLog === undefined ? undefined : new AccessLog(host, { to: accessLog, clientIp });
    const now = () => host.clock.monotonic();
    this.requests = new RequestFigures(now);
    this.hintTimes = new Timing(now);
    this.pushVersions = pushVersionsOf(switches.current);
    switches.changes.subscribe((values) => {
      this.gate.take(values);
      this.pushVersions = pushVersionsOf(values);
    });
  }

  start(): void {
    const readers = [this.shared.feedReader, this.namespaces.feedReader];
    this.#feeds = readers.map((reader) => this.#follower.subscribe(reader));
    this.accessLog?.start();
  }

  async stop(): Promise<void> {
    for (const feed of this.#feeds) feed.end();
    await this.accessLog?.stop();
  }
}

export function operationsRoutes(parts: Parts): Route[] {
  const { host, operations, switches, naming, push, distro, membership, lifecycle, config } = parts;
  const { registry } = naming;
  const status = new NodeStatus({
    ...{ clock: host.clock, registry, switches, machine: host.machine, isReady: () => lifecycle.isReady() },
    isOwn: (service) => distro.ownership.isOwn(service),
  });
  return [
    ...operatorRoutes({
      ...{ switches, shared: operations.shared, pushState: new PushState(push) },
      status: () => status.describe(),
      ownerOf: (service) => (registry.view(service) === undefined ? undefined : membership.peers.ownerOf(service)),
      members: () => membership.documents(),
    }),
    ...logRoutes(host.logLevels),
    ...coreRoutes(),
    ...namespaceRoutes({ namespaces: operations.namespaces, countConfigs: (id) => config.countIn(id) }),
  ];
}
