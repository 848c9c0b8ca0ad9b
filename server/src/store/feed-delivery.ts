import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Change, ChangedThing, Revision } from './store.ts';

/** What wants to know of changes in the store. Both calls may come again for the same changes. */
export interface FeedReader {
  readonly name: string;
  readonly kinds: readonly ChangedThing['kind'][];
  /** Reads everything of its kinds; afterwards it has at least this revision. */
  reread(revision: Revision): Promise<void>;
  /** In order of revision. A rejection has the same changes told again. */
  apply(changes: readonly Change[]): Promise<void>;
}

export interface FeedSubscription {
  /** Everything up to here was applied; undefined until the first full read. */
  readonly revision: Revision | undefined;
  /** Resolves when the first full read has ended, either way; a failed one is repeated. */
  readonly attempted: Promise<'read' | 'failed'>;
  /** Has everything read again, e.g. when the reader finds that it lost track. */
  reread(): void;
  end(): void;
}

/** More changes than this waiting for one reader are replaced by a full read. */
export const PENDING_CHANGES_MAX = 10_000;
export const DELIVERY_BATCH = 500;
/** Changes that were refused so often are replaced by a full read, in case the fault is in one of them. */
export const ATTEMPTS_BEFORE_REREAD = 5;
const RETRY_WAIT_MS = 250;
const RETRY_WAIT_MS_MAX = 5000;

/**
 * What one reader of the feed has still to be told. A due full read stands for all changes before it; changes that
 * come while it runs are told after it. One call of the reader at a time.
 */
export class FeedDelivery implements FeedSubscription {
  readonly attempted: Promise<'read' | 'failed'>;
  readonly #host: Host;
  readonly #log: Log;
  readonly #reader: FeedReader;
  readonly #kinds: ReadonlySet<string>;
  readonly #onEnd: () => void;
  readonly #endAttempt: (outcome: 'read' | 'failed') => void;
  #pending: Change[] = [];
  #isRereadDue = false;
  /** The place of the feed: all before it is applied, pending or covered by the due read. */
  #upTo: Revision | undefined;
  #revision: Revision | undefined;
  #failuresInRow = 0;
  #isBusy = false;
  #isEnded = false;
  #retry: Timer | undefined;

  constructor(host: Host, log: Log, reader: FeedReader, onEnd: () => void) {
    this.#host = host;
    this.#log = log;
    this.#reader = reader;
    this.#kinds = new Set(reader.kinds);
    this.#onEnd = onEnd;
    const { promise, resolve } = Promise.withResolvers<'read' | 'failed'>();
    this.attempted = promise;
    this.#endAttempt = resolve;
  }

  get revision(): Revision | undefined {
    return this.#revision;
  }

  take(changes: readonly Change[], upTo: Revision): void {
    this.#upTo = upTo;
    // A due read will see all that was written until it starts, so nothing is kept for it.
    if (!this.#isRereadDue) this.#keep(changes);
    this.#work();
  }

  rereadFrom(revision: Revision): void {
    this.#upTo = revision;
    this.#rereadIsDue();
    this.#work();
  }

  reread(): void {
    this.#rereadIsDue();
    this.#work();
  }

  storeFailed(): void {
    this.#endAttempt('failed');
  }

  end(): void {
    this.#isEnded = true;
    this.#pending = [];
    this.#retry?.cancel();
    this.#endAttempt('failed');
    this.#onEnd();
  }

  #keep(changes: readonly Change[]): void {
    for (const change of changes) if (this.#kinds.has(change.what.kind)) this.#pending.push(change);
    if (this.#pending.length <= PENDING_CHANGES_MAX) return;
    this.#log.warn(`${this.#reader.name} is too far behind: it reads everything`, { pending: this.#pending.length });
    this.#rereadIsDue();
  }

  #rereadIsDue(): void {
    this.#isRereadDue = true;
    this.#pending = [];
  }

  #work(): void {
    if (this.#isBusy || this.#isEnded || this.#upTo === undefined || this.#retry !== undefined) return;
    if (!this.#isRereadDue && this.#pending.length === 0) {
      this.#revision = this.#upTo;
      return;
    }
    this.#isBusy = true;
    this.#host.background(`tell ${this.#reader.name} of changes`, this.#tell());
  }

  async #tell(): Promise<void> {
    try {
      while (!this.#isEnded && (this.#isRereadDue || this.#pending.length > 0)) {
        if (this.#isRereadDue) await this.#tellAll(this.#upTo!);
        else await this.#tellBatch();
        if (this.#failuresInRow > 0) this.#log.info(`${this.#reader.name} follows again`);
        this.#failuresInRow = 0;
      }
      this.#revision = this.#upTo;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isBusy = false;
    }
  }

  async #tellAll(revision: Revision): Promise<void> {
    this.#isRereadDue = false;
    try {
      await this.#reader.reread(revision);
    } catch (error) {
      this.#rereadIsDue();
      throw error;
    }
    this.#revision = revision;
    this.#endAttempt('read');
  }

  async #tellBatch(): Promise<void> {
    const batch = this.#pending.slice(0, DELIVERY_BATCH);
    await this.#reader.apply(batch);
    if (this.#isRereadDue) return;
    this.#pending.splice(0, batch.length);
    this.#revision = batch.at(-1)!.revision;
  }

  #failed(error: unknown): void {
    this.#endAttempt('failed');
    if (this.#isEnded) return;
    this.#failuresInRow += 1;
    if (this.#failuresInRow === 1) this.#log.warn(`${this.#reader.name} could not follow, trying again`, { error });
    if (this.#failuresInRow >= ATTEMPTS_BEFORE_REREAD) this.#rereadIsDue();
    const waitMs = Math.min(RETRY_WAIT_MS_MAX, RETRY_WAIT_MS * 2 ** Math.min(this.#failuresInRow - 1, 10));
    this.#retry = this.#host.clock.after(waitMs, () => {
      this.#retry = undefined;
      this.#work();
    });
  }
}
