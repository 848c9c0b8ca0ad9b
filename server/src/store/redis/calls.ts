import type { Clock, Host } from '@nacos-kube/core/host/host.ts';
import { CHANGES_KEPT } from '../bounds.ts';
import { StoreError } from '../store.ts';
import type { RedisArgument, RedisConnection } from './connection.ts';
import { isAnswer } from './errors.ts';
import { Joints } from './joint.ts';
import type { RedisLink } from './link.ts';
import type { RedisLocator } from './locate.ts';
import type { Script } from './script.ts';
import type { ServerCheck } from './server-check.ts';
import { placeOf, type RedisLimits, type RedisSettings, tagged } from './settings.ts';
import type { Standing } from './standing.ts';
import { INIT } from './write-scripts.ts';
import { isWritten } from './written.ts';

const FORMAT = '1';
/** A replica that is well answers in a few milliseconds. */
const CONFIRM_MS = 1000;
const CLOCK_EVERY_MS = 5000;
/** Who fails a master over has waited for it at least a second: longer than this, with a reserve. */
const SILENT_MS = 500;

type Check = Pick<ServerCheck, 'isSlack' | 'wantsReplica'>;

/** What a script of a write answers: first how many replicas follow the server; then 0 when there was nothing to write. */
type Answer<T> = readonly [replicas: number, result: T];

interface Written {
  readonly sentMs: number;
  /** By a replica. */
  readonly isConfirmed: boolean;
  readonly isWritten: boolean;
}

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
  readonly #check: Check;
  /** Replicas that have what was answered before. */
  readonly #confirmations: Joints<RedisConnection, number>;
  readonly #writtens: Joints<RedisConnection, boolean>;
  readonly #standings: Joints<RedisConnection, Standing>;
  /** When the last write was sent whose server was the master, as far as is known. */
  readonly #provenMs = new WeakMap<RedisConnection, number>();
  /** Whose servers no replica could replace when they were asked for, nor has followed since. */
  readonly #alone = new WeakSet<RedisConnection>();
  /** Empty: any. */
  #dataset = '';

  constructor(
    host: Host,
    settings: RedisSettings & RedisLimits,
    reads: RedisLink,
    writes: RedisLink,
    check: Check,
    locator: Pick<RedisLocator, 'standingOf'>,
  ) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#prefix = tagged(settings.prefix);
    // Where others may take over, an old master must not answer as if it were the master still.
    this.#keys = [this.keyOf('meta'), ...(settings.mode === 'single' ? [] : [this.keyOf('master')])];
    this.#reads = reads;
    this.#writes = writes;
    this.#check = check;
    this.#confirmations = new Joints(async (connection) => Number(await connection.command('WAIT', 1, CONFIRM_MS)));
    this.#writtens = new Joints((connection) => isWritten(connection, host.clock));
    this.#standings = new Joints((connection) => locator.standingOf(connection));
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
   * Resolves once it is on the disk of the server (or with its system, where the server does not sync each write), and
   * with a replica if it has any.
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
        if (replicas > 0) this.#alone.delete(connection);
        if (!isToBeKept) return result;
        if (this.#check.isSlack(connection)) await this.#requireWritten(connection);
        const isConfirmed = replicas > 0 || this.#check.wantsReplica(connection);
        if (isConfirmed) await this.#confirm(connection);
        await this.#requireMaster(connection, { sentMs, isConfirmed, isWritten: result !== 0 });
        return result;
      },
    });
  }

  async #requireWritten(connection: RedisConnection): Promise<void> {
    if (await this.#writtens.next(connection)) return;
    throw new StoreError('unavailable', `${this.#place}: it could not write to its disk what it has taken`);
  }

  async #confirm(connection: RedisConnection): Promise<void> {
    if ((await this.#confirmedBy(connection)) > 0) return;
    // A replica that has just gone is not waited for, unless it may have gone to be the master itself; one that is there
    // and does not take the write may be the next.
    if (
      this.#settings.mode === 'single' &&
      !String(await connection.command('INFO', 'replication')).includes('state=online')
    )
      return;
    throw new StoreError('unavailable', `${this.#place}: no replica confirmed the write within ${CONFIRM_MS} ms`);
  }

  /**
   * One that hung while a replica took its place has not been told yet: it has no replica any more, or one that is to
   * follow the other. It was silent meanwhile. Where nothing was written there is nothing that a replica has confirmed.
   * One cut off from its replica was not silent, so that too is reason to ask, unless there is none.
   */
  async #requireMaster(connection: RedisConnection, { sentMs, isConfirmed, isWritten }: Written): Promise<void> {
    if (this.#settings.mode === 'single') return;
    const provenMs = this.#provenMs.get(connection) ?? Number.NEGATIVE_INFINITY;
    const isSilent = this.#host.clock.monotonic() - provenMs > SILENT_MS;
    if (isSilent || !((isConfirmed && isWritten) || this.#alone.has(connection))) {
      const standing = await this.#standings.next(connection);
      if (standing === 'alone') this.#alone.add(connection);
      else this.#alone.delete(connection);
      if (standing === 'doubted' || (standing === 'unknown' && !isConfirmed)) {
        const { host, port } = connection.address;
        const lacks = isConfirmed ? '' : 'has no replica, and ';
        const message = `${this.#place}: ${host}:${port} ${lacks}is not known to be the master still`;
        throw new StoreError('unavailable', message);
      }
      if (standing === 'unknown') return;
    }
    this.#provenMs.set(connection, Math.max(sentMs, this.#provenMs.get(connection) ?? sentMs));
  }

  /** An answer that is an error, as of a server that turned replica, must not look as if the write had been refused. */
  async #confirmedBy(connection: RedisConnection): Promise<number> {
    try {
      // One at a time, for it holds the connection up.
      return await this.#confirmations.next(connection);
    } catch (error) {
      if (!isAnswer(error)) throw error;
      const message = `${this.#place}: replicas could not be asked for the write: ${error.message}`;
      throw new StoreError('unavailable', message);
    }
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
