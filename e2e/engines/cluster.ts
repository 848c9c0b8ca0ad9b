/** Three node processes on one engine, each on a port and a data folder of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kubernetes/processes.ts';
import { LocalNode, type NodeOptions } from '../processes/node.ts';
import { freePorts } from '../processes/ports.ts';
import type { Engine } from './engine.ts';

const MEMBERS = 3;
const SEEN_MS_MAX = 30_000;

export interface ClusterOptions {
  readonly members?: number;
  /** Of single nodes. */
  readonly ofNode?: (index: number) => Pick<NodeOptions, 'env' | 'runner'>;
}

export async function startCluster(engine: Engine, options: ClusterOptions = {}): Promise<EngineCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-engine-'));
  const keyFile = join(folder, 'cluster-key');
  await writeFile(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
  const ports = await freePorts(options.members ?? MEMBERS);
  const servers = ports.map((port) => `127.0.0.1:${port}`);
  const nodes = ports.map((port, i) => {
    const flags = { member: servers[i]!, servers: servers.join(','), 'cluster-key-file': keyFile };
    const args = [...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]), ...engine.storageFlags()];
    const data = join(folder, `node-${i}`);
    return new LocalNode({ port, data, mode: 'cluster', args, ...options.ofNode?.(i) });
  });
  const cluster = new EngineCluster(folder, nodes);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

export class EngineCluster {
  readonly nodes: readonly LocalNode[];
  readonly #folder: string;
  /** How often each was started. */
  readonly #lives: number[];

  constructor(folder: string, nodes: readonly LocalNode[]) {
    this.#folder = folder;
    this.nodes = nodes;
    this.#lives = nodes.map(() => 1);
  }

  async start(): Promise<void> {
    for (const node of this.nodes) node.launch();
    await this.ready();
  }

  /** All are ready and see each other. */
  async ready(): Promise<void> {
    for (const node of this.nodes) await node.ready();
    for (const node of this.nodes) {
      await until(`the node on ${node.port} sees all members up`, () => this.#seesAll(node), {
        timeoutMs: SEEN_MS_MAX,
      });
    }
  }

  /** Names what a node keeps in memory: each start begins with a new one. */
  session(index: number): string {
    return `node ${index}, life ${this.#lives[index]}`;
  }

  async kill9(index: number): Promise<void> {
    const dead = this.nodes[index]!.kill9();
    this.#lives[index]! += 1;
    await dead;
  }

  /** Without waiting for it. */
  launch(index: number): void {
    this.nodes[index]!.launch();
  }

  pause(index: number): void {
    process.kill(this.nodes[index]!.pid, 'SIGSTOP');
  }

  resume(index: number): void {
    process.kill(this.nodes[index]!.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill9()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #seesAll(node: LocalNode): Promise<boolean> {
    const answer = await fetch(node.url('/v1/core/cluster/nodes'), { signal: AbortSignal.timeout(2_000) });
    const { data } = (await answer.json()) as { data: readonly { readonly state: string }[] };
    return data.length === this.nodes.length && data.every(({ state }) => state === 'UP');
  }
}
