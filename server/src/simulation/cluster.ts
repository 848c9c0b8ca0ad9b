import type { Host } from '@nacos-kube/core/host/host.ts';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import type { World } from '@nacos-kube/core/sim/world.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer, type NacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { CommitLog } from './configs.ts';
import { breakNode, breakStore, type Mutant } from './mutants.ts';

export const PUBLIC_PORT = 8848;
const LIST_FILE = '/data/conf/cluster.conf';
/** Between the first and the last node that hears of another list. */
const LIST_DELAY_MS = 3_000;
const END_GRACE_MS = 20_000;
const CLUSTER_KEY = 'simulated-cluster-key-0123456789abcdef';

/** One node of the simulated cluster, in its present life. */
export interface SimulatedNode {
  readonly name: string;
  readonly server: NacosServer;
  readonly startedMs: number;
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

/** Nodes in one world, on one central truth that does not fail. */
export class SimulatedCluster {
  readonly names: readonly string[];
  /** What was published, as the truth has it. */
  readonly commits = new CommitLog();
  readonly #world: World;
  readonly #database = createMemoryDatabase();
  readonly #nodes = new Map<string, SimulatedNode>();

  readonly #ended = new Map<string, number | undefined>();
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
    this.#ended.set(name, how === 'kill' ? this.#world.nowMs : undefined);
    this.#world[how](name);
  }

  /** Starts a node, or starts it again on what its disk holds. */
  start(name: string): void {
    this.#startSidecar(name);
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
    const store = this.commits.watching(createMemoryStore(host, this.#database));
    if (this.#mutant !== undefined) breakStore(store, this.#mutant);
    const membership = createMembership(host, settings);
    const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
    if (this.#mutant !== undefined) breakNode(server, membership, this.#mutant);
    const [last, endedMs] = [this.#nodes.get(name), this.#ended.get(name)];
    const earlier = last === undefined || endedMs === undefined ? undefined : { startedMs: last.startedMs, endedMs };
    this.#nodes.set(name, { name, server, startedMs: this.#world.nowMs, earlier });
    host.background('start', server.lifecycle.start());
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
    sidecar.background('write the list', sidecar.disk.write(LIST_FILE, this.#list, { sync: true }));
  }

  /** With its machine the sidecar went too; it comes before its node, and knows what the list is now. */
  #startSidecar(name: string): void {
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
    return this.ready().length === this.names.length;
  }
}

/** The stable name that a member list would hold. */
export function addressOf(name: string): string {
  return `${name}:${PUBLIC_PORT}`;
}
