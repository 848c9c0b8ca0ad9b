import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { startWorker, type WorkerThread } from '@nacos-kube/core/host/node/worker.ts';

/** Handed to the thread that copies. */
export interface CheckpointData {
  readonly path: string;
  /** One of `PASSES`, in memory that both threads see. */
  readonly state: Int32Array<SharedArrayBuffer>;
}

/** What became of the pass that was asked for last. */
export const PASSES = { underWay: 1, copied: 2, failed: 3 };
export const PASSIVE = 'PRAGMA wal_checkpoint(PASSIVE)';

export interface CheckpointLimits {
  /** Pages of the log that are not in the database yet; from so many on they are copied. */
  readonly pagesToCopy: number;
  /** So few the writer copies itself. */
  readonly pagesOfRest: number;
  /** After a pass that came to nothing, e.g. as somebody still reads what is older, so much more is written first. */
  readonly pagesAfterFailure: number;
  /** Were nobody to copy, sqlite does at each commit from here on. */
  readonly pagesAtMost: number;
}

/** The log is 33 MB and what is written during a pass. A longer one holds more pages twice, and is slower to look into. */
const LIMITS: CheckpointLimits = {
  pagesToCopy: 8_000,
  pagesOfRest: 400,
  pagesAfterFailure: 1_000,
  pagesAtMost: 24_000,
};
/** What is written during a pass is the next one's; with as many as the disk takes at once, none would be the last. */
const PASSES_MAX = 2;

interface LogState {
  readonly log: number;
  readonly checkpointed: number;
}

/**
 * Keeps the log of the database short. Sqlite copies what is in it at some commit, which then takes 30 ms instead of one.
 * Here another thread does it while commits go on; only the rest, what was written meanwhile, is copied between two of
 * them, since a log that is always being written has no other moment at which it can begin anew.
 */
export class SqliteCheckpoints {
  readonly #path: string;
  readonly #limits: CheckpointLimits;
  readonly #look: StatementSync;
  readonly #copyRest: StatementSync;
  readonly #state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #thread: WorkerThread<null, never> | undefined;
  /** Of the checkpoint that is under way; 0: none is. */
  #passes = 0;
  #log = 0;
  #notBefore = 0;

  /** `limits`: for tests. */
  constructor(database: DatabaseSync, path: string, limits = LIMITS) {
    this.#path = path;
    this.#limits = limits;
    database.exec(`PRAGMA wal_autocheckpoint = ${limits.pagesAtMost}`);
    this.#look = database.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#copyRest = database.prepare(PASSIVE);
  }

  /** After each transaction of the writer; takes microseconds, and at the end of a checkpoint some milliseconds. */
  committed(): void {
    try {
      this.#go();
    } catch {
      // What was committed stands in the log, and whatever is wrong with the file fails the next transaction too.
      this.#end(false);
    }
  }

  /** Until it resolves the thread may be at work, as any other process may that uses the file. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.stop();
  }

  #go(): void {
    const state = Atomics.load(this.#state, 0);
    if (this.#passes > 0 && state === PASSES.underWay) return;
    const { log, checkpointed } = this.#look.get() as unknown as LogState;
    if (log < this.#log) this.#end(true); // it began anew: all was copied
    this.#log = log;
    const pages = log - checkpointed;
    const { pagesToCopy, pagesOfRest } = this.#limits;
    if (this.#passes === 0) {
      if (pages >= pagesToCopy && log >= this.#notBefore) this.#copy();
    } else if (state === PASSES.failed) {
      this.#end(false);
    } else if (pages > pagesOfRest && this.#passes < PASSES_MAX) {
      this.#copy();
    } else {
      const after = this.#copyRest.get() as unknown as LogState;
      this.#end(after.log === after.checkpointed);
    }
  }

  #copy(): void {
    this.#passes += 1;
    Atomics.store(this.#state, 0, PASSES.underWay);
    this.#running().post(null);
  }

  #end(isWhole: boolean): void {
    this.#passes = 0;
    this.#notBefore = isWhole ? 0 : this.#log + this.#limits.pagesAfterFailure;
  }

  #running(): WorkerThread<null, never> {
    if (this.#thread !== undefined) return this.#thread;
    const data: CheckpointData = { path: this.#path, state: this.#state };
    const thread = startWorker<null, never>(new URL('./sqlite-checkpoint-worker.ts', import.meta.url), data);
    thread.onExit(() => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      Atomics.store(this.#state, 0, PASSES.failed);
    });
    this.#thread = thread;
    return thread;
  }
}
