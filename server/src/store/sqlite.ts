import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import {
  CHANGES_KEPT,
  CHANGES_PER_PAGE_MAX,
  checkConfigWrite,
  checkRecordKey,
  checkRecords,
  ITEMS_PER_PAGE_MAX,
  pageSize,
  pageStart,
} from './bounds.ts';
import type { ConfigHistory, HistoryReader } from './history.ts';
import { SqliteGroups } from './sqlite-group.ts';
import { SqliteThread } from './sqlite-thread.ts';
import {
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
} from './store.ts';

export interface SqliteSettings {
  readonly path: string;
  /** For tests; default `CHANGES_KEPT`. */
  readonly changesKept?: number;
}

export function createSqliteStore(host: Host, settings: SqliteSettings): Store & HistoryReader {
  return new SqliteStore(host, settings);
}

const HINT_EVERY_MS = 25;

/**
 * One file, shared by the processes of one machine. Two worker threads, so that neither an fsync nor a slow disk ever
 * holds the main thread: one writes in groups, one reads.
 */
class SqliteStore implements Store, HistoryReader {
  readonly kind = 'sqlite';
  readonly #host: Host;
  readonly #path: string;
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #groups: SqliteGroups;
  readonly #hintReaders: (() => void)[] = [];
  #hintTimer: Timer | undefined;
  #dataVersion: number | undefined;
  #isAskingVersion = false;

  constructor(host: Host, { path, changesKept = CHANGES_KEPT }: SqliteSettings) {
    this.#host = host;
    this.#path = path;
    this.#writer = new SqliteThread(host, { path, role: 'writer', changesKept });
    this.#reader = new SqliteThread(host, { path, role: 'reader', changesKept });
    this.#groups = new SqliteGroups(host, this.#writer, path);
  }

  async start(): Promise<void> {
    await makeDirectoryOf(this.#host, this.#path);
    // The reader opens an existing file only, so the writer comes first.
    await this.#writer.ask('open');
    await this.#reader.ask('open');
    this.#hintTimer = this.#host.clock.every(HINT_EVERY_MS, () => {
      if (this.#hintReaders.length === 0 || this.#isAskingVersion) return;
      this.#isAskingVersion = true;
      this.#host.background('sqlite hint', this.#askVersion());
    });
  }

  async stop(): Promise<void> {
    this.#hintTimer?.cancel();
    await this.#reader.stop();
    await this.#writer.stop();
  }

  async putConfig(write: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(write);
    const command = { op: 'put-config', write, nowMs: this.#host.clock.now() } as const;
    const result = await this.#groups.write(command, Buffer.byteLength(write.content));
    return result.outcome === 'written' ? result : { outcome: 'conflict' };
  }

  async removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    const result = await this.#groups.write({ op: 'remove-config', key, by, nowMs: this.#host.clock.now() }, 0);
    return result.outcome === 'written';
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#reader.ask('getConfig', key);
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const page = await this.#reader.ask('scanConfigs', pageSize(limit, ITEMS_PER_PAGE_MAX), pageStart(after));
    this.#report(page.damaged);
    return { items: page.items, next: page.next };
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#reader.ask('countConfigs', namespaceId);
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(records: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(records);
    if (records.length === 0) return this.revision();
    const bytes = records.reduce((sum, record) => sum + record.value.length, 0);
    const result = await this.#groups.write({ op: 'put-records', records }, bytes);
    return 'revision' in result ? result.revision : 0;
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
    return { items: page.items, next: page.next };
  }

  revision(): Promise<Revision> {
    return this.#reader.ask('revision');
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    return this.#reader.ask('changes', from, pageSize(limit, CHANGES_PER_PAGE_MAX));
  }

  history(key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]> {
    return this.#reader.ask('history', key, limit);
  }

  onHint(run: () => void): void {
    this.#hintReaders.push(run);
  }

  async #askVersion(): Promise<void> {
    try {
      const version = await this.#reader.ask('dataVersion');
      if (version === this.#dataVersion) return;
      this.#dataVersion = version;
      for (const run of this.#hintReaders) run();
    } catch (error) {
      // Followers poll anyway and meet the failure there; forty times a second it is not worth a line.
      this.#host.log.debug('no hint from sqlite', { error });
    } finally {
      this.#isAskingVersion = false;
    }
  }

  #report(damaged: readonly string[]): void {
    for (const what of damaged) this.#host.log.error('a damaged row is left out', { path: this.#path, what });
  }
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
