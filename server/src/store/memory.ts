import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import {
  CHANGES_KEPT,
  CHANGES_PER_PAGE_MAX,
  checkConfigQuery,
  checkConfigWrite,
  checkIds,
  checkMoved,
  checkRecordKey,
  checkRecords,
  checkVariantWrite,
  HISTORY_PER_SEARCH_MAX,
  ITEMS_PER_PAGE_MAX,
  isId,
  isTimeToForget,
  OPERATION_DEADLINE_MS,
  pageOffset,
  pageSize,
  pageStart,
  requireSearchBytes,
} from './bounds.ts';
import { type ConfigHistory, factsAfter, type HistoryEntry, isExpected, variantAfter } from './history.ts';
import { keyOf, keyText, putMovedRow, variantKeyText } from './memory-rows.ts';
import {
  type Change,
  type ChangedThing,
  type ChangePage,
  CONFIGS_PER_SEARCH_MAX,
  type ConfigQuery,
  type ConfigWrite,
  type ConfigWritten,
  type Found,
  type MovedRow,
  type Operator,
  type Page,
  type RecordKind,
  type Revision,
  type Store,
  type StoredRecord,
  StoreError,
  type StoreErrorKind,
  type VariantWrite,
} from './store.ts';
import { fitsText } from './text-query.ts';

/** What a test or simulation does to an engine (all stores on it) or to one store's way there. */
export interface StoreFaults {
  /** Calls reject with this kind. */
  down: StoreErrorKind | undefined;
  /** Every call takes this long by its host's clock; over the deadline it is unavailable. */
  delayMs: number;
  /** Writes are committed, yet their callers are told that the store is unavailable. */
  losesAnswers: boolean;
}

/** The truth that the simulated nodes share. */
export interface MemoryDatabase {
  readonly faults: StoreFaults;
  readonly changesKept: number;
}

export interface MemoryStore extends Store {
  /** Between this store and its database only, as when one node is cut off. */
  readonly faults: StoreFaults;
}

export function createMemoryDatabase(options: { readonly changesKept?: number } = {}): MemoryDatabase {
  return new Database(options.changesKept ?? CHANGES_KEPT);
}

export function createMemoryStore(host: Host, database: MemoryDatabase): MemoryStore {
  return new MemoryStoreOf(host, database as Database);
}

const HINT_DELAY_MS = 25;
const HISTORY_KEPT = 10_000;

class Database implements MemoryDatabase {
  readonly faults = noFaults();
  readonly changesKept: number;
  /** A Map keeps the order of first insertion, and so of the ids. */
  readonly configs = new Map<string, Config>();
  readonly variants = new Map<string, { readonly id: number; readonly variant: ConfigVariant }>();
  readonly records = new Map<string, StoredRecord>();
  readonly history: ConfigHistory[] = [];
  readonly changes: Change[] = [];
  readonly stores = new Set<MemoryStoreOf>();
  revision: Revision = 0;
  #ids = 0;

  constructor(changesKept: number) {
    this.changesKept = changesKept;
  }

  nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  note(what: ChangedThing, removed: boolean): Revision {
    this.revision += 1;
    this.changes.push({ revision: this.revision, what, removed });
    if (isTimeToForget(this.revision, this.changesKept)) {
      this.changes.splice(0, Math.max(0, this.changes.length - this.changesKept));
    }
    for (const store of this.stores) store.hint();
    return this.revision;
  }

  /** An id of another store, unless ids as high are in use. */
  idLike(id: string, used: number): string {
    const isFree = isId(id) && Number.isSafeInteger(Number(id)) && Number(id) > used;
    if (!isFree) return String(this.nextId());
    this.#ids = Math.max(this.#ids, Number(id));
    return id;
  }

  remember(entry: ConfigHistory): void {
    this.history.push(entry);
    if (this.history.length > HISTORY_KEPT) this.history.shift();
  }
}

class MemoryStoreOf implements MemoryStore {
  readonly kind = 'memory';
  readonly faults = noFaults();
  readonly #host: Host;
  readonly #database: Database;
  readonly #hintReaders: (() => void)[] = [];
  #hinting: Timer | undefined;
  #isRunning = false;

  constructor(host: Host, database: Database) {
    this.#host = host;
    this.#database = database;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#call(() => this.#database.stores.add(this));
    } catch (error) {
      this.#isRunning = false;
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#hinting?.cancel();
    this.#database.stores.delete(this);
  }

