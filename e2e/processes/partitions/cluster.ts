/** Three nodes that share a file, each on a host of its own, a client on a host beside each, and an eye that sees all. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import { ClientProgram } from '../../clients/program.ts';
import { delay, until } from '../../kubernetes/processes.ts';
import { Network } from '../namespaces.ts';
import { NacosKubeProcess } from '../program.ts';
import type { Named } from './client.ts';
import type { Event, Fault } from './history.ts';

export interface PartitionNode {
  readonly host: string;
  /** In the member list, and as clients name it. */
  readonly address: string;
  readonly process: () => NacosKubeProcess;
  readonly start: () => Promise<void>;
}

export interface PartitionClient {
  readonly host: string;
  readonly ip: string;
  readonly program: ClientProgram;
}

export interface AgreeOptions {
  readonly services: readonly string[];
  readonly withinMs: number;
  readonly byDigests?: boolean;
  /** All unless told. */
  readonly nodes?: readonly PartitionNode[];
}

const NODES = ['n1', 'n2', 'n3'] as const;
const CLIENTS = ['c1', 'c2', 'c3'] as const;
const EYE = 'eye';
const PORT = 8848;
export const PEER_PORT = PORT - 1_000;
const READY_MS_MAX = 30_000;
const AGREE_AGAIN_MS = 200;
/** Every member has compared with every other one in this time. */
const VERIFY_MS = 6_000;
const LOG_SHOWN_CHARS = 4_000;

export class PartitionCluster implements AsyncDisposable {
  readonly network: Network;
  readonly nodes: readonly PartitionNode[];
  readonly clients: readonly PartitionClient[];
  readonly eye: PartitionClient;
  readonly #faults: Fault[] = [];

  static async start(): Promise<PartitionCluster> {
    const network = await Network.start([...NODES, ...CLIENTS, EYE]);
    const cluster = new PartitionCluster(network);
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(network: Network) {
    this.network = network;
    const members = NODES.map((host) => `${network.address(host)}:${PORT}`);
    const key = join(network.folder, 'cluster-key');
    writeFileSync(key, randomBytes(32).toString('hex'), { mode: 0o600 });
    this.nodes = NODES.map((host, index) => this.#node(host, members[index]!, members, key));
    this.clients = CLIENTS.map((host) => this.#client(host));
    this.eye = this.#client(EYE);
  }

  get programs(): ClientProgram[] {
    return [...this.clients, this.eye].map(({ program }) => program);
  }

  /** A client that was killed comes back without its memory. */
  startClient(index: number): PartitionClient {
    const client = this.#client(CLIENTS[index]!);
    (this.clients as PartitionClient[])[index] = client;
    return client;
  }

  async ask(node: PartitionNode, path: string): Promise<string> {
    return await this.eye.program.call('ask', { node: node.address, path });
  }

  /** As a node sees them. */
  async members(node: PartitionNode): Promise<readonly MemberSeen[]> {
    return (JSON.parse(await this.ask(node, '/v1/core/cluster/nodes')) as { data: MemberSeen[] }).data;
  }

  async figure(node: PartitionNode, name: string): Promise<number> {
    const page = await this.ask(node, '/actuator/prometheus');
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(page)?.[1];
    if (value === undefined) throw new Error(`${node.address} has no ${name}:\n${page}`);
    return Number(value);
  }

  /** Remembers for the judgement that these two hear less of each other, or that one hears nothing, until `whole`. */
  note(...faults: readonly ({ between: readonly [string, string] } | { stopped: string })[]): void {
    for (const fault of faults) {
      const during = { fromMs: nowMs(), untilMs: Number.POSITIVE_INFINITY };
      this.#faults.push(
        'stopped' in fault
          ? { kind: 'stopped', node: fault.stopped, ...during }
          : { kind: 'cut', between: fault.between, ...during },
      );
    }
  }

  async heal(): Promise<void> {
    await this.network.heal();
    this.whole();
  }

  whole(): void {
    for (const fault of this.#faults) fault.untilMs = Math.min(fault.untilMs, nowMs());
  }

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  /** What all programs saw since they were last asked. */
  async history(): Promise<Event[]> {
    const parts = await Promise.all(this.programs.map((program) => program.call<Event[]>('history')));
    return parts.flat();
  }

  async alive(): Promise<Named[]> {
    const parts = await Promise.all(this.clients.map(({ program }) => program.call<Named[]>('alive')));
    return parts.flat();
  }

  /**
   * Waits until all nodes list just these instances, as healthy; with `byDigests` until they also find no service
   * differing in a whole round of comparing. Gives the time until then from now, and throws what is wrong after `withinMs`.
   */
  async agree(
    expected: readonly Named[],
    { services, withinMs, byDigests = false, nodes = this.nodes }: AgreeOptions,
  ): Promise<number> {
    const startMs = nowMs();
    for (;;) {
      const atMs = nowMs();
      let wrong = await this.#disagreements(expected, services, nodes);
      if (wrong.length === 0 && byDigests) {
        const before = await this.#differing();
        await delay(VERIFY_MS);
        const after = await this.#differing();
        if (before.join() !== after.join())
          wrong = [`services found differing: ${before.join(' ')}, then ${after.join(' ')}`];
      }
      if (wrong.length === 0) return atMs - startMs;
      if (nowMs() - startMs > withinMs) {
        throw new Error(`the nodes differ ${withinMs} ms later:\n${wrong.join('\n')}`);
      }
      await delay(AGREE_AGAIN_MS);
    }
  }

  describe(): string {
    return this.nodes
      .map(({ address, process }) => `--- ${address}\n${process().log.slice(-LOG_SHOWN_CHARS)}`)
      .join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      ...this.programs.map((program) => program.kill()),
      ...this.nodes.map(({ process }) => process().kill9()),
    ]);
    await this.network[Symbol.asyncDispose]();
  }

  async #disagreements(
    expected: readonly Named[],
    services: readonly string[],
    nodes: readonly PartitionNode[],
  ): Promise<string[]> {
    const asked = nodes.flatMap((node) => services.map((service) => ({ node, service })));
    const answers = await Promise.all(
      asked.map(async ({ node, service }) => {
        const text = await this.ask(node, `/v1/ns/instance/list?serviceName=${service}`);
        const { hosts } = JSON.parse(text) as { hosts: { ip: string; port: number; healthy: boolean }[] };
        const is = new Map(hosts.map(({ ip, port, healthy }) => [`${ip}:${port}`, healthy]));
        const wanted = expected.filter((one) => one.service === service).map(({ instance }) => instance);
        const lacking = wanted.filter((one) => !is.has(one)).map((one) => `lacks ${one}`);
        const sick = wanted.filter((one) => is.get(one) === false).map((one) => `has as unhealthy ${one}`);
        const extra = [...is.keys()].filter((one) => !wanted.includes(one));
        const ghosts = extra.map((one) => `still has ${one}${is.get(one) ? '' : ' as unhealthy'}`);
        return [...lacking, ...sick, ...ghosts].map((what) => `${node.address} ${what} of ${service}`);
      }),
    );
    return answers.flat();
  }

