import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ConfigKey, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX } from './bounds.ts';
import type {
  ChangedRows,
  ScannedConfigs,
  ScannedHistory,
  ScannedRecords,
  ScannedVariants,
} from './sqlite-messages.ts';
import { ConfigPacker, type PackedConfigs, type PackedKeys, unpackKeys } from './sqlite-packed-reads.ts';
import {
  type ChangeColumns,
  type ConfigRow,
  DamagedRowError,
  type HistoryRow,
  type RecordRow,
  readConfig,
  readHistory,
  readRecord,
  readVariant,
  type VariantRow,
} from './sqlite-row.ts';
import type { RecordKind, Revision, StoredRecord } from './store.ts';

export const CONFIG_COLUMNS = 'id, namespace_id, group_id, data_id, md5, facts, checksum, content';
export const BY_KEY = 'namespace_id = ? AND group_id = ? AND data_id = ?';

/** The statements of a reader; each call is one short read transaction, which never holds a checkpoint up. */
export class SqliteReads {
  readonly #getConfig: StatementSync;
  readonly #scanConfigs: StatementSync;
  readonly #countConfigs: StatementSync;
  readonly #getRecord: StatementSync;
  readonly #scanRecords: StatementSync;
  readonly #kept: StatementSync;
  readonly #changes: StatementSync;
  readonly #getVariants: StatementSync;
  readonly #scanVariants: StatementSync;
  readonly #scanHistory: StatementSync;
  readonly #dataVersion: StatementSync;

  constructor(database: DatabaseSync) {
    const prepare = (sql: string) => database.prepare(sql);
    this.#getConfig = prepare(`SELECT ${CONFIG_COLUMNS} FROM config WHERE ${BY_KEY}`);
    this.#scanConfigs = prepare(`SELECT ${CONFIG_COLUMNS} FROM config WHERE id > ? ORDER BY id LIMIT ?`);
    this.#countConfigs = prepare('SELECT count(*) AS n FROM config WHERE namespace_id = ?');
    this.#getRecord = prepare('SELECT * FROM record WHERE kind = ? AND key = ?');
    this.#scanRecords = prepare('SELECT * FROM record WHERE kind = ? AND key > ? ORDER BY key LIMIT ?');
    this.#kept = prepare(
      'SELECT (SELECT min(revision) FROM changes) AS oldest, (SELECT max(revision) FROM changes) AS newest',
    );
    this.#changes = prepare(
      'SELECT revision, kind, key, removed FROM changes WHERE revision > ? ORDER BY revision LIMIT ?',
    );
    this.#changes.setReturnArrays(true);
    this.#getVariants = prepare(`SELECT * FROM variant WHERE ${BY_KEY} ORDER BY id`);
    this.#scanVariants = prepare('SELECT * FROM variant WHERE id > ? ORDER BY id LIMIT ?');
    this.#scanHistory = prepare('SELECT * FROM config_history WHERE nid > ? ORDER BY nid LIMIT ?');
    this.#dataVersion = prepare('PRAGMA data_version');
  }

  getConfigs(keys: PackedKeys): PackedConfigs {
    const rows = new ConfigPacker();
    for (const { namespaceId, group, dataId } of unpackKeys(keys)) {
      rows.add(this.#getConfig.get(namespaceId, group, dataId) as ConfigRow | undefined);
      if (rows.bytes > PAGE_BYTES_MAX) break;
    }
    return rows.packed;
  }

  scanConfigs(limit: number, afterId: number): ScannedConfigs {
    const rows = this.#scanConfigs.iterate(afterId, limit + 1) as IterableIterator<ConfigRow>;
    const page = collect(rows, limit, readConfig, (row) => row.content.length);
    return { ...page, next: page.last === undefined ? undefined : String(page.last.id) };
  }

  countConfigs(namespaceId: string): number {
    return (this.#countConfigs.get(namespaceId) as { n: number }).n;
  }

  getRecord(kind: RecordKind, key: string): StoredRecord | undefined {
    const row = this.#getRecord.get(kind, key) as RecordRow | undefined;
    return row === undefined ? undefined : readRecord(row);
  }

  scanRecords(kind: RecordKind, limit: number, after: string): ScannedRecords {
    const rows = this.#scanRecords.iterate(kind, after, limit + 1) as IterableIterator<RecordRow>;
    const page = collect(rows, limit, readRecord, (row) => row.value.length);
    return { ...page, next: page.last?.key };
  }

  revision(): Revision {
    return this.#keptRange().newest;
  }

  changes(from: Revision, limit: number): ChangedRows {
    // Rows first: what is forgotten in between then shows as a gap, never as a page with a hole.
    const rows = this.#changes.all(from, limit) as unknown as ChangeColumns[];
    const { oldest, newest } = this.#keptRange();
    if (from < oldest - 1 || from > newest) return { gap: true, upTo: newest };
    return { gap: false, columns: rows.flat() };
  }

  getVariants(key: ConfigKey): readonly ConfigVariant[] {
    const rows = this.#getVariants.all(key.namespaceId, key.group, key.dataId) as unknown as VariantRow[];
    return rows.map(readVariant);
  }

  scanVariants(limit: number, afterId: number): ScannedVariants {
    const rows = this.#scanVariants.iterate(afterId, limit + 1) as unknown as IterableIterator<VariantRow>;
    const page = collect(rows, limit, readVariant, (row) => row.content.length);
    return { ...page, next: page.last === undefined ? undefined : String(page.last.id) };
  }

  scanHistory(limit: number, afterNid: number): ScannedHistory {
    type Row = HistoryRow & { readonly content: string };
    const rows = this.#scanHistory.iterate(afterNid, limit + 1) as unknown as IterableIterator<Row>;
    const page = collect(rows, limit, readHistory, (row) => row.content.length);
    return { ...page, next: page.last === undefined ? undefined : String(page.last.nid) };
  }

  dataVersion(): number {
    return (this.#dataVersion.get() as { data_version: number }).data_version;
  }

  #keptRange(): { oldest: Revision; newest: Revision } {
    const kept = this.#kept.get() as { oldest: number | null; newest: number | null };
    return { oldest: kept.oldest ?? 1, newest: kept.newest ?? 0 };
  }
}

/** Takes rows up to `limit` or `PAGE_BYTES_MAX`; `last` is the last row taken if more follow. */
function collect<Row, Item>(
  rows: IterableIterator<Row>,
  limit: number,
  read: (row: Row) => Item,
  bytesOf: (row: Row) => number,
): { items: Item[]; damaged: string[]; last: Row | undefined } {
  const items: Item[] = [];
  const damaged: string[] = [];
  let bytes = 0;
  let last: Row | undefined;
  for (const row of rows) {
    if (items.length + damaged.length === limit || bytes > PAGE_BYTES_MAX) return { items, damaged, last };
    try {
      items.push(read(row));
    } catch (error) {
      if (!(error instanceof DamagedRowError)) throw error;
      damaged.push(error.message);
    }
    bytes += bytesOf(row);
    last = row;
  }
  return { items, damaged, last: undefined };
}
