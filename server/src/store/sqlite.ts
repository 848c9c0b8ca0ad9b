import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { AskedTogether } from './asked-together.ts';
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
  pageOffset,
  pageSize,
  pageStart,
} from './bounds.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';
import { OwnChanges } from './own-changes.ts';
import { checkAtStart } from './sqlite-check.ts';
import { SqliteGroups } from './sqlite-group.ts';
import type { WriteResult } from './sqlite-messages.ts';
import { packKeys, unpackConfigs } from './sqlite-packed-reads.ts';
import { DamagedRowError, readChanges } from './sqlite-row.ts';
import { SqliteThread } from './sqlite-thread.ts';
import {
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
  type VariantWrite,
} from './store.ts';

export interface SqliteSettings {
  readonly path: string;
  /** For tests; default `CHANGES_KEPT`. */
  readonly changesKept?: number;
}

export function createSqliteStore(host: Host, settings: SqliteSettings): Store {
  return new SqliteStore(host, settings);
}

/** How often the file is looked at for what was committed, by whatever process. */
const WATCH_EVERY_MS = 25;
/** One message to the reader, which is through with them in about a millisecond. */
const READS_AT_ONCE = 64;

/**
 * One file, shared by the processes of one machine. Two worker threads, so that neither an fsync nor a slow disk ever
 * holds the main thread: one writes in groups, one reads.
 */
class SqliteStore implements Store {
  readonly kind = 'sqlite';
  readonly readsAtOnce = READS_AT_ONCE;
  readonly #host: Host;
  readonly #path: string;
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #groups: SqliteGroups;
  readonly #configReads: AskedTogether<ConfigKey, Config | undefined>;
  readonly #own = new OwnChanges(() => this.#hint());
  readonly #hintReaders: (() => void)[] = [];

