/** `nacos-kube up` as a suite uses it: members, sidecars and VIP on ports of its own, all ready when it is given back. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf, until } from '../kubernetes/processes.ts';
import { freePortRow } from './ports.ts';
import { NacosKubeProcess } from './program.ts';

export interface LocalClusterOptions {
  /** Lines below `spec` of the manifest, each with its indentation; e.g. of a database. */
  readonly spec?: readonly string[];
  /** Members that the cluster may be scaled to. */
  readonly membersMax?: number;
  /** Further flags of `nacos-kube up`. */
  readonly args?: readonly string[];
}

export interface Member {
  readonly name: string;
  /** As clients name it. */
  readonly address: string;
  readonly port: number;
  readonly metricsPort: number;
}

export interface CommandEnd {
  readonly code: number;
  readonly output: string;
  readonly tookMs: number;
}

const NAME = 'e2e';
const HOST = '127.0.0.1';
const PORT_STEP = 10;
const READY_MS_MAX = 60_000;
const STATUS_MS_MAX = 5_000;
const EMBEDDED = ['  storage:', '    embedded: {}'];

export async function startLocalCluster(members: number, options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { spec = EMBEDDED, membersMax = members, args = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-up-'));
  // A row of public ports has its neighbours free; sidecars and VIP take ports between them.
  const basePort = await freePortRow(membersMax + 2, PORT_STEP);
  const cluster = new LocalCluster(folder, { basePort, membersMax, spec, args });
  try {
    await cluster.start(members);
    return cluster;
  } catch (error) {
    await cluster.kill9();
    throw error;
  }
}

export class LocalCluster implements AsyncDisposable {
  readonly folder: string;
  readonly #basePort: number;
  readonly #metricsBasePort: number;
  readonly #vipPort: number;
  readonly #spec: readonly string[];
  readonly #args: readonly string[];
  #members: readonly Member[] = [];
  #process: NacosKubeProcess | undefined;

  constructor(
    folder: string,
    { basePort, membersMax, spec, args }: Required<LocalClusterOptions> & { basePort: number },
  ) {
    this.folder = folder;
    this.#basePort = basePort;
    this.#vipPort = basePort + membersMax * PORT_STEP;
    this.#metricsBasePort = this.#vipPort + 1;
    this.#spec = spec;
    this.#args = args;
  }

  /** As clients name it. */
  get vip(): string {
    return `${HOST}:${this.#vipPort}`;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get log(): string {
    return this.#process?.log ?? '';
  }

  async start(members: number): Promise<void> {
    await this.scale(members);
    const flags = {
      file: this.#manifestFile,
      data: this.folder,
      'vip-port': this.#vipPort,
      'base-port': this.#basePort,
      'metrics-base-port': this.#metricsBasePort,
    };
    this.#process = new NacosKubeProcess([
      'up',
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]),
      ...this.#args,
    ]);
    await this.ready();
  }

  /** Writes the manifest, which a running cluster follows. */
  async scale(members: number): Promise<void> {
    const head = ['apiVersion: nacos-kube.dev/v1alpha1', 'kind: NacosCluster', 'metadata:', `  name: ${NAME}`];
    const lines = [...head, 'spec:', `  replicas: ${members}`, '  auth:', '    enabled: false', ...this.#spec, ''];
    await writeFile(this.#manifestFile, lines.join('\n'));
    this.#members = Array.from({ length: members }, (_, i) => ({
      name: `${NAME}-${i}`,
      address: `${HOST}:${this.#basePort + i * PORT_STEP}`,
      port: this.#basePort + i * PORT_STEP,
      metricsPort: this.#metricsBasePort + i,
    }));
  }

  /** Every member answers that it is ready, and sees each one up. */
  async ready(): Promise<void> {
    try {
      for (const member of this.#members)
        await until(
          `${member.name} is ready and sees ${this.#members.length} members up`,
          () => this.#seesAll(member),
          {
            timeoutMs: READY_MS_MAX,
          },
        );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.describe()}`);
    }
  }

  /** SIGKILL to a member's node, which the cluster starts again; `back` resolves when another one runs in its place. */
  kill9Member(index: number, backMs = READY_MS_MAX): { readonly back: () => Promise<void> } {
    const { name } = this.#members[index]!;
    const pid = this.pidOf(name);
    process.kill(pid, 'SIGKILL');
    const back = async () => {
      await until(`${name} runs again`, async () => this.pidOf(name) !== pid, { timeoutMs: backMs });
      await this.ready();
    };
    return { back };
  }

  /** `nacos-kube up ARGS` about this cluster, to its end. */
  async command(args: readonly string[], timeoutMs = READY_MS_MAX): Promise<CommandEnd> {
    const startedMs = performance.now();
    const command = new NacosKubeProcess(['up', ...args, '--data', this.folder]);
    try {
      await until(`up ${args.join(' ')} ends`, async () => command.ended, { timeoutMs });
    } finally {
      await command.kill9(); // also waits for its last words
    }
    const code = Number(command.ended?.replace('code ', ''));
    return { code, output: command.log, tookMs: performance.now() - startedMs };
  }

  /** `up status ARGS` once all is as it should be: it tells what `up` saw when it looked last, a second behind `ready`. */
  async statusWhenReady(args: readonly string[] = []): Promise<CommandEnd> {
    let end: CommandEnd | undefined;
    const isReady = async () => {
      end = await this.command(['status', ...args]);
      return end.code === 0;
    };
    await until('up status ends with 0', isReady, { timeoutMs: STATUS_MS_MAX }).catch(() => undefined);
    return end!;
  }

  /** Of the node, as the cluster's own lines say it. */
  pidOf(member: string): number {
    const lines = this.log.split('\n').filter((line) => line.includes(` ${member} `));
    const pid = lines.map((line) => / pid (\d+)/.exec(line)?.[1]).findLast((one) => one !== undefined);
    if (pid === undefined) throw new Error(`no process of ${member} was named:\n${this.log}`);
    return Number(pid);
  }

  /** What a reader of a failed test wants: the lines of the cluster and the ends of its logs. */
  async describe(): Promise<string> {
    const logs = this.#members.flatMap(({ name }) => [`${name}.log`, `${name}-sidecar.log`]);
    const texts = await Promise.all(
      logs.map(async (file) => {
        const text = await readFile(join(this.folder, NAME, 'logs', file), 'utf8').catch(() => '');
        return `--- ${file}\n${text.slice(-2_000)}`;
      }),
    );
    return [this.log.slice(-4_000), ...texts].join('\n');
  }

  /** Of `up` itself and of all that it started and that still runs. */
  pids(): number[] {
    return this.#process ? [this.#process.pid, ...descendantsOf(this.#process.pid)] : [];
  }

  async stop(): Promise<void> {
    try {
      await this.#process?.stop('SIGINT');
    } finally {
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
    // What it started ends by itself, and may write until it has.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #manifestFile(): string {
    return join(this.folder, 'cluster.yaml');
  }

  async #seesAll({ address }: Member): Promise<boolean> {
    if (this.#process?.ended !== undefined) throw new Error(`it has ended with ${this.#process.ended}`);
    const ask = async (path: string) =>
      await fetch(`http://${address}/nacos${path}`, { signal: AbortSignal.timeout(2_000) });
    const readiness = await ask('/v1/console/health/readiness');
    await readiness.arrayBuffer();
    if (!readiness.ok) return false;
    const { data } = (await (await ask('/v1/core/cluster/nodes')).json()) as { data: { state: string }[] };
    return data.length === this.#members.length && data.every(({ state }) => state === 'UP');
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}
