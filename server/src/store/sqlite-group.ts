import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { OPERATION_DEADLINE_MS } from './bounds.ts';
import type { WriteCommand, WriteResult } from './sqlite-messages.ts';
import { BusyError, type SqliteThread } from './sqlite-thread.ts';
import { StoreError } from './store.ts';

const WRITES_PENDING_MAX = 10_000;
const BYTES_PENDING_MAX = 256 * 1024 * 1024;
const WRITES_PER_GROUP_MAX = 256;
const BYTES_PER_GROUP_MAX = 16 * 1024 * 1024;
const SWEEP_MS = 100;

interface PendingWrite {
  readonly command: WriteCommand;
  readonly bytes: number;
  readonly deadline: number;
  isSettled: boolean;
  resolve(result: WriteResult): void;
  reject(error: Error): void;
}

/**
 * Group commit: one transaction is under way at a time, and what arrives meanwhile shares the next one. So the number of
 * fsyncs follows the disk and not the number of writers.
 */
export class SqliteGroups {
  readonly #host: Host;
  readonly #thread: SqliteThread;
  readonly #path: string;
  readonly #waiting: PendingWrite[] = [];
  #bytesWaiting = 0;
  #underWay: readonly PendingWrite[] = [];
  #isWriting = false;
  #sweep: Timer | undefined;

  constructor(host: Host, thread: SqliteThread, path: string) {
    this.#host = host;
    this.#thread = thread;
    this.#path = path;
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
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#host.background('sqlite writes', this.#writeGroups());
    }
    return promise;
  }

  async #writeGroups(): Promise<void> {
    // Writes that come in the same turn belong to the first group already.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        this.#underWay = this.#takeGroup();
        await this.#writeGroup();
      }
    } finally {
      this.#underWay = [];
      this.#isWriting = false;
      this.#sweep?.cancel();
      this.#sweep = undefined;
    }
  }

  async #writeGroup(): Promise<void> {
    for (;;) {
      // Those too late have been told so, and as nothing was done they are not done at all.
      this.#underWay = this.#underWay.filter((write) => !write.isSettled);
      const group = this.#underWay;
      if (group.length === 0) return;
      try {
        const results = await this.#thread.askOnce(
          'write',
          group.map((write) => write.command),
        );
        for (const [i, write] of group.entries()) settle(write, () => write.resolve(results[i]!));
        return;
      } catch (error) {
        if (!(error instanceof BusyError)) {
          for (const write of group) settle(write, () => write.reject(error as Error));
          return;
        }
      }
      await this.#thread.pause();
    }
  }

  #takeGroup(): readonly PendingWrite[] {
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
    for (const write of [...this.#underWay, ...this.#waiting]) {
      if (nowMs >= write.deadline) settle(write, () => write.reject(new StoreError('unavailable', message)));
    }
    // Nobody waits for these any more, and they were never begun.
    const kept = this.#waiting.filter((write) => !write.isSettled);
    if (kept.length === this.#waiting.length) return;
    this.#waiting.splice(0, this.#waiting.length, ...kept);
    this.#bytesWaiting = kept.reduce((sum, write) => sum + write.bytes, 0);
  }
}

function settle(write: PendingWrite, tell: () => void): void {
  if (write.isSettled) return;
  write.isSettled = true;
  tell();
}