  constructor(host: Host, { path, changesKept = CHANGES_KEPT }: SqliteSettings) {
    this.#host = host;
    this.#path = path;
    this.#writer = new SqliteThread(host, { path, role: 'writer', changesKept });
    const reading = { path, role: 'reader', changesKept, watchEveryMs: WATCH_EVERY_MS } as const;
    this.#reader = new SqliteThread(host, reading, () => this.#hint());
    this.#groups = new SqliteGroups(host, this.#writer, path);
    this.#configReads = new AskedTogether<ConfigKey, Config | undefined>(READS_AT_ONCE, (keys) =>
      this.#readConfigs(keys),
    );
  }

  async start(): Promise<void> {
    await makeDirectoryOf(this.#host, this.#path);
    await checkAtStart(this.#host, this.#path, this.#reader);
    // The reader opens an existing file only, so the writer comes first.
    await this.#writer.ask('open');
    await this.#reader.ask('open');
  }

  transactions(): number {
    return this.#groups.transactions;
  }

  async stop(): Promise<void> {
    await this.#reader.stop();
    await this.#writer.stop();
  }

  async putConfig(write: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(write);
    const command = { op: 'put-config', write, nowMs: this.#host.clock.now() } as const;
    this.#own.began();
    try {
      const result = await this.#groups.write(command, Buffer.byteLength(write.content));
      if (result.outcome !== 'written') return { outcome: 'conflict' };
      this.#own.note(result.revision, write);
      const { revision, md5 } = result;
      return md5 === undefined ? { outcome: 'written', revision } : { outcome: 'written', revision, md5 };
    } finally {
      this.#own.ended();
    }
  }

  async removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    const result = await this.#groups.write({ op: 'remove-config', key, by, nowMs: this.#host.clock.now() }, 0);
    return result.outcome === 'written';
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#configReads.get(key);
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const page = await this.#reader.ask('scanConfigs', pageSize(limit, ITEMS_PER_PAGE_MAX), pageStart(after));
    this.#report(page.damaged);
    return pageOf(page);
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#reader.ask('countConfigs', namespaceId);
  }

  async searchConfigs(query: ConfigQuery): Promise<Found<Config>> {
    checkConfigQuery(query);
    const offset = pageOffset(query.offset);
    const limit = pageSize(query.limit, CONFIGS_PER_SEARCH_MAX);
    const found = await this.#reader.ask('searchConfigs', { ...query, offset, limit });
    this.#report(found.damaged);
    return { items: found.items, total: found.total };
  }

  async getConfigs(ids: readonly string[]): Promise<readonly Config[]> {
    const { items, damaged } = await this.#reader.ask('getConfigsById', numbersOf(checkIds(ids)));
    this.#report(damaged);
    return items;
  }

  async removeConfigs(ids: readonly string[], by: Operator): Promise<number> {
    const nowMs = this.#host.clock.now();
    const result = await this.#groups.write({ op: 'remove-configs', ids: numbersOf(checkIds(ids)), by, nowMs }, 0);
    return result.outcome === 'written' ? result.changes : 0;
  }

  async putVariant(write: VariantWrite): Promise<Revision> {
    checkVariantWrite(write);
    const command = { op: 'put-variant', write, nowMs: this.#host.clock.now() } as const;
    return revisionOf(await this.#groups.write(command, Buffer.byteLength(write.content)));
  }

  async removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean> {
    const result = await this.#groups.write({ op: 'remove-variant', key, variant }, 0);
    return result.outcome === 'written';
  }

  getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]> {
    return this.#reader.ask('getVariants', key);
  }

  async scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>> {
    const page = await this.#reader.ask('scanVariants', pageSize(limit, ITEMS_PER_PAGE_MAX), pageStart(after));
    this.#report(page.damaged);
    return pageOf(page);
  }

  async searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>> {
    return this.#reader.ask('searchHistory', key, pageOffset(offset), pageSize(limit, HISTORY_PER_SEARCH_MAX));
  }

  async getHistory(nid: string): Promise<ConfigHistory | undefined> {
    const [number] = numbersOf([nid]);
    return number === undefined ? undefined : this.#reader.ask('getHistory', number);
  }

  async previousHistory(configId: string): Promise<ConfigHistory | undefined> {
    const [number] = numbersOf([configId]);
    return number === undefined ? undefined : this.#reader.ask('previousHistory', number);
  }

  async scanHistory(limit: number, after?: string): Promise<Page<ConfigHistory>> {
    const page = await this.#reader.ask('scanHistory', pageSize(limit, ITEMS_PER_PAGE_MAX), pageStart(after));
    this.#report(page.damaged);
    return pageOf(page);
  }

  async putMoved(rows: readonly MovedRow[]): Promise<void> {
    checkMoved(rows);
    if (rows.length === 0) return;
    const bytes = rows.reduce((sum, { row }) => sum + row.content.length, 0);
    await this.#groups.write({ op: 'put-moved', rows }, bytes);
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(records: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(records);
    if (records.length === 0) return this.revision();
    const bytes = records.reduce((sum, record) => sum + record.value.length, 0);
    return revisionOf(await this.#groups.write({ op: 'put-records', records }, bytes));
  }

  async removeRecord(kind: RecordKind, key: string): Promise<boolean> {
    checkRecordKey(key);
    const result = await this.#groups.write({ op: 'remove-record', kind, key }, 0);
    return result.outcome === 'written';
  }

  getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
    return this.#reader.ask('getRecord', kind, key);
  }

  async scanRecords(kind: RecordKind, limit: number, after = ''): Promise<Page<StoredRecord>> {
    const page = await this.#reader.ask('scanRecords', kind, pageSize(limit, ITEMS_PER_PAGE_MAX), after);
    this.#report(page.damaged);
    return pageOf(page);
  }

  revision(): Promise<Revision> {
    return this.#reader.ask('revision');
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    return this.#own.page(from, pageSize(limit, CHANGES_PER_PAGE_MAX), async (behind, most) => {
      const page = await this.#reader.ask('changes', behind, most);
      if (page.gap) return page;
      const changes = readChanges(page.columns);
      return { gap: false, changes, upTo: changes.at(-1)?.revision ?? behind };
    });
  }

  #hint(): void {
    for (const run of this.#hintReaders) run();
  }

  onHint(run: () => void): void {
    this.#hintReaders.push(run);
  }

  async #readConfigs(keys: readonly ConfigKey[]): Promise<readonly (Config | undefined | StoreError)[]> {
    const configs = unpackConfigs(keys, await this.#reader.ask('getConfigs', packKeys(keys)));
    return configs.map((config) => (config instanceof DamagedRowError ? this.#damaged(config) : config));
  }

  #damaged({ message }: DamagedRowError): StoreError {
    return new StoreError('damaged', `sqlite file ${this.#path}: ${message}`);
  }

  #report(damaged: readonly string[]): void {
    for (const what of damaged) this.#host.log.error('a damaged row is left out', { path: this.#path, what });
  }
}

function pageOf<T>({ items, next, damaged }: Page<T>): Page<T> {
  return { items, next, ...(damaged !== undefined && damaged.length > 0 && { damaged }) };
}

/** Of what cannot but be written. */
function revisionOf(result: WriteResult): Revision {
  return result.outcome === 'written' ? result.revision : 0;
}

/** Sqlite counts from 1 on, so what is no number here is no id of its rows. */
function numbersOf(ids: readonly string[]): readonly number[] {
  return ids.filter(isId).map(Number).filter(Number.isSafeInteger);
}

async function makeDirectoryOf(host: Host, path: string): Promise<void> {
  const end = path.lastIndexOf('/');
  if (end <= 0) return;
  try {
    await host.disk.makeDirectory(path.slice(0, end));
  } catch (cause) {
    const message = `sqlite file ${path}: its directory cannot be made (${(cause as Error).message})`;
    throw new StoreError(cause instanceof DiskError && cause.kind === 'full' ? 'read-only' : 'misconfigured', message, {
      cause,
    });
  }
}
