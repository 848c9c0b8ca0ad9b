/** One node as a process, ready when it is given back; stopped, killed and started again on its data. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kubernetes/processes.ts';
import { freePort } from './ports.ts';
import { NacosKubeProcess, type Runner } from './program.ts';

export interface NodeOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Default: a new folder, removed by `stop`. */
  readonly data?: string;
  readonly mode?: 'standalone' | 'cluster';
  /** Default `/nacos`. */
  readonly contextPath?: string;
  /** Further flags of `nacos-kube server`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another command in place of the usual one. */
  readonly runner?: Runner;
}

const READY_MS_MAX = 30_000;
const LISTEN = '127.0.0.1';

export async function startNode(options: NodeOptions = {}): Promise<LocalNode> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'nacos-kube-node-')));
  const node = new LocalNode(
    { ...options, data, port: options.port ?? (await freePort()) },
    options.data === undefined,
  );
  await node.start();
  return node;
}

export class LocalNode implements AsyncDisposable {
  readonly port: number;
  readonly data: string;
  readonly contextPath: string;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #runner: Runner | undefined;
  readonly #isDataOurs: boolean;
  #process: NacosKubeProcess | undefined;
  #earlierLog = '';

  constructor(options: NodeOptions & { readonly port: number; readonly data: string }, isDataOurs = false) {
    const { port, data, mode = 'standalone', contextPath = '/nacos', args = [], env = {} } = options;
    this.port = port;
    this.data = data;
    this.contextPath = contextPath;
    this.#isDataOurs = isDataOurs;
    const flags = { mode, port, data, listen: LISTEN, 'context-path': contextPath };
    this.#args = ['server', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]), ...args];
    this.#env = env;
    this.#runner = options.runner;
  }

  /** As clients name it. */
  get address(): string {
    return `${LISTEN}:${this.port}`;
  }

  get pid(): number {
    if (!this.#process) throw new Error(`the node on ${this.port} does not run`);
    return this.#process.pid;
  }

  /** Of all its runs. */
  get log(): string {
    return this.#earlierLog + (this.#process?.log ?? '');
  }

  url(path: string): string {
    return `http://${this.address}${this.contextPath === '/' ? '' : this.contextPath}${path}`;
  }

  /** Starts it (again, on the same port and data) and waits until it is ready. */
  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Starts it without waiting: nodes of a cluster start together. */
  launch(): void {
    if (this.#process?.ended === undefined && this.#process) throw new Error(`the node on ${this.port} runs already`);
    this.#earlierLog = this.log;
    this.#process = new NacosKubeProcess(this.#args, this.#env, this.#runner);
  }

  async ready(): Promise<void> {
    try {
      await until(`the node on ${this.port} is ready`, () => this.#isReady(), { timeoutMs: READY_MS_MAX });
    } catch (error) {
      await this.kill9();
      throw new Error(`${(error as Error).message}\n${this.log.slice(-4_000)}`);
    }
  }

  async stop(): Promise<void> {
    try {
      await this.#process?.stop();
    } finally {
      if (this.#isDataOurs) await rm(this.data, { recursive: true, force: true });
    }
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #isReady(): Promise<boolean> {
    const ended = this.#process?.ended;
    if (ended !== undefined) throw new Error(`it has ended with ${ended}`);
    const response = await fetch(this.url('/v1/console/health/readiness'), { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  }
}
