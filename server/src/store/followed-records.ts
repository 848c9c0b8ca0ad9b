import { Changes } from '@nacos-kube/core/changes.ts';
import type { Host } from '@nacos-kube/core/host/host.ts';
import type { FeedReader } from './feed-delivery.ts';
import { RecordRows } from './record-rows.ts';
import type { RecordKind, Store, StoredRecord } from './store.ts';

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

/** The few records of one kind, in memory as the store has them. */
export class FollowedRecords<T> {
  readonly changes = new Changes<FollowedChange<T>>();
  readonly #options: FollowedOptions<T>;
  readonly #records: RecordRows;
  readonly #rows = new Map<string, { readonly text: string; readonly value: T }>();

  constructor(host: Host, store: Store, options: FollowedOptions<T>) {
    this.#options = options;
    this.#records = new RecordRows(host, store, {
      kind: options.kind,
      what: `a row of ${options.name}`,
      shownKeys: () => this.#rows.keys(),
      shownRows: () => this.#shownRows(),
      show: (record, isNews) => this.#show(record, isNews),
      hide: (key) => this.#hide(key),
    });
  }

  get records(): RecordRows {
    return this.#records;
  }

  /** All rows were read once, from the store or from this member's copy. */
  get isLoaded(): boolean {
    return this.#records.isKnown;
  }

  /** Rows that could not be used. */
  get bad(): number {
    return this.#records.bad;
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
    return this.#records.change(key, (now) => decide(now && this.#options.decode(now)));
  }

  /** False when there was none. */
  remove(key: string): Promise<boolean> {
    return this.#records.remove(key);
  }

  get feedReader(): FeedReader {
    const { name, kind } = this.#options;
    return {
      name,
      kinds: [kind],
      reread: () => this.#records.readAll(),
      apply: (changes) => this.#records.readChanged(changes),
    };
  }

  *#shownRows(): Iterable<StoredRecord> {
    for (const [key, { text }] of this.#rows) yield { kind: this.#options.kind, key, value: text };
  }

  /** What somebody wrote is told of even if it was the same again; a full read tells of what differs. */
  #show(record: StoredRecord, isNews: boolean): boolean {
    const before = this.#rows.get(record.key);
    if (!isNews && before?.text === record.value) return true;
    const value = this.#options.decode(record);
    if (value === undefined) return false;
    this.#rows.set(record.key, { text: record.value, value });
    this.changes.publish({ key: record.key, before: before?.value, after: value });
    return true;
  }

  #hide(key: string): void {
    const before = this.#rows.get(key);
    this.#rows.delete(key);
    this.changes.publish({ key, before: before?.value, after: undefined });
  }
}
