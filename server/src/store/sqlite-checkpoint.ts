import type { DatabaseSync } from 'node:sqlite';
import { OpenFile } from '@nacos-kube/core/host/node/open-file.ts';
import { startWorker, type WorkerThread } from '@nacos-kube/core/host/node/worker.ts';
import { LogCopying, type LogState, logLook } from './sqlite-copying.ts';
import type { OpenedFiles } from './sqlite-identity.ts';
import type { LogTrouble } from './sqlite-messages.ts';
import { WalIndex } from './sqlite-wal-index.ts';

/** Handed to the thread that copies. */
export interface CheckpointWorkerData {
  readonly opened: OpenedFiles;
  /** Of the database, when the writer had just opened it. */
  readonly descriptors: readonly number[];
  /** It ends when it was asked for nothing during so long. */
  readonly idleMs: number;
}

/** Asked of the thread: a pass, or to close the file and end. Were it cut, what fails then would be known to nobody. */
export type CheckpointRequest = 'copy' | 'end';
/** What became of a pass. */
export type PassOutcome =
  | { readonly outcome: 'copied' }
  /** Another process does it just now, or it is to be asked again. */
  | { readonly outcome: 'busy' }
  /** `thread`: before there was anything to copy. */
  | { readonly outcome: 'failed'; readonly of: 'log' | 'thread'; readonly why: string };

export interface CheckpointLimits {
  /** A log of so many pages is copied into the database. */
  readonly pagesToCopy: number;
  /** So few the writer copies itself. */
  readonly pagesOfRest: number;
  /** When it came to nothing, e.g. as somebody reads what is older, so many more are written before it is tried again. */
  readonly pagesAfterFailure: number;
  /** A log of so many is told of. */
  readonly pagesToTell: number;
  /** See `CheckpointWorkerData`. */
  readonly idleMs: number;
}

/** The log is 33 MB then, and what is written during a pass. A longer one is slower to look into, and to recover. */
const LIMITS: CheckpointLimits = {
  pagesToCopy: 8_000,
  pagesOfRest: 400,
  pagesAfterFailure: 1_000,
  pagesToTell: 100_000,
  idleMs: 20_000,
};
/** What is written during a pass is the next one's; with as many as the disk takes at once, none would be the last. */
const PASSES_MAX = 2;
/** The log begins anew when all of it is copied and nobody reads in it at the next commit: so many commits try. */
const RENEWALS_MAX = 8;
/** When the thread has failed, the writer does it alone until the log has begun anew so often. */
const RENEWALS_ALONE = 32;

type CheckpointThread = WorkerThread<CheckpointRequest, PassOutcome>;

/** The connection of the writer. */
interface Opened {
  readonly files: OpenedFiles;
  readonly descriptors: readonly number[];
  readonly look: () => LogState;
  readonly rest: LogCopying;
}

/**
 * Keeps the log of the database short. Sqlite copies what is in it at some commit, which then takes 30 ms instead of one.
 * Here another thread does it while commits go on; only the rest, what was written meanwhile, is copied between two of
 * them, since a log that is always being written has no other moment at which it can begin anew.
 *
 * Where the files of sqlite cannot be reached as this needs it (no Linux), sqlite does it as ever.
 */
export class SqliteCheckpoints {
  readonly #limits: CheckpointLimits;
  readonly #tell: (trouble: LogTrouble) => void;
  readonly #troubles = new Map<LogTrouble['of'], string>();
  #opened: Opened | undefined;
  #thread: CheckpointThread | undefined;
  readonly #exits = new Set<Promise<void>>();
  /** One pass at a time, also of a thread that is to end. */
  #isCopying = false;
  #aloneFor = 0;
  #passes = 0;
  #renewals = 0;
  #log = 0;
  #notBefore = 0;

  /** `tell`: each trouble once when it begins and once when it is over. `limits`: for tests. */
  constructor(tell: (trouble: LogTrouble) => void, limits = LIMITS) {
    this.#tell = tell;
    this.#limits = limits;
  }

  /** The connection of the writer, after it has read. From now on its log is copied here. */
  opened(database: DatabaseSync, files: OpenedFiles): void {
    const [file, index] = [OpenFile.at(files.path), WalIndex.of(files.path)];
    if (file === undefined || index === undefined) return;
    this.#log = 0;
    this.#again(0);
    try {
      const rest = new LogCopying(database, 'RESTART', index, () => file.sync());
      this.#opened = { files, descriptors: file.descriptors, look: logLook(database), rest };
      database.exec('PRAGMA wal_autocheckpoint = 0');
    } catch (error) {
      this.#opened = undefined;
      this.#note('thread', String(error));
    }
  }

