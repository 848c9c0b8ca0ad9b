import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { WalIndex } from './sqlite-wal-index.ts';

/**
 * Pages in the log, and how many of them are in the database. `busy` is 1 when somebody was in the way; where that was
 * at the very beginning, the others are -1.
 */
export interface LogState {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** Takes 2 us, and does nothing (sqlite 3.51 or newer; an older one would copy). */
export function logLook(database: DatabaseSync): () => LogState {
  const statement = database.prepare('PRAGMA wal_checkpoint(NOOP)');
  return () => statement.get() as unknown as LogState;
}

/**
 * `PASSIVE`: commits and readers go on. `RESTART`: no process commits meanwhile and all is copied, unless somebody reads
 * what is older, or another process is just committing.
 */
export type PassKind = 'PASSIVE' | 'RESTART';

/** A connection that copies the log into the database. The caller sees to it that a process has one pass at a time. */
export class LogCopying {
  readonly #pass: StatementSync;
  readonly #index: WalIndex;
  readonly #sync: () => void;

  /** `sync`: of the database; it throws when that fails. */
  constructor(database: DatabaseSync, kind: PassKind, index: WalIndex, sync: () => void) {
    this.#pass = database.prepare(`PRAGMA wal_checkpoint(${kind})`);
    this.#index = index;
    this.#sync = sync;
    // A failure that somebody has been told of before this connection was there is not told again: see `WalIndex`.
    index.forgetCopied();
  }

  /**
   * Copies what nobody's reading is in the way of, and makes it durable. Throws when that fails, and nothing counts as
   * copied then.
   */
  copy(): LogState {
    try {
      const after = this.#pass.get() as unknown as LogState;
      if (after.checkpointed > 0) this.#sync();
      return after;
    } catch (error) {
      this.#forget(error);
      throw error;
    }
  }

  #forget(cause: unknown): void {
    try {
      this.#index.forgetCopied();
    } catch (error) {
      throw new AggregateError([cause, error], `${cause}, and what was copied counts all the same: ${error}`);
    }
  }
}