  async putConfig(write: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(write);
    return this.#write(() => {
      const old = this.#database.configs.get(keyText(write));
      if (!isExpected(write.expectedMd5, old?.md5)) return { outcome: 'conflict' };
      const nowMs = this.#host.clock.now();
      const { content, md5 } = write;
      const id = old?.id ?? String(this.#database.nextId());
      const config = { id, ...keyOf(write), content, md5, ...factsAfter(write, old, nowMs) };
      this.#database.configs.set(keyText(write), config);
      this.#remember(old === undefined ? 'I' : 'U', old?.id ?? '0', old ?? config, write.by, nowMs);
      return { outcome: 'written', revision: this.#database.note({ kind: 'config', key: keyOf(write) }, false) };
    });
  }

  removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    return this.#write(() => this.#remove(key, by));
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#call(() => this.#database.configs.get(keyText(key)));
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => {
      const rows = [...this.#database.configs.values()].filter((config) => Number(config.id) > start);
      return { items: rows.slice(0, size), next: rows.length > size ? rows[size - 1]!.id : undefined };
    });
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#call(
      () => [...this.#database.configs.values()].filter((config) => config.namespaceId === namespaceId).length,
    );
  }

  async searchConfigs(query: ConfigQuery): Promise<Found<Config>> {
    checkConfigQuery(query);
    const offset = pageOffset(query.offset);
    const size = pageSize(query.limit, CONFIGS_PER_SEARCH_MAX);
    return this.#call(() => {
      const fitting = [...this.#database.configs.values()].filter((config) => fits(query, config));
      return { items: boundedBytes(fitting.slice(offset, offset + size)), total: fitting.length };
    });
  }

  async getConfigs(ids: readonly string[]): Promise<readonly Config[]> {
    const wanted = new Set(checkIds(ids));
    return this.#call(() =>
      boundedBytes([...this.#database.configs.values()].filter((config) => wanted.has(config.id))),
    );
  }

  async removeConfigs(ids: readonly string[], by: Operator): Promise<number> {
    const wanted = new Set(checkIds(ids));
    return this.#write(() => {
      const found = [...this.#database.configs.values()].filter((config) => wanted.has(config.id));
      for (const config of found) this.#remove(config, by);
      return found.length;
    });
  }

  async putVariant(write: VariantWrite): Promise<Revision> {
    checkVariantWrite(write);
    return this.#write(() => {
      const text = variantKeyText(write, write.variant);
      const old = this.#database.variants.get(text);
      const variant = variantAfter(write, old?.variant, this.#host.clock.now());
      this.#database.variants.set(text, { id: old?.id ?? this.#database.nextId(), variant });
      return this.#database.note({ kind: 'variant', key: keyOf(write) }, false);
    });
  }

  removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean> {
    return this.#write(() => {
      const wasThere = this.#database.variants.delete(variantKeyText(key, variant));
      if (wasThere) this.#database.note({ kind: 'variant', key: keyOf(key) }, true);
      return wasThere;
    });
  }

  getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]> {
    return this.#call(() =>
      [...this.#database.variants.values()]
        .map((row) => row.variant)
        .filter((variant) => keyText(variant) === keyText(key)),
    );
  }

  async scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => {
      const rows = [...this.#database.variants.values()].filter((row) => row.id > start);
      const next = rows.length > size ? String(rows[size - 1]!.id) : undefined;
      return { items: rows.slice(0, size).map((row) => row.variant), next };
    });
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(records: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(records);
    return this.#write(() => {
      for (const record of records) {
        const { kind, key } = record;
        this.#database.records.set(`${kind} ${key}`, record);
        this.#database.note({ kind, key }, false);
      }
      return this.#database.revision;
    });
  }

  async removeRecord(kind: RecordKind, key: string): Promise<boolean> {
    checkRecordKey(key);
    return this.#write(() => {
      const wasThere = this.#database.records.delete(`${kind} ${key}`);
      if (wasThere) this.#database.note({ kind, key }, true);
      return wasThere;
    });
  }

  async getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
    return this.#call(() => this.#database.records.get(`${kind} ${key}`));
  }

  async scanRecords(kind: RecordKind, limit: number, after = ''): Promise<Page<StoredRecord>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    return this.#call(() => {
      const rows = [...this.#database.records.values()]
        .filter((record) => record.kind === kind && record.key > after)
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      return { items: rows.slice(0, size), next: rows.length > size ? rows[size - 1]!.key : undefined };
    });
  }

  revision(): Promise<Revision> {
    return this.#call(() => this.#database.revision);
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    const size = pageSize(limit, CHANGES_PER_PAGE_MAX);
    return this.#call(() => {
      const { changes, revision } = this.#database;
      const forgotten = (changes[0]?.revision ?? revision + 1) - 1;
      if (from < forgotten || from > revision) return { gap: true, upTo: revision };
      const page = changes.slice(from - forgotten, from - forgotten + size);
      return { gap: false, changes: page, upTo: page.at(-1)?.revision ?? from };
    });
  }

  async searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>> {
    const start = pageOffset(offset);
    const size = pageSize(limit, HISTORY_PER_SEARCH_MAX);
    return this.#call(() => {
      const past = this.#database.history.filter((entry) => keyText(entry) === keyText(key)).reverse();
      return { items: past.slice(start, start + size).map(({ content, ...entry }) => entry), total: past.length };
    });
  }

  getHistory(nid: string): Promise<ConfigHistory | undefined> {
    return this.#call(() => this.#database.history.find((entry) => entry.nid === nid));
  }

  previousHistory(configId: string): Promise<ConfigHistory | undefined> {
    return this.#call(() =>
      isId(configId) ? this.#database.history.findLast((entry) => entry.configId === configId) : undefined,
    );
  }

  async scanHistory(limit: number, after?: string): Promise<Page<ConfigHistory>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => {
      const rows = this.#database.history.filter((entry) => Number(entry.nid) > start);
      return { items: rows.slice(0, size), next: rows.length > size ? rows[size - 1]!.nid : undefined };
    });
  }

  async putMoved(rows: readonly MovedRow[]): Promise<void> {
    checkMoved(rows);
    await this.#write(() => {
      for (const row of rows) putMovedRow(this.#database, row);
    });
  }

  onHint(run: () => void): void {
    this.#hintReaders.push(run);
  }

  /** Called by the database: any number of changes within the delay are one hint. */
  hint(): void {
    if (this.#hintReaders.length === 0 || this.#hinting !== undefined) return;
    this.#hinting = this.#host.clock.after(HINT_DELAY_MS, () => {
      this.#hinting = undefined;
      for (const run of this.#hintReaders) run();
    });
  }

  #remove(key: ConfigKey, by: Operator): boolean {
    const old = this.#database.configs.get(keyText(key));
    if (old === undefined) return false;
    this.#database.configs.delete(keyText(key));
    this.#remember('D', old.id, old, by, this.#host.clock.now());
    this.#database.note({ kind: 'config', key: keyOf(key) }, true);
    return true;
  }

  #remember(operation: 'I' | 'U' | 'D', configId: string, past: Config, by: Operator, atMs: number): void {
    const { dataId, group, namespaceId, content, md5, appName } = past;
    this.#database.remember({
      ...{ nid: String(this.#database.nextId()), configId, operation, dataId, group, namespaceId },
      ...{ content, md5, appName, sourceIp: by.ip, sourceUser: by.user, atMs },
    });
  }

  async #write<T>(work: () => T): Promise<T> {
    const result = await this.#call(work);
    if (this.faults.losesAnswers || this.#database.faults.losesAnswers) {
      throw new StoreError('unavailable', 'the memory store did not answer; the write may have been stored');
    }
    return result;
  }

  async #call<T>(work: () => T): Promise<T> {
    if (!this.#isRunning) throw new StoreError('unavailable', 'the memory store is not running');
    const delayMs = this.faults.delayMs + this.#database.faults.delayMs;
    if (delayMs > 0) await this.#host.clock.sleep(Math.min(delayMs, OPERATION_DEADLINE_MS));
    if (delayMs > OPERATION_DEADLINE_MS) {
      throw new StoreError('unavailable', `the memory store did not answer within ${OPERATION_DEADLINE_MS} ms`);
    }
    const down = this.faults.down ?? this.#database.faults.down;
    if (down !== undefined) throw new StoreError(down, `the memory store is ${down}`);
    return work();
  }
}

function noFaults(): StoreFaults {
  return { down: undefined, delayMs: 0, losesAnswers: false };
}

function fits(query: ConfigQuery, config: Config): boolean {
  const { namespaceId, dataId, group, appName, tags } = query;
  if (config.namespaceId !== namespaceId) return false;
  if (!fitsText(dataId, config.dataId) || !fitsText(group, config.group)) return false;
  if (appName !== undefined && config.appName !== appName) return false;
  return tags.length === 0 || tags.some((tag) => config.tags.includes(tag));
}

function boundedBytes(configs: readonly Config[]): readonly Config[] {
  requireSearchBytes(configs.reduce((sum, config) => sum + config.content.length, 0));
  return configs;
}
