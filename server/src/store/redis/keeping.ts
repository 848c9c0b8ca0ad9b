import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { isAnswer } from './errors.ts';
import { Joints } from './joint.ts';
import type { RedisLocator } from './locate.ts';
import type { ServerCheck } from './server-check.ts';
import { placeOf, type RedisSettings } from './settings.ts';
import type { Standings } from './standing.ts';
import { isWritten } from './written.ts';

/** For one replica. One that is well answers in a few milliseconds. */
const CONFIRM_MS = 1000;
/** For all of them: the connection is held up meanwhile. */
const ALL_CONFIRM_MS = 100;
/** One that lagged is waited for again after it. */
const LAGGED_MS = 1000;
/** Who fails a master over has waited for it at least a second: longer than this, with a reserve. */
const SILENT_MS = 500;

/** A write that Redis has answered. */
export interface AnsweredWrite {
  readonly sentMs: number;
  /** Places of the replicas that followed the server then. */
  readonly followers: readonly string[];
  /** False: there was nothing to write. */
  readonly isWritten: boolean;
}

/** What is known of the server of a connection. */
interface Known {
  /** Who followed it at the last write. */
  followers: readonly string[];
  /** Until when not all of them are waited for. */
  laggedMs: number;
  /** When the last write was sent whose server was the master, as far as is known. */
  provenMs: number;
  /** That could take its place, as it was said last, and all that have followed it since; undefined: to be asked for. */
  replicas: ReadonlySet<string> | undefined;
}

/** Whether a write that Redis has answered will be kept: that its disk has it, and whoever may be the master next. */
export class Keeping {
  readonly #host: Host;
  readonly #isReplaceable: boolean;
  readonly #place: string;
  readonly #check: Pick<ServerCheck, 'isSlack' | 'wantsReplica'>;
  /** Replicas that have what was answered before. */
  readonly #confirmations: Joints<RedisConnection, number>;
  readonly #writtens: Joints<RedisConnection, boolean>;
  readonly #standings: Joints<RedisConnection, Standings>;
  readonly #known = new WeakMap<RedisConnection, Known>();

  constructor(
    host: Host,
    settings: RedisSettings,
    check: Pick<ServerCheck, 'isSlack' | 'wantsReplica'>,
    locator: Pick<RedisLocator, 'standingOf'>,
  ) {
    this.#host = host;
    this.#isReplaceable = settings.mode !== 'single';
    this.#place = placeOf(settings);
    this.#check = check;
    this.#confirmations = new Joints((connection) => this.#waitForReplicas(connection));
    this.#writtens = new Joints((connection) => isWritten(connection, host.clock));
    this.#standings = new Joints((connection) => locator.standingOf(connection));
  }

  /** Rejects with `StoreError` when that is not so, or not known; the write may have been stored. */
  async require(connection: RedisConnection, write: AnsweredWrite): Promise<void> {
    const known = this.#knownOf(connection);
    known.followers = write.followers;
    if (known.replicas !== undefined) known.replicas = known.replicas.union(new Set(write.followers));
    if (this.#check.isSlack(connection) && !(await this.#writtens.next(connection))) {
      throw new StoreError('unavailable', `${this.#place}: it could not write to its disk what it has taken`);
    }
    const isReplicated = write.followers.length > 0 || this.#check.wantsReplica(connection);
    const confirmed = isReplicated ? await this.#confirm(connection) : 0;
    if (this.#isReplaceable) await this.#requireMaster(connection, write, confirmed);
  }

  #knownOf(connection: RedisConnection): Known {
    let known = this.#known.get(connection);
    if (known === undefined) {
      known = {
        followers: [],
        laggedMs: Number.NEGATIVE_INFINITY,
        provenMs: Number.NEGATIVE_INFINITY,
        replicas: undefined,
      };
      this.#known.set(connection, known);
    }
    return known;
  }

