import type { Host } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { fewAtOnce } from './few-at-once.ts';
import type { RecordCopy } from './record-copy.ts';
import { type Change, isDamaged, type RecordKind, type Store, type StoredRecord, StoreError } from './store.ts';
import { Touches } from './touches.ts';

const SCAN_PAGE = 1_000;
/** So few that other calls of the store do not wait for them. */
export const ROWS_READ_AT_ONCE = 8;
/** A row that was written each time while it was read. */
export const READS_MAX = 20;
/** Rows that are damaged in the store, which are read again with what comes next. */
const DAMAGED_MAX = 100;
/** Writes of one kind that are under way or wait for another of their row. */
export const WRITES_PENDING_MAX = 10_000;

/** What rows of one kind are shown in. */
export interface RowTable {
  readonly kind: RecordKind;
  /** What a row is, in messages: `a persistent instance`. */
  readonly what: string;
  shownKeys(): Iterable<string>;
  /** The rows as they are shown, for the copy on the disk. */
  shownRows(): Iterable<StoredRecord>;
  /** False: the row is not what it should be. `isNews`: somebody wrote it, though it may be the same again. */
  show(record: StoredRecord, isNews: boolean): boolean;
  hide(rowKey: string): void;
}

/**
 * Keeps what this member shows as the rows of one kind in the store are. Rows come by writes of this member, by the feed
 * and by full reads, with answers in any order: what was read counts only if nothing touched its key meanwhile.
 */
export class RecordRows {
  readonly #host: Host;
  readonly #store: Store;
  readonly #table: RowTable;
  readonly #touches = new Touches();
  /** The last write of each row that is under way, so that changes of one row made here follow each other. */
  readonly #writes = new Map<string, Promise<void>>();
  #pending = 0;
  #copy: RecordCopy | undefined;
  #state: 'unknown' | 'copied' | 'read' = 'unknown';
  #readings = 0;
  /** Those that could not be read when they were read last. */
  readonly #damaged = new Set<string>();
  #bad = 0;

  constructor(host: Host, store: Store, table: RowTable) {
    this.#host = host;
    this.#store = store;
    this.#table = table;
  }

  get kind(): RecordKind {
    return this.#table.kind;
  }

  /** All rows were read once from the store, or for want of it from this member's copy. */
  get isKnown(): boolean {
    return this.#state !== 'unknown';
  }

  /** All rows were read once from the store. */
  get isRead(): boolean {
    return this.#state === 'read';
  }

  /** What is read from the store from now on is kept there. */
  keepCopy(copy: RecordCopy): void {
    this.#copy = copy;
  }

  /** `reading`: the store is answering just now, and knows better. */
  async showCopy(): Promise<'shown' | 'none' | 'reading'> {
    const isAnswering = () => this.isRead || this.#readings > 0;
    if (isAnswering()) return 'reading';
    const records = await this.#copy?.read();
    if (records === undefined) return 'none';
    if (isAnswering()) return 'reading';
    this.#state = 'copied';
    for (const record of records) this.#show(record, false);
    return 'shown';
  }

  /** Rows of the store that are not what they should be. */
  get bad(): number {
    return this.#bad;
  }

  /** Resolves once it is stored, and shown by this member. */
  async put(record: StoredRecord): Promise<void> {
    await this.#inTurn(record.key, () => this.#put(record));
  }

