import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from './bounds.ts';
import { isLockWait } from './mysql-errors.ts';
import type { MysqlPool } from './mysql-pool.ts';
import type { MysqlSession } from './mysql-session.ts';
import { putConfigs } from './mysql-write-many.ts';
import { type ConfigWrite, type ConfigWritten, StoreError, type StoreErrorKind } from './store.ts';

/** More would hold each other up at the log of the database; one alone would leave it idle while we talk. */
const GROUPS_MAX = 3;
const WRITES_PER_GROUP_MAX = 64;
const CHARS_PER_GROUP_MAX = 1024 * 1024;
const WRITES_PENDING_MAX = 2_000;
const CHARS_PENDING_MAX = 128 * 1024 * 1024;
const SWEEP_MS = 100;

interface PendingWrite {
  readonly write: ConfigWrite;
  readonly key: string;
  readonly deadline: number;
  resolve(written: ConfigWritten): void;
  reject(error: Error): void;
}

/**
 * Group commit: a few transactions are under way at a time, and the publishes that arrive meanwhile share the next one,
 * so that the number of fsyncs and of round trips follows the database and not the number of writers.
 */
export class MysqlGroups {
  readonly #host: Host;
  readonly #pool: MysqlPool;
  #waiting: PendingWrite[] = [];
  #charsWaiting = 0;
  /** Of one key there is one write at a time, in the order in which they came. */
  readonly #keysUnderWay = new Set<string>();
  #groups = 0;
  #sweep: Timer | undefined;

  constructor(host: Host, pool: MysqlPool) {
    this.#host = host;
    this.#pool = pool;
  }

  /** Resolves once committed durably. */
  put(write: ConfigWrite): Promise<ConfigWritten> {
    const chars = write.content.length;
    if (this.#waiting.length >= WRITES_PENDING_MAX || this.#charsWaiting + chars > CHARS_PENDING_MAX) {
      const message = `${this.#pool.place}: ${this.#waiting.length} writes already wait`;
      return Promise.reject(new StoreError('unavailable', message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<ConfigWritten>();
    const { dataId, group, namespaceId } = write;
    const key = JSON.stringify([dataId, group, namespaceId]);
    const deadline = this.#host.clock.monotonic() + OPERATION_DEADLINE_MS;
    this.#waiting.push({ write, key, deadline, resolve, reject });
    this.#charsWaiting += chars;
    this.#next();
    return promise;
  }

  #next(): void {
    if (this.#groups < GROUPS_MAX && this.#waiting.length > 0) {
      this.#groups += 1;
      this.#host.background('mysql writes', this.#writeGroups());
    }
    if (this.#waiting.length > 0) this.#sweep ??= this.#host.clock.every(SWEEP_MS, () => this.#rejectLate());
  }

  async #writeGroups(): Promise<void> {
    // Writes that come in the same turn belong to the first group already.
    await Promise.resolve();
    try {
      for (let group = this.#takeGroup(); group.length > 0; group = this.#takeGroup()) {
        for (const { key } of group) this.#keysUnderWay.add(key);
        await this.#writeGroup(group);
        for (const { key } of group) this.#keysUnderWay.delete(key);
      }
    } finally {
      this.#groups -= 1;
    }
  }

  async #writeGroup(group: readonly PendingWrite[]): Promise<void> {
    let isCommitting = false;
    try {
      const work = async (session: MysqlSession) => {
        isCommitting = false;
        const written = await putConfigs(
          session,
          group.map(({ write }) => write),
        );
        isCommitting = true;
        return written;
      };
      const results = await this.#pool.transact(work, { waitsOnce: group.length > 1 });
      for (const [i, { resolve }] of group.entries()) resolve(results[i]!);
    } catch (error) {
      const isLocked = isLockWait((error as Error).cause);
      if (group.length === 1 || isCommitting || !(isLocked || isOfOne(error))) {
        for (const { reject } of group) reject(error as Error);
        return;
      }
      // Nothing was committed, and one of them is at fault: the others shall not suffer for it, nor wait for its row.
      if (isLocked) await Promise.all(group.map((one) => this.#writeGroup([one])));
      else for (const one of group) await this.#writeGroup([one]);
    }
  }

  /** So many that there are few different numbers of them; none when all that wait, wait for others. */
  #takeGroup(): readonly PendingWrite[] {
    const group: PendingWrite[] = [];
    const left: PendingWrite[] = [];
    const keys = new Set(this.#keysUnderWay);
    let chars = 0;
    for (const one of this.#waiting) {
      const hasRoom = group.length < WRITES_PER_GROUP_MAX && chars + one.write.content.length <= CHARS_PER_GROUP_MAX;
      if ((hasRoom || group.length === 0) && !keys.has(one.key)) {
        group.push(one);
        chars += one.write.content.length;
      } else {
        left.push(one);
      }
      keys.add(one.key);
    }
    const count = group.length === 0 ? 0 : 2 ** Math.floor(Math.log2(group.length));
    this.#keep([...group.slice(count), ...left]);
    return group.slice(0, count);
  }

  /** These were never begun. */
  #rejectLate(): void {
    const nowMs = this.#host.clock.monotonic();
    const late = this.#waiting.filter(({ deadline }) => nowMs >= deadline);
    if (late.length > 0) {
      this.#keep(this.#waiting.filter(({ deadline }) => nowMs < deadline));
      const message = `${this.#pool.place}: not written within ${OPERATION_DEADLINE_MS} ms, is the database overloaded or cut off?`;
      for (const { reject } of late) reject(new StoreError('unavailable', message));
    }
    if (this.#waiting.length > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #keep(waiting: PendingWrite[]): void {
    this.#waiting = waiting;
    this.#charsWaiting = waiting.reduce((sum, { write }) => sum + write.content.length, 0);
  }
}

const ONES_OWN: ReadonlySet<StoreErrorKind> = new Set(['invalid', 'misconfigured', 'damaged']);

/** Of a single write, whatever the others are; else it concerns the database as a whole. */
function isOfOne(error: unknown): boolean {
  return error instanceof StoreError && ONES_OWN.has(error.kind);
}