  async #confirm(connection: RedisConnection): Promise<number> {
    const confirmed = await this.#confirmedBy(connection);
    if (confirmed > 0) return confirmed;
    // A replica that has just gone is not waited for, unless it may have gone to be the master itself; one that is there
    // and does not take the write may be the next.
    if (!this.#isReplaceable && !String(await connection.command('INFO', 'replication')).includes('state=online')) {
      return 0;
    }
    throw new StoreError('unavailable', `${this.#place}: no replica confirmed the write within ${CONFIRM_MS} ms`);
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

  /** For all that follow the server; for one of them while others lag, so that one that hangs does not hold up all writes. */
  async #waitForReplicas(connection: RedisConnection): Promise<number> {
    const { clock } = this.#host;
    const known = this.#knownOf(connection);
    const wait = async (replicas: number, ms: number) => Number(await connection.command('WAIT', replicas, ms));
    const followers = known.followers.length;
    // Without somebody who decides on fail-overs there is nobody to ask when not all have it.
    if (followers < 2 || !this.#isReplaceable || clock.monotonic() < known.laggedMs) return wait(1, CONFIRM_MS);
    const confirmed = await wait(followers, ALL_CONFIRM_MS);
    if (confirmed < followers) known.laggedMs = clock.monotonic() + LAGGED_MS;
    return confirmed > 0 ? confirmed : wait(1, CONFIRM_MS - ALL_CONFIRM_MS);
  }

  /**
   * A write that every replica has which could be the master is lost with no fail-over, whoever has decided on one: who was
   * made master before follows the server no more and confirms nothing. Else those that decide are asked, once the write is
   * with all that will have it: others may follow a server still that has been replaced, be it that it hung or that only
   * we reach it. Where nothing was written there is nothing that a replica has confirmed.
   *
   * After silence they are asked in any case, for who could be the master now is another matter than it was.
   */
  async #requireMaster(connection: RedisConnection, write: AnsweredWrite, confirmed: number): Promise<void> {
    const known = this.#knownOf(connection);
    const isWithAll = () => confirmed > 0 && isCovered(known.replicas, write.followers, confirmed);
    const isSilent = this.#host.clock.monotonic() - known.provenMs > SILENT_MS;
    const isAlone = known.replicas?.size === 0;
    if (isSilent || !(isAlone || (write.isWritten && isWithAll()))) {
      const { standing, replicas } = await this.#standings.next(connection);
      this.#learn(known, { standing, replicas }, write.followers);
      const isKept = confirmed > 0 && (!write.isWritten || isWithAll());
      if (standing === 'doubted' || (standing === 'unknown' && !isKept)) {
        const { host, port } = connection.address;
        const has = confirmed === 0 ? 'has no replica' : 'has a replica that does not confirm the write';
        const lacks = isKept ? '' : `${has}, and `;
        const message = `${this.#place}: ${host}:${port} ${lacks}is not known to be the master still`;
        throw new StoreError('unavailable', message);
      }
      if (standing === 'unknown') return;
    }
    known.provenMs = Math.max(known.provenMs, write.sentMs);
  }

  /**
   * Who is not known to be the master is believed in nothing that would make fewer of those that could replace it; nor is
   * there a first list of them by those that are too few.
   */
  #learn(known: Known, { standing, replicas }: Standings, followers: readonly string[]): void {
    if (replicas === undefined || (standing !== 'master' && known.replicas === undefined)) return;
    const before = standing === 'master' ? [] : (known.replicas ?? []);
    known.replicas = new Set([...replicas, ...followers, ...known.followers, ...before]);
  }
}

/** Whether each of the replicas is among the followers, and all those have confirmed. */
function isCovered(
  replicas: ReadonlySet<string> | undefined,
  followers: readonly string[],
  confirmed: number,
): boolean {
  return replicas?.isSubsetOf(new Set(followers)) === true && confirmed >= followers.length;
}