  /** The connection is about to be closed. A pass of the thread may be under way until it ends by itself: see `end`. */
  closed(): void {
    this.#opened = undefined;
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.post('end');
  }

  /** Resolves when no thread is left, so that whoever closes the file then closes what they noted. */
  async end(): Promise<void> {
    this.closed();
    await Promise.all(this.#exits);
  }

  get hasThread(): boolean {
    return this.#thread !== undefined;
  }

  /**
   * After each transaction of the writer; takes microseconds, at the end of a checkpoint some milliseconds, and all that
   * a checkpoint takes while the thread fails.
   */
  committed(): void {
    if (this.#opened === undefined || this.#isCopying) return;
    try {
      this.#go(this.#opened);
    } catch (error) {
      // What was committed stands in the log.
      this.#later();
      this.#note('log', String(error));
    }
  }

  #go(opened: Opened): void {
    const { pagesToCopy, pagesOfRest, pagesToTell } = this.#limits;
    const { busy, log, checkpointed } = opened.look();
    if (busy !== 0) return;
    if (log < this.#log) this.#renewed();
    this.#log = log;
    if (log < Math.max(pagesToCopy, this.#notBefore)) return;
    if (log >= pagesToTell) this.#note('length', `it has ${log} pages`);
    if (this.#aloneFor === 0 && log - checkpointed > pagesOfRest && this.#passes < PASSES_MAX) {
      this.#copy(opened);
      return;
    }
    const after = opened.rest.copy();
    this.#renewals += 1;
    // Where another process has a pass under way nothing is known.
    const isStuck = after.log >= 0 && after.checkpointed < after.log && after.checkpointed <= checkpointed;
    if (isStuck || this.#renewals === RENEWALS_MAX) this.#later();
  }

  /** The log began anew: all was copied. */
  #renewed(): void {
    this.#again(0);
    this.#aloneFor = Math.max(0, this.#aloneFor - 1);
    this.#note('log', undefined);
    this.#note('length', undefined);
  }

  #copy(opened: Opened): void {
    this.#passes += 1;
    try {
      this.#running(opened).post('copy');
      this.#isCopying = true;
    } catch (error) {
      this.#ended({ outcome: 'failed', of: 'thread', why: String(error) });
    }
  }

  #ended(outcome: PassOutcome): void {
    this.#isCopying = false;
    if (outcome.outcome === 'copied') this.#note('thread', undefined);
    else this.#later();
    if (outcome.outcome !== 'failed') return;
    this.#aloneFor = RENEWALS_ALONE;
    this.#note(outcome.of, outcome.why);
  }

  #note(of: LogTrouble['of'], why: string | undefined): void {
    if (this.#troubles.has(of) === (why !== undefined)) return;
    if (why === undefined) this.#troubles.delete(of);
    else this.#troubles.set(of, why);
    this.#tell({ of, why });
  }

  #later(): void {
    this.#again(this.#log + this.#limits.pagesAfterFailure);
  }

  #again(notBefore: number): void {
    this.#passes = 0;
    this.#renewals = 0;
    this.#notBefore = notBefore;
  }

  #running({ files, descriptors }: Opened): CheckpointThread {
    if (this.#thread !== undefined) return this.#thread;
    const module = new URL('./sqlite-checkpoint-worker.ts', import.meta.url);
    const data: CheckpointWorkerData = { opened: files, descriptors, idleMs: this.#limits.idleMs };
    const worker: CheckpointThread = startWorker(module, data);
    let isAsked = false;
    const ended = (outcome: PassOutcome): void => {
      if (!isAsked) return;
      isAsked = false;
      this.#ended(outcome);
    };
    const thread: CheckpointThread = {
      ...worker,
      post(message) {
        worker.post(message);
        if (message === 'copy') isAsked = true;
      },
    };
    const exit = Promise.withResolvers<void>();
    this.#exits.add(exit.promise);
    worker.onMessage(ended);
    worker.onExit((error) => {
      exit.resolve();
      this.#exits.delete(exit.promise);
      if (this.#thread === thread) this.#thread = undefined;
      // Without an error it had nothing to do just before it was asked.
      ended(error === undefined ? { outcome: 'busy' } : { outcome: 'failed', of: 'thread', why: error.message });
    });
    this.#thread = thread;
    return thread;
  }
}
