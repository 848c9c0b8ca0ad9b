import type { World } from '@nacos-kube/core/sim/world.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer, type NacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';

export const PUBLIC_PORT = 8848;
const CLUSTER_KEY = 'simulated-cluster-key-0123456789abcdef';

/** One node of the simulated cluster, in its present life. */
export interface SimulatedNode {
  readonly name: string;
  readonly server: NacosServer;
  readonly startedMs: number;
}

/** Nodes in one world, on one central truth that does not fail. */
export class SimulatedCluster {
  readonly names: readonly string[];
  readonly #world: World;
  readonly #database = createMemoryDatabase();
  readonly #nodes = new Map<string, SimulatedNode>();

  constructor(world: World, size: number) {
    this.#world = world;
    this.names = Array.from({ length: size }, (_, n) => `s${n + 1}`);
    for (const [n, name] of this.names.entries()) world.process(name, { address: `10.0.0.${n + 1}` });
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
    const store = createMemoryStore(host, this.#database);
    const membership = createMembership(host, settings);
    const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
    this.#nodes.set(name, { name, server, startedMs: this.#world.nowMs });
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

  get isWhole(): boolean {
    return this.ready().length === this.names.length;
  }
}

/** The stable name that a member list would hold. */
export function addressOf(name: string): string {
  return `${name}:${PUBLIC_PORT}`;
}
