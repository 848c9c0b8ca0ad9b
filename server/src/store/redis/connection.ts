import type { ConnectionOptions } from 'node:tls';
import type { Host } from '@nacos-kube/core/host/host.ts';
import { Redis } from 'ioredis';
import { StoreError } from '../store.ts';
import type { Script } from './script.ts';
import { placeOf, type RedisSettings } from './settings.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** Of the node of a Redis Cluster that is looked for. */
  readonly id?: string;
}

export type RedisArgument = string | number;

/** One connection to one server. It ends with the first fault; whoever needs another makes one. */
export interface RedisConnection {
  readonly address: RedisAddress;
  command(name: string, ...args: RedisArgument[]): Promise<unknown>;
  /** By its hash; with its text where the server does not know it yet. */
  script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
  onEnd(run: (error: Error) => void): void;
  close(): void;
}

export interface ConnectOptions {
  readonly withLogin: boolean;
  /** Connecting and logging in; commands have the bounds of their callers. */
  readonly withinMs: number;
}

const KEEP_ALIVE_MS = 10_000;
/** What was sent may still leave; then the socket goes, whether the server takes notice or not. */
const DISCONNECT_MS = 100;

export function readAddress(place: string): RedisAddress {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(place.slice(colon + 1)) };
}

export function addressText(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Rejects with an error of ioredis, of the network, or with `StoreError` when there is no answer in time. */
export async function connect(
  host: Host,
  settings: RedisSettings,
  address: RedisAddress,
  { withLogin, withinMs }: ConnectOptions,
): Promise<RedisConnection> {
  const redis = new Redis({
    ...OPTIONS,
    ...{ host: address.host, port: address.port },
    connectTimeout: withinMs,
    ...(await tlsOf(host, settings, address)),
  });
  const connection = new IoredisConnection(redis, address);
  const late = Promise.withResolvers<never>();
  const timer = host.clock.after(withinMs, () => {
    const place = `${address.host}:${address.port}`;
    // A server without TLS waits for the end of what it takes for a command.
    const doubt = settings.tls === undefined ? '' : ' (does it speak TLS?)';
    late.reject(new StoreError('unavailable', `${placeOf(settings)}: ${place} does not answer${doubt}`));
  });
  try {
    await Promise.race([connection.open(withLogin ? settings : undefined), late.promise]);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    timer.cancel();
  }
}

/** Nothing that waits or tries again by itself: what a lost answer means is ours to say. */
const OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  retryStrategy: null,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  disableClientInfo: true,
  // The older protocol is what servers of all ages and the proxies before them speak.
  protocol: 2,
  keepAlive: KEEP_ALIVE_MS,
  disconnectTimeout: DISCONNECT_MS,
} as const;

class IoredisConnection implements RedisConnection {
  readonly address: RedisAddress;
  readonly #redis: Redis;
  readonly #endReaders: ((error: Error) => void)[] = [];
  #fault: Error | undefined;
  #isEnded = false;

  constructor(redis: Redis, address: RedisAddress) {
    this.#redis = redis;
    this.address = address;
    redis.on('error', (error: Error) => {
      this.#fault ??= error;
    });
    redis.on('end', () => this.#end());
  }

  async open(settings: RedisSettings | undefined): Promise<void> {
    try {
      await this.#redis.connect();
    } catch (error) {
      // What connecting failed with comes as an event; the promise knows only that it is closed.
      throw this.#fault ?? error;
    }
    if (settings === undefined) return;
    const { user, password, database } = settings;
    if (password !== undefined) await this.command('AUTH', ...(user === undefined ? [] : [user]), password);
    if (database !== 0) await this.command('SELECT', database);
  }

  async command(name: string, ...args: RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.call(name, ...args);
    } catch (error) {
      throw this.#told(error);
    }
  }

  async script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.call('EVALSHA', script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!/^NOSCRIPT/.test((error as Error).message)) throw this.#told(error);
      return this.command('EVAL', script.lua, keys.length, ...keys, ...args);
    }
  }

  onEnd(run: (error: Error) => void): void {
    if (this.#isEnded) run(this.#fault ?? new Error('the connection was closed'));
    else this.#endReaders.push(run);
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** Of a command that was cut off, why. */
  #told(error: unknown): unknown {
    return (error as Error).name === 'ReplyError' ? error : (this.#fault ?? error);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const run of this.#endReaders.splice(0)) run(this.#fault ?? new Error('the connection was closed'));
  }
}

async function tlsOf(host: Host, { tls }: RedisSettings, address: RedisAddress): Promise<{ tls?: ConnectionOptions }> {
  if (tls === undefined) return {};
  const ca = tls.caFile === undefined ? {} : { ca: await certificates(host, tls.caFile) };
  const isName = !/^[\d.]+$|:/.test(address.host);
  return { tls: { ...ca, ...(isName && { servername: address.host }) } };
}

/** Read at each connect, so that they can be replaced. */
async function certificates(host: Host, file: string): Promise<string> {
  try {
    return new TextDecoder().decode(await host.disk.read(file));
  } catch (cause) {
    throw new StoreError('misconfigured', `the certificates for Redis cannot be read: ${file}`, { cause });
  }
}
