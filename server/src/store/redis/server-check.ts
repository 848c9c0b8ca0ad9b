import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { isAnswer } from './errors.ts';
import { placeOf, type RedisSettings } from './settings.ts';

const VERSION_MIN = [6, 2] as const;

/**
 * Whether a server can be trusted with what must not be lost. Asked of each new connection: after a restart or a fail-over
 * it may be another server.
 */
export class ServerCheck {
  readonly #host: Host;
  readonly #settings: RedisSettings;
  readonly #place: string;
  /** Each is said once, for connections come and go. */
  readonly #warned = new Set<string>();
  readonly #slack = new WeakSet<RedisConnection>();
  readonly #replicated = new WeakSet<RedisConnection>();

  constructor(host: Host, settings: RedisSettings) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
  }

  /** Rejects with `StoreError`, or as the connection does. */
  async run(connection: RedisConnection): Promise<void> {
    const info = readInfo(String(await connection.command('INFO')));
    const refuse = (kind: 'unavailable' | 'misconfigured', why: string): never => {
      const { host, port } = connection.address;
      throw new StoreError(kind, `${this.#place}: ${host}:${port} ${why}`);
    };
    if (info.get('loading') === '1') refuse('unavailable', 'is still loading its data');
    const version = info.get('redis_version') ?? '';
    if (!isNewEnough(version)) refuse('misconfigured', `is Redis ${version}: ${VERSION_MIN.join('.')} is needed`);
    if (this.#settings.mode !== 'single' && info.get('role') !== 'master') {
      refuse('unavailable', 'is a replica: a fail-over is under way');
    }
    const lossy = lossesOf(info);
    if (lossy.length > 0 && !this.#settings.allowsLoss) {
      const why = `would lose what is stored: ${lossy.join('; ')}`;
      refuse('misconfigured', `${why}. Change that, or say --redis-without-persistence on`);
    }
    for (const what of lossy) this.#warn(`Redis may lose what is stored: ${what}`);
    if (info.get('aof_last_write_status') === 'err') this.#warn('Redis could not write its append-only file');
    if (info.get('aof_enabled') === '1') await this.#checkSync(connection);
    await this.#checkReplicas(connection);
  }

  /** Its server may answer a write that it could not put into its file. */
  isSlack(connection: RedisConnection): boolean {
    return this.#slack.has(connection);
  }

  /** Its server is told to take no write without a replica; one that hung while its replica left takes a few all the same. */
  wantsReplica(connection: RedisConnection): boolean {
    return this.#replicated.has(connection);
  }

  async #checkSync(connection: RedisConnection): Promise<void> {
    const sync = await this.#setting(connection, 'appendfsync');
    if (sync !== 'always') this.#slack.add(connection);
    if (sync === undefined) {
      this.#warn('Redis does not say how often it writes to disk (CONFIG GET appendfsync): it should be always');
    } else if (sync !== 'always') {
      this.#warn(`Redis may lose the last writes when its machine fails: appendfsync is ${sync}, not always`);
    } else if ((await this.#setting(connection, 'no-appendfsync-on-rewrite')) === 'yes') {
      const why = 'no-appendfsync-on-rewrite is yes';
      this.#warn(`Redis may lose what it takes while it rewrites its file when its machine fails: ${why}`);
    }
  }

  async #checkReplicas(connection: RedisConnection): Promise<void> {
    if (this.#settings.mode === 'single') return;
    const replicas = await this.#setting(connection, 'min-replicas-to-write');
    if (replicas === '0') {
      this.#warn('a master of Redis without replicas may lose writes by a fail-over: min-replicas-to-write is 0');
    } else if (replicas !== undefined) this.#replicated.add(connection);
  }

  /** Undefined where a user or a service does not allow it, which is none the worse. */
  async #setting(connection: RedisConnection, name: string): Promise<string | undefined> {
    try {
      const [, value] = (await connection.command('CONFIG', 'GET', name)) as string[];
      return value;
    } catch (error) {
      if (!isAnswer(error)) throw error;
      return undefined;
    }
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#host.log.warn(message, { place: this.#place });
  }
}

function lossesOf(info: ReadonlyMap<string, string>): readonly string[] {
  const lossy: string[] = [];
  if (info.get('aof_enabled') !== '1') lossy.push('its append-only file is off (appendonly no)');
  const policy = info.get('maxmemory_policy') ?? '';
  if (policy.startsWith('allkeys-') && (info.get('maxmemory') ?? '0') !== '0') {
    lossy.push(`when its memory is full it removes any key (maxmemory-policy ${policy})`);
  }
  return lossy;
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
}

export function readInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}
