import type { Clock, Host } from '@nacos-kube/core/host/host.ts';
import { CHANGES_KEPT } from '../bounds.ts';
import { StoreError } from '../store.ts';
import { addressText, type RedisArgument, type RedisConnection } from './connection.ts';
import type { Keeping } from './keeping.ts';
import type { RedisLink } from './link.ts';
import type { Script } from './script.ts';
import { placeOf, type RedisLimits, type RedisSettings, tagged } from './settings.ts';
import { INIT } from './write-scripts.ts';

const FORMAT = '1';
const CLOCK_EVERY_MS = 5000;

/** What a script of a write answers: `host port` of each replica that follows; then 0 when there was nothing to write. */
type Answer<T> = readonly [replicas: readonly string[], result: T];

/**
 * Runs scripts as one store does: on its own data set only, and writes only until their caller has given up. A write that
 * waited in a hung server would else come over what was written since.
 */
export class RedisCalls {
  readonly #keys: readonly [meta: string, ...string[]];
  readonly #host: Host;
  readonly #settings: RedisSettings & RedisLimits;
  readonly #place: string;
  readonly #prefix: string;
  readonly #reads: RedisLink;
  readonly #writes: RedisLink;
  readonly #clocks = new WeakMap<RedisConnection, ServerClock>();
  readonly #keeping: Keeping;
  /** Empty: any. */
  #dataset = '';

  constructor(
    host: Host,
    settings: RedisSettings & RedisLimits,
    reads: RedisLink,
    writes: RedisLink,
    keeping: Keeping,
  ) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#prefix = tagged(settings.prefix);
    // Where others may take over, an old master must not answer as if it were the master still.
    this.#keys = [this.keyOf('meta'), ...(settings.mode === 'single' ? [] : [this.keyOf('master')])];
    this.#reads = reads;
    this.#writes = writes;
    this.#keeping = keeping;
    writes.onReady((connection) => this.#readClock(connection).then(() => undefined));
  }

  /** The name of a key of ours. */
  keyOf(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** Makes the data set or learns which one it is; a replica may know one, but makes none. */
  async join(): Promise<void> {
    let found: readonly (string | null)[];
    try {
      const dataset = this.#host.random.uuid();
      // Mostly it writes nothing, and on a full disk a node can begin by reading.
      found = await this.#write<readonly (string | null)[]>(INIT, [dataset, FORMAT], false);
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'read-only') throw error;
      found = (await this.#reads.call({
        isWrite: false,
        send: (connection) => connection.command('HMGET', this.#keys[0], 'dataset', 'format'),
      })) as (string | null)[];
    }
    const [dataset, format] = found;
    if (format !== null && format !== FORMAT) {
      throw new StoreError(
        'misconfigured',
        `${this.#place}: its data are in format ${format}, this program knows ${FORMAT}`,
      );
    }
    this.#dataset = this.#settings.allowsLoss ? '' : (dataset ?? '');
  }

  async read<T>(script: Script, args: readonly RedisArgument[]): Promise<T> {
    return this.#reads.call({
      isWrite: false,
      send: (connection) => connection.script(script, this.#keys, [this.#prefix, this.#dataset, ...args]) as Promise<T>,
    });
  }

  /**
   * Resolves once it is on the disk of the server (or with its system, where the server does not sync each write), and no
   * fail-over loses it (`Keeping`).
   */
  write<T>(script: Script, args: readonly RedisArgument[]): Promise<T> {
    return this.#write(script, args, true);
  }

  #write<T>(script: Script, args: readonly RedisArgument[], isToBeKept: boolean): Promise<T> {
    return this.#writes.call({
      isWrite: true,
      send: async (connection, leftMs) => {
        const clock = await this.#clockOf(connection);
        const until = Math.floor(clock.now() + leftMs);
        const kept = (this.#settings.changesKept ?? CHANGES_KEPT) + 1;
        const all = [this.#prefix, this.#dataset, until, kept, ...args];
        const sentMs = this.#host.clock.monotonic();
        const [replicas, result] = (await connection.script(script, this.#keys, all)) as Answer<T>;
        const followers = replicas.map((replica) => addressText(...(replica.split(' ') as [string, string])));
        if (isToBeKept) await this.#keeping.require(connection, { sentMs, followers, isWritten: result !== 0 });
        return result;
      },
    });
  }

  async #clockOf(connection: RedisConnection): Promise<ServerClock> {
    const known = this.#clocks.get(connection);
    if (known === undefined) return this.#readClock(connection);
    if (known.ageMs() > CLOCK_EVERY_MS) {
      // For those that come; this one goes by what is known.
      this.#host.background('read the clock of Redis', this.#refreshClock(connection));
    }
    return known;
  }

  async #refreshClock(connection: RedisConnection): Promise<void> {
    this.#clocks.get(connection)!.touch();
    try {
      await this.#readClock(connection);
    } catch {
      // The connection is gone, which its calls are told.
    }
  }

  async #readClock(connection: RedisConnection): Promise<ServerClock> {
    const [seconds, micros] = (await connection.command('TIME')) as [string, string];
    const clock = new ServerClock(this.#host.clock, Number(seconds) * 1000 + Number(micros) / 1000);
    this.#clocks.set(connection, clock);
    return clock;
  }
}

/** The clock of a server, as far as it is known here: behind it by the way of one answer. */
class ServerClock {
  readonly #clock: Clock;
  readonly #offsetMs: number;
  #readAt: number;

  constructor(clock: Clock, serverMs: number) {
    this.#clock = clock;
    this.#readAt = clock.monotonic();
    this.#offsetMs = serverMs - this.#readAt;
  }

  now(): number {
    return this.#clock.monotonic() + this.#offsetMs;
  }

  ageMs(): number {
    return this.#clock.monotonic() - this.#readAt;
  }

  touch(): void {
    this.#readAt = this.#clock.monotonic();
  }
}
