import type { World } from '@nacos-kube/core/sim/world.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer, type NacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { CommitLog } from './configs.ts';
import { breakNode, breakStore, type Mutant } from './mutants.ts';

export const PUBLIC_PORT = 8848;
const CLUSTER_KEY = 'simulated-cluster-key-0123456789abcdef';

/** One node of the simulated cluster, in its present life. */
export interface SimulatedNode {
  readonly name: string;
  readonly server: NacosServer;
  readonly startedMs: number;
  /** The life before this one, if its disk survived it. */
  readonly earlier: { readonly startedMs: number; readonly endedMs: number } | undefined;
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

  /** `clocks`: how wrong the clock of each node is. */
  constructor(world: World, size: number, mutant?: Mutant, clocks: readonly ClockFault[] = []) {
    this.#world = world;
    this.#mutant = mutant;
    this.names = Array.from({ length: size }, (_, n) => `s${n + 1}`);
    for (const [n, name] of this.names.entries()) {
      world.process(name, { address: `10.0.0.${n + 1}`, ...clocks[n] });
    }
  }

  /** `kill` leaves the disk, `crash` takes what was not synced. */
  end(name: string, how: 'kill' | 'crash'): void {
    this.#ended.set(name, how === 'kill' ? this.#world.nowMs : undefined);
    this.#world[how](name);
  }

  /** Starts a node, or starts it again on what its disk holds. */
  start(name: string): void {
    const host = this.#world.restart(name);
    const settings: NodeSettings = {
      mode: 'cluster',
      port: PUBLIC_PORT,
      listen: '0.0.0.0',
      data: '/data',
      contextPath: '/nacos',
      member: addressOf(name),
      memberList: { kind: 'given', members: this.names.map(addressOf) },
      clusterKeys: [CLUSTER_KEY],
      sidecarTokenFile: undefined,
      storage: { kind: 'memory' },
      trustedProxies: [],
    };
    const store = this.commits.watching(createMemoryStore(host, this.#database));
    if (this.#mutant !== undefined) breakStore(store, this.#mutant);
    const membership = createMembership(host, settings);
    const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
    if (this.#mutant !== undefined) breakNode(server, this.#mutant);
    const [last, endedMs] = [this.#nodes.get(name), this.#ended.get(name)];
    const earlier = last === undefined || endedMs === undefined ? undefined : { startedMs: last.startedMs, endedMs };
    this.#nodes.set(name, { name, server, startedMs: this.#world.nowMs, earlier });
    host.background('start', server.lifecycle.start());
  }

  startAll(): void {
    for (const name of this.names) this.start(name);
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
