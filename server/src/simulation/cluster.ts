import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import type { World } from '@nacos-kube/core/sim/world.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer, type NacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { CommitLog } from './commit-log.ts';
import { breakDisk, breakNode, breakStore, type Mutant } from './mutants.ts';
import { StoreFaults } from './store-faults.ts';

export const PUBLIC_PORT = 8848;
const LIST_FILE = '/data/conf/cluster.conf';
/** Between the first and the last node that hears of another list. */
const LIST_DELAY_MS = 3_000;
const LIST_AGAIN_MS = 1_000;
const END_GRACE_MS = 20_000;
const CLUSTER_KEY = 'simulated-cluster-key-0123456789abcdef';

/** One node of the simulated cluster, in its present life. */
export interface SimulatedNode {
  readonly name: string;
  readonly server: NacosServer;
  readonly startedMs: number;
  /** Members that it takes for healthy. */
  readonly sees: () => readonly string[];
  /** The life before this one, if its disk survived it. */
  readonly earlier: { readonly startedMs: number; readonly endedMs: number } | undefined;
}

export interface ClusterSettings {
  readonly mutant?: Mutant | undefined;
  /** How wrong the clock of each node is. */
  readonly clocks?: readonly ClockFault[];
  /** The member list is a file that a sidecar writes, so it can change. */
  readonly hasFiles?: boolean;
}

export interface ClockFault {
  readonly clockSkewMs: number;
  readonly clockRate: number;
}

/** Nodes in one world, on one central truth. */
export class SimulatedCluster {
  readonly names: readonly string[];
  /** What was published, as the truth has it. */
  readonly commits = new CommitLog();
  readonly storeFaults = new StoreFaults();
  readonly #world: World;
  readonly #database = createMemoryDatabase();
  readonly #nodes = new Map<string, SimulatedNode>();

  /** When a life ended that left its disk as it was, or from when on it did nothing any more. */
  readonly #ended = new Map<string, number | undefined>();
  readonly #pauses = new Map<string, { readonly fromMs: number; readonly toMs: number }>();
  readonly #mutant: Mutant | undefined;
  readonly #clocks: readonly ClockFault[];
  /** The sidecar of each node, which keeps its cluster.conf; none when the list is given once and for all. */
  readonly #sidecars: Map<string, Host> | undefined;
  #generation = 0;
  #list = '';
  #extra: string | undefined;

  constructor(world: World, size: number, { mutant, clocks = [], hasFiles = false }: ClusterSettings = {}) {
    this.#world = world;
    this.#mutant = mutant;
    this.#clocks = clocks;
    this.#sidecars = hasFiles ? new Map() : undefined;
    this.names = Array.from({ length: size }, (_, n) => `s${n + 1}`);
    for (const name of this.names) this.#place(name);
    this.#tellMembers(this.names);
  }

  /** `kill` leaves the disk, `crash` takes what was not synced. */
  end(name: string, how: 'kill' | 'crash'): void {
    const { nowMs } = this.#world;
    const pause = this.#pauses.get(name);
    const endedMs = pause !== undefined && pause.toMs > nowMs ? pause.fromMs : nowMs;
    this.#ended.set(name, how === 'kill' ? endedMs : undefined);
    this.#world[how](name);
  }

  pause(name: string, durationMs: number): void {
    const { nowMs } = this.#world;
    const earlier = this.#pauses.get(name);
    const fromMs = earlier !== undefined && earlier.toMs > nowMs ? earlier.fromMs : nowMs;
    this.#pauses.set(name, { fromMs, toMs: nowMs + durationMs });
    this.#world.pause(name, durationMs);
  }

  isPaused(name: string): boolean {
    return this.#world.isAlive(name) && (this.#pauses.get(name)?.toMs ?? 0) > this.#world.nowMs;
  }

