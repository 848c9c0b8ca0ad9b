import { Changes } from '@nacos-kube/core/changes.ts';
import type { Host } from '@nacos-kube/core/host/host.ts';
import type { FeedReader } from './feed-delivery.ts';
import type { Change, RecordKind, Store, StoredRecord } from './store.ts';

const SCAN_PAGE = 1_000;

export interface FollowedOptions<T> {
  /** As the log and the metrics of the feed name it. */
  readonly name: string;
  readonly kind: RecordKind;
  /** Undefined for a row that is not what it should be: it is skipped and counted. */
  readonly decode: (record: StoredRecord) => T | undefined;
}

export interface FollowedChange<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/**
 * The few records of one kind, in memory as the store has them. All reads of rows and all writes of this member run one
 * after the other, so what is read later is never older, and a slow answer replaces nothing.
 */
export class FollowedRecords<T> {
  readonly changes = new Changes<FollowedChange<T>>();
  readonly #host: Host;
  readonly #store: Store;
  readonly #options: FollowedOptions<T>;
  readonly #rows = new Map<string, { readonly text: string; readonly value: T }>();
  #last: Promise<unknown> = Promise.resolve();
  #isLoaded = false;
  #bad = 0;

  constructor(host: Host, store: Store, options: FollowedOptions<T>) {
    this.#host = host;
    this.#store = store;
    this.#options = options;
  }

  /** All rows were read once. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Rows that could not be used. */
  get bad(): number {
    return this.#bad;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): T | undefined {
    return this.#rows.get(key)?.value;
  }

  *entries(): Iterable<readonly [string, T]> {
    for (const [key, { value }] of this.#rows) yield [key, value];
  }

  /**
   * Writes what `decide` makes of the row as it is now; undefined writes nothing. Resolves once it is stored and shown
   * by this member, true when something was written.
   */
  write(key: string, decide: (now: T | undefined) => StoredRecord | undefined): Promise<boolean> {
    return this.#inTurn(async () => {
      const now = await this.#store.getRecord(this.#options.kind, key);
      const record = decide(now === undefined ? undefined : this.#options.decode(now));
      if (record === undefined) return false;
      await this.#store.putRecord(record);
      await this.#written(key, record);
      return true;
    });
  }

  /** False when there was none. */
  remove(key: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const removed = await this.#store.removeRecord(this.#options.kind, key);
      await this.#written(key, undefined);
      return removed;
    });
  }

  get feedReader(): FeedReader {
    const { name, kind } = this.#options;
    return {
      name,
      kinds: [kind],
      reread: () => this.#inTurn(() => this.#readAll()),
      apply: (changes) => this.#inTurn(() => this.#readChanged(changes)),
    };
  }

  /** What was committed stays so whatever happens here; of two writers at once the row tells who came last. */
  async #written(key: string, record: StoredRecord | undefined): Promise<void> {
    try {
      await this.#readRow(key);
    } catch (error) {
      this.#host.log.warn(`what was written of ${this.#options.name} cannot be read back yet`, { key, error });
      this.#show(key, record);
    }
  }

  async #readAll(): Promise<void> {
    const gone = new Set(this.#rows.keys());
    let after: string | undefined;
    do {
      const page = await this.#store.scanRecords(this.#options.kind, SCAN_PAGE, after);
      for (const record of page.items) {
        gone.delete(record.key);
        this.#show(record.key, record, 'when it differs');
      }
      after = page.next;
    } while (after !== undefined);
    for (const key of gone) this.#show(key, undefined, 'when it differs');
    this.#isLoaded = true;
  }

  async #readChanged(changes: readonly Change[]): Promise<void> {
    const { kind } = this.#options;
    const keys = new Set(
      changes.flatMap(({ what }) => (what.kind === kind && 'key' in what ? [String(what.key)] : [])),
    );
    for (const key of keys) await this.#readRow(key);
  }

  async #readRow(key: string): Promise<void> {
    this.#show(key, await this.#store.getRecord(this.#options.kind, key));
  }

  /** Somebody wrote it, which is told of even if it was the same again; a full read tells of what differs. */
  #show(key: string, record: StoredRecord | undefined, tell: 'always' | 'when it differs' = 'always'): void {
    const before = this.#rows.get(key);
    if (tell === 'when it differs' && before?.text === record?.value) return;
    const value = record && this.#options.decode(record);
    if (record !== undefined && value === undefined) {
      this.#bad++;
      this.#host.log.warn(`a row of ${this.#options.name} is not readable and was skipped`, { key });
      return;
    }
    if (record === undefined || value === undefined) this.#rows.delete(key);
    else this.#rows.set(key, { text: record.value, value });
    this.changes.publish({ key, before: before?.value, after: value });
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // told to whoever asked; the next one tries for itself
    return result;
  }
}
