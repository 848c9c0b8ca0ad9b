import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import {
  CHANGES_KEPT,
  CHANGES_PER_PAGE_MAX,
  checkConfigWrite,
  checkRecordKey,
  checkRecords,
  ITEMS_PER_PAGE_MAX,
  isTimeToForget,
  OPERATION_DEADLINE_MS,
  pageSize,
  pageStart,
} from './bounds.ts';
import { type ConfigHistory, configAfter, type HistoryReader, isExpected } from './history.ts';
import {
  type Change,
  type ChangedThing,
  type ChangePage,
  type ConfigWrite,
  type ConfigWritten,
  type Operator,
  type Page,
  type RecordKind,
  type Revision,
  type Store,
  type StoredRecord,
  StoreError,
  type StoreErrorKind,
} from './store.ts';

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

export interface MemoryStore extends Store, HistoryReader {
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
  readonly configs = new Map<string, { readonly id: number; readonly config: Config }>();
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
      const old = this.#database.configs.get(configId(write));
      if (!isExpected(write.expectedMd5, old?.config.md5)) return { outcome: 'conflict' };
      const nowMs = this.#host.clock.now();
      const config = configAfter(write, old?.config, nowMs);
      this.#database.configs.set(configId(write), { id: old?.id ?? this.#database.nextId(), config });
      this.#remember(old === undefined ? 'I' : 'U', old?.id ?? 0, old?.config ?? config, write.by, nowMs);
      return { outcome: 'written', revision: this.#database.note({ kind: 'config', key: keyOf(write) }, false) };
    });
  }

  removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    return this.#write(() => {
      const old = this.#database.configs.get(configId(key));
      if (old === undefined) return false;
      this.#database.configs.delete(configId(key));
      this.#remember('D', old.id, old.config, by, this.#host.clock.now());
      this.#database.note({ kind: 'config', key: keyOf(key) }, true);
      return true;
    });
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#call(() => this.#database.configs.get(configId(key))?.config);
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => {
      // A Map keeps the order of first insertion, and so of the ids.
      const rows = [...this.#database.configs.values()].filter((row) => row.id > start);
      const next = rows.length > size ? String(rows[size - 1]!.id) : undefined;
      return { items: rows.slice(0, size).map((row) => row.config), next };
    });
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#call(
      () => [...this.#database.configs.values()].filter((row) => row.config.namespaceId === namespaceId).length,
    );
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

  async history(key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]> {
    return this.#call(() =>
      this.#database.history
        .filter((entry) => configId(entry) === configId(key))
        .reverse()
        .slice(0, limit),
    );
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

  #remember(operation: 'I' | 'U' | 'D', id: number, past: Config, by: Operator, atMs: number): void {
    const { dataId, group, namespaceId, content, md5, appName } = past;
    this.#database.remember({
      ...{ nid: this.#database.nextId(), configId: id, operation, dataId, group, namespaceId },
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

function configId(key: ConfigKey): string {
  return JSON.stringify([key.namespaceId, key.group, key.dataId]);
}

function keyOf({ dataId, group, namespaceId }: ConfigKey): ConfigKey {
  return { dataId, group, namespaceId };
}
