import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from './bounds.ts';
import type { WriteCommand, WriteOutcome, WriteResult } from './sqlite-messages.ts';
import { packWrites, unpackResults } from './sqlite-packed.ts';
import { BusyError, errorOf, type SqliteThread } from './sqlite-thread.ts';
import { StoreError } from './store.ts';

const WRITES_PENDING_MAX = 10_000;
const BYTES_PENDING_MAX = 256 * 1024 * 1024;
const WRITES_PER_GROUP_MAX = 256;
const BYTES_PER_GROUP_MAX = 16 * 1024 * 1024;
const SWEEP_MS = 100;
/** One that the thread writes and one that it finds when it is through: more of them were smaller, with more fsyncs. */
const GROUPS_UNDER_WAY_MAX = 2;
/**
 * So many are handed over at once, in the middle of a turn and while others are under way, so that the thread need not
 * wait until a long turn is over; a few wait for the end of both, and share what comes with them.
 */
const WRITES_WORTH_A_GROUP = 96;

interface PendingWrite {
  readonly command: WriteCommand;
  readonly bytes: number;
  readonly deadline: number;
  isSettled: boolean;
  resolve(result: WriteResult): void;
  reject(error: Error): void;
}

type Group = readonly PendingWrite[];

/**
 * Group commit: what arrives while a transaction is under way shares the next one, so the number of fsyncs follows the
 * disk and not the number of writers. While many come, the next groups are handed over before the first has ended, and
 * the thread makes one transaction of those that it finds; so it need not wait until this one has time again. A write at
 * which it fails is left out of it and refused, and no other suffers.
 *
 * Groups end in the order in which they began. When one meets a lock of another process, all that were handed over after
 * it are refused too, and begin again together after a moment.
 */
export class SqliteGroups {
  readonly #host: Host;
  readonly #thread: SqliteThread;
  readonly #path: string;
  readonly #waiting: PendingWrite[] = [];
  #bytesWaiting = 0;
  readonly #underWay = new Set<Group>();
  /** Those that met a lock, until all that are under way have ended and the moment is over. */
  #refused: PendingWrite[] = [];
  #round = 1;
  #transactions = 0;
  #isDue = false;
  #sweep: Timer | undefined;

  constructor(host: Host, thread: SqliteThread, path: string) {
    this.#host = host;
    this.#thread = thread;
    this.#path = path;
  }

  /** Those that were carried out. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Resolves once committed durably. */
  write(command: WriteCommand, bytes: number): Promise<WriteResult> {
    if (this.#waiting.length >= WRITES_PENDING_MAX || this.#bytesWaiting + bytes > BYTES_PENDING_MAX) {
      const message = `sqlite file ${this.#path}: ${this.#waiting.length} writes already wait`;
      return Promise.reject(new StoreError('unavailable', message));
    }
    const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
    const deadline = this.#host.clock.monotonic() + OPERATION_DEADLINE_MS;
    this.#waiting.push({ command, bytes, deadline, isSettled: false, resolve, reject });
    this.#bytesWaiting += bytes;
    this.#sweep ??= this.#host.clock.every(SWEEP_MS, () => this.#rejectLate());
    if (this.#waiting.length >= WRITES_WORTH_A_GROUP) {
      this.#begin();
    } else if (!this.#isDue && this.#mayBegin()) {
      this.#isDue = true;
      this.#host.background('sqlite writes', this.#beginSoon());
    }
    return promise;
  }

  /** Few writes that come in the same turn belong to one group already, also those of other connections. */
  async #beginSoon(): Promise<void> {
    await this.#thread.endOfTurn();
    this.#isDue = false;
    this.#begin();
  }

  #begin(): void {
    while (this.#mayBegin()) {
      const group = this.#takeGroup();
      this.#underWay.add(group);
      this.#host.background('sqlite writes', this.#writeGroup(group));
    }
    if (this.#underWay.size > 0 || this.#waiting.length > 0 || this.#refused.length > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #mayBegin(): boolean {
    if (this.#refused.length > 0 || this.#underWay.size === GROUPS_UNDER_WAY_MAX) return false;
    return this.#waiting.length >= (this.#underWay.size === 0 ? 1 : WRITES_WORTH_A_GROUP);
  }

  async #writeGroup(group: Group): Promise<void> {
    try {
      const commands = group.map((write) => write.command);
      const packed = await this.#thread.askOnce('write', this.#round, packWrites(commands));
      this.#transactions += packed.transactions;
      const results = unpackResults(packed.results);
      for (let i = 0; i < group.length; i++) settleBy(group[i]!, results[i]!);
    } catch (error) {
      if (error instanceof BusyError) this.#refused.push(...group);
      else for (const write of group) settle(write, () => write.reject(error as Error));
    }
    this.#underWay.delete(group);
    if (this.#refused.length > 0 && this.#underWay.size === 0) await this.#takeBack();
    this.#begin();
  }

  async #takeBack(): Promise<void> {
    await this.#thread.pause();
    // Those too late have been told so, and as nothing was done they are not done at all.
    const again = this.#refused.filter((write) => !write.isSettled);
    this.#refused = [];
    this.#round += 1;
    this.#waiting.unshift(...again);
    for (const write of again) this.#bytesWaiting += write.bytes;
  }

  #takeGroup(): Group {
    let count = 0;
    let bytes = 0;
    while (count < this.#waiting.length && count < WRITES_PER_GROUP_MAX) {
      bytes += this.#waiting[count]!.bytes;
      if (count > 0 && bytes > BYTES_PER_GROUP_MAX) break;
      count += 1;
    }
    const group = this.#waiting.splice(0, count);
    for (const write of group) this.#bytesWaiting -= write.bytes;
    return group;
  }

  #rejectLate(): void {
    const nowMs = this.#host.clock.monotonic();
    const message = `sqlite file ${this.#path}: no commit within ${OPERATION_DEADLINE_MS} ms; it may still be stored`;
    for (const write of [...[...this.#underWay].flat(), ...this.#refused, ...this.#waiting]) {
      if (nowMs >= write.deadline) settle(write, () => write.reject(new StoreError('unavailable', message)));
    }
    // Nobody waits for these any more, and they were never begun.
    const kept = this.#waiting.filter((write) => !write.isSettled);
    if (kept.length === this.#waiting.length) return;
    this.#waiting.splice(0, this.#waiting.length, ...kept);
    this.#bytesWaiting = kept.reduce((sum, write) => sum + write.bytes, 0);
  }
}

function settleBy(write: PendingWrite, outcome: WriteOutcome): void {
  settle(write, () => {
    if (outcome.outcome === 'refused') write.reject(errorOf(outcome.failure));
    else write.resolve(outcome);
  });
}

function settle(write: PendingWrite, tell: () => void): void {
  if (write.isSettled) return;
  write.isSettled = true;
  tell();
}
