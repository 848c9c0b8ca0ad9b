import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { needs, programPath } from '../../scripts/needs.ts';
import { freePort } from '../processes/ports.ts';
import { OwnProcess } from './own-process.ts';

export interface RedisOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly bindAddress?: string;
  /** Of the default user; none: no login is asked for. */
  readonly password?: string;
  /** Lines of its configuration file, after ours, so that they win: `appendonly no`. */
  readonly lines?: readonly string[];
  /** Where the folder of its data is made, e.g. a small file system; default: the one for temporary files. */
  readonly parent?: string;
  /** Where the server shall run, e.g. in a network namespace: the command for a command. The process must stay the same. */
  readonly runner?: (command: readonly [string, ...string[]]) => readonly [string, ...string[]];
}

/** A server of its own, empty, that writes each command to disk before it answers. */
export interface RedisServer {
  readonly address: string;
  readonly port: number;
  /** `address:port`, as settings name it. */
  readonly place: string;
  readonly password: string | undefined;
  /** Of its data and its log. */
  readonly directory: string;
  /** False when it was killed, and when it has ended by itself. */
  readonly isRunning: boolean;
  /** As the default user, over a socket that no network fault reaches. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** SIGKILL; the data stay for `start`. */
  kill(): Promise<void>;
  /** On the same data and port, after `kill`; with other lines of configuration when they are given. */
  start(lines?: readonly string[]): Promise<void>;
  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;
const POLL_MS = 20;

/** Why no server can be started here, or undefined. Where `CI` is set a lack is an error and no reason to skip. */
export async function redisMissing(): Promise<string | undefined> {
  return (await needs('redis-server', 'redis-server')) || undefined;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  return launch(options, OF_SERVER);
}

const OF_SERVER = ['appendonly yes', 'appendfsync always', 'save ""'];
const OF_REPLICATED = ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'];

/** Ours first, then what this kind of server needs, then what the caller wants. */
async function launch(options: RedisOptions, lines: readonly string[], isSentinel = false): Promise<RedisProcess> {
  const server = new RedisProcess(options, options.port ?? (await freePort()), lines, isSentinel);
  try {
    await server.install();
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class RedisProcess implements RedisServer {
  readonly address: string;
  readonly port: number;
  readonly password: string | undefined;
  readonly #options: RedisOptions;
  readonly #isSentinel: boolean;
  #lines: readonly string[];
  #directory = '';
  readonly #process = new OwnProcess();

  constructor(options: RedisOptions, port: number, lines: readonly string[], isSentinel: boolean) {
    this.address = options.bindAddress ?? '127.0.0.1';
    this.port = port;
    this.password = options.password;
    this.#options = options;
    this.#isSentinel = isSentinel;
    this.#lines = [...lines, ...(options.lines ?? [])];
  }

  get place(): string {
    return `${this.address}:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  get directory(): string {
    return this.#directory;
  }

  async install(): Promise<void> {
    this.#directory = await mkdtemp(join(this.#options.parent ?? tmpdir(), 'nacos-kube-redis-'));
  }

  async start(lines?: readonly string[]): Promise<void> {
    // A Sentinel keeps what it has learned in its file; a server in its data.
    if (lines !== undefined || !this.#isSentinel || !(await this.#isConfigured())) {
      this.#lines = lines === undefined ? this.#lines : [...this.#lines, ...lines];
      await writeFile(this.#path('redis.conf'), this.#configuration(), { mode: 0o600 });
    }
    const [program, ...args] = (this.#options.runner ?? ((command) => command))([
      (await programPath('redis-server')) ?? 'redis-server',
      ...[this.#path('redis.conf'), ...(this.#isSentinel ? ['--sentinel'] : [])],
    ]);
    this.#process.start(program, args);
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await this.#answers())) {
      if (this.#process.hasFailed || performance.now() > deadline) {
        throw new Error(`redis-server did not start: ${await this.#logTail()}`);
      }
      await sleep(POLL_MS);
    }
  }

  async command(name: string, ...args: (string | number)[]): Promise<unknown> {
    const redis = new Redis({
      ...{ path: this.#path('socket'), lazyConnect: true, retryStrategy: null, protocol: 2, connectTimeout: 2000 },
      ...{ commandTimeout: 5000, maxRetriesPerRequest: 0, disableClientInfo: true, enableReadyCheck: false },
      ...(this.password === undefined ? {} : { password: this.password }),
    });
    // What fails is told by the command; without a listener ioredis prints it too.
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await redis.call(name, ...args);
    } finally {
      redis.disconnect();
    }
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  async pause(): Promise<void> {
    await this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }

  /** It answers while it still loads its data too; only then is it ready. */
  async #answers(): Promise<boolean> {
    try {
      return (await this.command('PING')) === 'PONG';
    } catch (error) {
      // Of a server that wants another login than ours a test has its reasons: it is there.
      return /^(NOAUTH|WRONGPASS|NOPERM)/.test((error as Error).message);
    }
  }

  #configuration(): string {
    const { password } = this;
    const login = password === undefined ? [] : [`requirepass ${password}`];
    const masterLogin = password === undefined || this.#isSentinel ? [] : [`masterauth ${password}`];
    return [
      ...[`port ${this.port}`, `bind ${this.address}`, `dir ${this.#directory}`, 'daemonize no'],
      ...[`unixsocket ${this.#path('socket')}`, `logfile ${this.#path('server.log')}`],
      ...[...login, ...masterLogin, ...this.#lines, ''],
    ].join('\n');
  }

  async #isConfigured(): Promise<boolean> {
    try {
      return (await readFile(this.#path('redis.conf'), 'utf8')) !== '';
    } catch {
      return false;
    }
  }

  async #logTail(): Promise<string> {
    try {
      return (await readFile(this.#path('server.log'), 'utf8')).slice(-2000);
    } catch {
      return 'it wrote no log';
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** A master with replicas, and Sentinels that fail it over. */
export interface RedisSentinels {
  /** The first is the master at the start. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  readonly masterName: string;
  /** Of the Sentinels, as settings name them. */
  readonly places: readonly string[];
  /** As the first Sentinel that answers says. */
  master(): Promise<RedisServer>;
  stop(): Promise<void>;
}

export interface SentinelsOptions {
  /** Of every server and Sentinel. */
  readonly password?: string;
  /** Default 1. */
  readonly replicas?: number;
  /** Default 3. */
  readonly sentinels?: number;
  /** After which a master that does not answer is failed over; default 1000. */
  readonly downAfterMs?: number;
  /** Lines for the servers, not for the Sentinels. */
  readonly lines?: readonly string[];
}

const MASTER_NAME = 'mymaster';

export async function startRedisSentinels(options: SentinelsOptions = {}): Promise<RedisSentinels> {
  const { replicas = 1, sentinels = 3, downAfterMs = 1000 } = options;
  const login = options.password === undefined ? {} : { password: options.password };
  const servers: RedisProcess[] = [];
  const watchers: RedisProcess[] = [];
  const stop = async () => {
    for (const process of [...watchers, ...servers]) await process.stop();
  };
  const lines = [...OF_SERVER, ...OF_REPLICATED, ...(options.lines ?? [])];
  try {
    servers.push(await launch(login, lines));
    const [first] = servers as [RedisProcess];
    for (let i = 0; i < replicas; i += 1) {
      servers.push(await launch(login, [...lines, `replicaof ${first.address} ${first.port}`]));
    }
    await until('the replicas follow', async () => {
      const states = await Promise.all(servers.slice(1).map((server) => server.command('INFO', 'replication')));
      return states.every((state) => `${state}`.includes('master_link_status:up'));
    });
    const quorum = Math.floor(sentinels / 2) + 1;
    const watched = [
      `sentinel monitor ${MASTER_NAME} ${first.address} ${first.port} ${quorum}`,
      ...(options.password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${options.password}`]),
      ...[`sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`],
      ...[`sentinel failover-timeout ${MASTER_NAME} 3000`],
    ];
    for (let i = 0; i < sentinels; i += 1) watchers.push(await launch(login, watched, true));
    await until('the Sentinels know each other and the replicas', async () => {
      const states = await Promise.all(watchers.map((watcher) => watcher.command('INFO', 'sentinel')));
      return states.every((state) => `${state}`.includes(`slaves=${replicas},sentinels=${sentinels}`));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ servers, sentinels: watchers, masterName: MASTER_NAME, stop },
    places: watchers.map((watcher) => watcher.place),
    master: async () => {
      const answers = watchers.map((watcher) => watcher.command('SENTINEL', 'get-master-addr-by-name', MASTER_NAME));
      const [address, port] = (await Promise.any(answers)) as [string, string];
      const found = servers.find((server) => server.place === `${address}:${port}`);
      if (found === undefined) throw new Error(`the Sentinels name a master that is none of ours: ${address}:${port}`);
      return found;
    },
  };
}

/** A Redis Cluster of masters, each with an equal share of the slots. */
export interface RedisCluster {
  /** The masters at the start, then their replicas. */
  readonly nodes: readonly RedisServer[];
  readonly places: readonly string[];
  /** The master of the slot that the key falls into, as the first node that answers says. */
  ownerOf(key: string): Promise<RedisServer>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly password?: string;
  /** Default 3. */
  readonly masters?: number;
  /** Of each master; default 0. */
  readonly replicas?: number;
  readonly lines?: readonly string[];
}

const SLOTS = 16_384;
/** Beside the port for clients; where it is not said, it is one that may be taken. */
const NODE_TIMEOUT_MS = 1500;

export async function startRedisCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 0 } = options;
  const login = options.password === undefined ? {} : { password: options.password };
  const nodes: RedisProcess[] = [];
  const buses: number[] = [];
  const stop = async () => {
    for (const node of nodes) await node.stop();
  };
  try {
    for (let i = 0; i < masters * (1 + replicas); i += 1) {
      buses.push(await freePort());
      const lines = ['cluster-enabled yes', `cluster-port ${buses[i]}`, `cluster-node-timeout ${NODE_TIMEOUT_MS}`];
      nodes.push(await launch(login, [...OF_SERVER, ...OF_REPLICATED, ...lines, ...(options.lines ?? [])]));
    }
    const [first] = nodes as [RedisProcess];
    for (const [i, node] of nodes.entries()) {
      if (i < masters) {
        const end = Math.floor((SLOTS * (i + 1)) / masters) - 1;
        await node.command('CLUSTER', 'ADDSLOTSRANGE', Math.floor((SLOTS * i) / masters), end);
      }
      if (i > 0) await first.command('CLUSTER', 'MEET', node.address, node.port, buses[i]!);
    }
    await until('the nodes of the Redis Cluster know each other', async () => {
      const states = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')));
      return states.every((state) => `${state}`.includes(`cluster_known_nodes:${nodes.length}`));
    });
    for (const [i, node] of nodes.slice(masters).entries()) {
      await node.command('CLUSTER', 'REPLICATE', `${await nodes[i % masters]!.command('CLUSTER', 'MYID')}`);
    }
    await until('the Redis Cluster is whole', async () => {
      const states = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')));
      return states.every((state) => `${state}`.includes('cluster_state:ok'));
    });
    // One without the data of its master does not stand for election.
    await until('its replicas follow', async () => {
      const states = await Promise.all(nodes.slice(masters).map((node) => node.command('INFO', 'replication')));
      return states.every((state) => `${state}`.includes('master_link_status:up'));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ nodes, stop },
    places: nodes.map((node) => node.place),
    ownerOf: async (key) => {
      const slot = Number(await Promise.any(nodes.map((node) => node.command('CLUSTER', 'KEYSLOT', key))));
      const answers = nodes.map((node) => node.command('CLUSTER', 'SLOTS'));
      const ranges = (await Promise.any(answers)) as [number, number, [string, number]][];
      const [, , master] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
      return nodes.find((node) => node.port === master[1])!;
    },
  };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`after ${READY_WITHIN_MS} ms it is not so that ${what}`);
    await sleep(POLL_MS);
  }
}