  async #differing(): Promise<number[]> {
    return await Promise.all(this.nodes.map((node) => this.figure(node, 'nacos_kube_verify_differing_total')));
  }

  #node(host: string, address: string, members: readonly string[], key: string): PartitionNode {
    const data = join(this.network.folder, host);
    mkdirSync(data);
    const list = join(data, 'cluster.conf');
    writeFileSync(list, encodeMemberList({ generation: 1, members }));
    const flags = {
      mode: 'cluster',
      port: PORT,
      member: address,
      data,
      'member-list': list,
      'cluster-key-file': key,
      'sqlite-file': join(this.network.folder, 'store.sqlite'),
    };
    const args = ['server', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`])];
    let process: NacosKubeProcess | undefined;
    const running = () => {
      if (process === undefined) throw new Error(`${host} was not started`);
      return process;
    };
    const node: PartitionNode = {
      ...{ host, address, process: running },
      start: async () => {
        process = new NacosKubeProcess(args, {}, (command) => this.network.command(host, command));
        const isReady = async () => {
          if (running().ended !== undefined) throw new Error(`it has ended with ${running().ended}`);
          await this.ask(node, '/v1/console/health/readiness');
          const seen = await this.members(node);
          return seen.length === members.length && seen.every(({ state }) => state === 'UP');
        };
        await until(`${host} is ready and sees all up`, isReady, { timeoutMs: READY_MS_MAX }).catch((error: Error) => {
          throw new Error(`${error.message}\n${running().log.slice(-LOG_SHOWN_CHARS)}`);
        });
      },
    };
    return node;
  }

  #client(host: string): PartitionClient {
    const command = this.network.command(host, [process.execPath, join(import.meta.dirname, 'client.ts')]);
    return { host, ip: this.network.address(host), program: new ClientProgram({ name: host, command }) };
  }
}

export interface MemberSeen {
  readonly address: string;
  readonly state: string;
  readonly extendInfo: { readonly seesMe?: boolean };
}

/** The clock of the histories. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