  /** False when there was none. */
  async remove(rowKey: string): Promise<boolean> {
    let wasThere = false;
    await this.#inTurn(rowKey, async () => {
      const before = this.#touches.moment;
      wasThere = await this.#store.removeRecord(this.#table.kind, rowKey);
      await this.#written(rowKey, before, undefined);
    });
    return wasThere;
  }

  /**
   * Makes a new row of the stored one, which is read anew: what this member shows may be a moment old. Undefined of
   * `make` leaves all as it is, and the answer is false. Between members the last writer wins.
   */
  async change(rowKey: string, make: (record: StoredRecord | undefined) => StoredRecord | undefined): Promise<boolean> {
    let isChanged = false;
    await this.#inTurn(rowKey, async () => {
      const changed = make(await this.#store.getRecord(this.#table.kind, rowKey));
      if (changed !== undefined) await this.#put(changed);
      isChanged = changed !== undefined;
    });
    return isChanged;
  }

  async readAll(): Promise<void> {
    this.#readings += 1;
    try {
      await this.#readAll();
    } finally {
      this.#readings -= 1;
    }
    if (!this.isRead) this.#copy?.follow(() => this.#table.shownRows());
    this.#state = 'read';
  }

  async #readAll(): Promise<void> {
    const before = [...this.#table.shownKeys()];
    const seen = new Set<string>();
    const unsure: string[] = [];
    let hasDamage = false;
    let after: string | undefined;
    do {
      const moment = this.#touches.moment;
      const page = await this.#store.scanRecords(this.#table.kind, SCAN_PAGE, after);
      for (const record of page.items) {
        seen.add(record.key);
        if (this.#touches.since(record.key, moment)) unsure.push(record.key);
        else this.#show(record, false);
      }
      this.#touches.touchAll();
      hasDamage ||= (page.damaged?.length ?? 0) > 0;
      after = page.next;
    } while (after !== undefined);
    if (hasDamage && !this.isKnown) await this.#showDamaged(seen);
    for (const rowKey of before) if (!seen.has(rowKey)) unsure.push(rowKey);
    await fewAtOnce(unsure, ROWS_READ_AT_ONCE, (rowKey) => this.#readSound(rowKey, false));
  }

  /** Of rows that cannot be read, and were not since the start, this member's copy knows best. */
  async #showDamaged(seen: ReadonlySet<string>): Promise<void> {
    const copied = ((await this.#copy?.read()) ?? []).filter((record) => !seen.has(record.key));
    await fewAtOnce(copied, ROWS_READ_AT_ONCE, async (record) => {
      const moment = this.#touches.moment;
      const isSound = await this.#readSound(record.key, false);
      if (!isSound && !this.#touches.since(record.key, moment)) this.#show(record, false);
    });
  }

  /** Whatever a change says, the row as it is now is what counts. */
  async readChanged(changes: readonly Change[]): Promise<void> {
    const { kind } = this.#table;
    const changed = changes.flatMap(({ what }) => (what.kind === kind ? [what.key as string] : []));
    const rowKeys = new Set([...changed, ...this.#damaged]);
    await fewAtOnce([...rowKeys], ROWS_READ_AT_ONCE, (rowKey) => this.#readSound(rowKey, true));
  }

  async #inTurn(rowKey: string, run: () => Promise<void>): Promise<void> {
    if (this.#pending >= WRITES_PENDING_MAX) {
      throw new ProtocolError(503, `the store is overloaded: ${WRITES_PENDING_MAX} writes wait for it`);
    }
    this.#pending++;
    const before = this.#writes.get(rowKey);
    const mine = before === undefined ? run() : before.then(run, run);
    this.#writes.set(rowKey, mine);
    try {
      await mine;
    } finally {
      this.#pending--;
      if (this.#writes.get(rowKey) === mine) this.#writes.delete(rowKey);
    }
  }

  async #put(record: StoredRecord): Promise<void> {
    const before = this.#touches.moment;
    await this.#store.putRecord(record);
    await this.#written(record.key, before, record);
  }

  /**
   * What was committed stays so whatever happens here, and the feed brings it a little later. But it is not acknowledged
   * by a member that would show an older state after that.
   */
  async #written(rowKey: string, before: number, record: StoredRecord | undefined): Promise<void> {
    if (!this.#touches.since(rowKey, before)) {
      this.#apply(rowKey, record);
      return;
    }
    try {
      // Somebody else wrote or read the row meanwhile, and which came last is not known here: the row tells.
      await this.#readRow(rowKey);
    } catch (error) {
      this.#host.log.warn(`${this.#table.what} was written but cannot be read back yet`, { key: rowKey, error });
      if (error instanceof StoreError) throw error;
    }
  }

  /** A row that is damaged in the store is left as it is shown, and holds up no other. False: it is. */
  async #readSound(rowKey: string, isNews: boolean): Promise<boolean> {
    try {
      await this.#readRow(rowKey, isNews);
      this.#damaged.delete(rowKey);
      return true;
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#bad++;
      if (this.#damaged.has(rowKey)) return false;
      if (this.#damaged.size < DAMAGED_MAX) this.#damaged.add(rowKey);
      this.#host.log.error(`${this.#table.what} is damaged in the store`, { key: rowKey, error });
      return false;
    }
  }

  async #readRow(rowKey: string, isNews = true): Promise<void> {
    for (let reads = 0; reads < READS_MAX; reads++) {
      const moment = this.#touches.moment;
      const record = await this.#store.getRecord(this.#table.kind, rowKey);
      if (this.#touches.since(rowKey, moment)) continue;
      this.#apply(rowKey, record, isNews);
      return;
    }
    throw new Error(`row ${rowKey} changes faster than it can be read`);
  }

  #apply(rowKey: string, record: StoredRecord | undefined, isNews = true): void {
    this.#touches.touch(rowKey);
    if (record !== undefined) this.#show(record, isNews);
    else {
      this.#table.hide(rowKey);
      this.#copy?.changed();
    }
  }

  #show(record: StoredRecord, isNews: boolean): void {
    this.#copy?.changed();
    if (this.#table.show(record, isNews)) return;
    this.#bad++;
    this.#host.log.warn(`${this.#table.what} in the store is not readable and was skipped`, { key: record.key });
  }
}