  /** Until `startSidecar` its node has no one to tell it of another list. */
  endSidecar(name: string): void {
    if (this.#world.isAlive(`${name}-sidecar`)) this.#world.kill(`${name}-sidecar`);
  }

  /** Starts a node, or starts it again on what its disk holds. */
  start(name: string): void {
    this.startSidecar(name);
    this.#pauses.delete(name);
    const host = this.#world.restart(name);
    const settings: NodeSettings = {
      mode: 'cluster',
      port: PUBLIC_PORT,
      listen: '0.0.0.0',
      data: '/data',
      contextPath: '/nacos',
      member: addressOf(name),
      memberList:
        this.#sidecars === undefined
          ? { kind: 'given', members: this.names.map(addressOf) }
          : { kind: 'file', path: LIST_FILE },
      clusterKeys: [CLUSTER_KEY],
      sidecarTokenFile: undefined,
      storage: { kind: 'memory' },
      trustedProxies: [],
    };
    const sound = this.commits.watching(createMemoryStore(host, this.#database));
    if (this.#mutant !== undefined) breakStore(sound, this.#mutant);
    const store = this.storeFaults.on(host, name, sound);
    const membership = createMembership(host, settings);
    const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
    if (this.#mutant !== undefined) breakNode(server, membership, this.#mutant);
    const [last, endedMs] = [this.#nodes.get(name), this.#ended.get(name)];
    const earlier = last === undefined || endedMs === undefined ? undefined : { startedMs: last.startedMs, endedMs };
    const sees = () => membership.peers.healthy();
    this.#nodes.set(name, { name, server, startedMs: this.#world.nowMs, sees, earlier });
    const isDumpLost = this.#mutant === 'dump cleared';
    const starting = isDumpLost
      ? breakDisk(host.disk, settings.data).then(() => server.lifecycle.start())
      : server.lifecycle.start();
    host.background('start', starting);
  }

  startAll(): void {
    for (const name of this.names) this.start(name);
  }

  /** One more member: every sidecar writes the list when the change reaches it, in any order. Needs `hasFiles`. */
  join(): void {
    const name = `s${this.names.length + 1}`;
    if (!this.#nodes.has(name)) this.#place(name);
    this.#extra = name;
    this.#tellMembers([...this.names, name]);
    this.start(name);
  }

  /** It leaves again: the list comes first, then its end, in order or not. */
  leave(isGraceful: boolean): void {
    const name = this.#extra;
    if (name === undefined) return;
    this.#extra = undefined;
    this.#tellMembers(this.names);
    const end = () => {
      if (this.#world.isAlive(name)) this.end(name, 'kill');
    };
    const sidecar = this.#sidecars?.get(name);
    if (isGraceful) void this.#nodes.get(name)?.server.lifecycle.stop();
    sidecar?.clock.after(isGraceful ? END_GRACE_MS : sidecar.random.int(LIST_DELAY_MS), end);
  }

  #place(name: string): void {
    const n = Number(name.slice(1));
    const address = `10.0.0.${n}`;
    this.#world.process(name, { address, ...this.#clocks[n - 1] });
    this.#sidecars?.set(name, this.#world.process(`${name}-sidecar`, { address }));
  }

  #tellMembers(names: readonly string[]): void {
    this.#generation++;
    this.#list = encodeMemberList({ generation: this.#generation, members: names.map(addressOf) });
    for (const [name, sidecar] of this.#sidecars ?? []) {
      if (!names.includes(name)) continue;
      const delayMs = this.#generation === 1 ? 0 : sidecar.random.int(LIST_DELAY_MS);
      sidecar.clock.after(delayMs, () => this.#writeList(sidecar));
    }
  }

  #writeList(sidecar: Host): void {
    const written = sidecar.disk.write(LIST_FILE, this.#list, { sync: true }).catch((error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
      sidecar.clock.after(LIST_AGAIN_MS, () => this.#writeList(sidecar));
    });
    sidecar.background('write the list', written);
  }

  /** With its machine the sidecar went too; it comes before its node, and knows what the list is now. */
  startSidecar(name: string): void {
    const sidecar = `${name}-sidecar`;
    if (this.#sidecars === undefined || this.#world.isAlive(sidecar)) return;
    const host = this.#world.restart(sidecar);
    this.#sidecars.set(name, host);
    this.#writeList(host);
  }

  /** Undefined while it is dead. */
  node(name: string): SimulatedNode | undefined {
    return this.#world.isAlive(name) ? this.#nodes.get(name) : undefined;
  }

  ready(): SimulatedNode[] {
    return this.names.flatMap((name) => {
      const node = this.node(name);
      return node?.server.lifecycle.isReady() ? [node] : [];
    });
  }

  get lastStartMs(): number {
    return Math.max(...[...this.#nodes.values()].map((node) => node.startedMs));
  }

  get isWhole(): boolean {
    return this.ready().length === this.names.length && !this.names.some((name) => this.isPaused(name));
  }
}

/** The stable name that a member list would hold. */
export function addressOf(name: string): string {
  return `${name}:${PUBLIC_PORT}`;
}
