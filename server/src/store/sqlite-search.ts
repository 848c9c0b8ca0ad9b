import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { requireSearchBytes } from './bounds.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';
import type { FoundConfigs } from './sqlite-messages.ts';
import { BY_KEY, CONFIG_COLUMNS } from './sqlite-read.ts';
import {
  type ConfigRow,
  DamagedRowError,
  type HistoryRow,
  readConfig,
  readHistory,
  readHistoryEntry,
} from './sqlite-row.ts';
import type { ConfigQuery, Found, TextQuery } from './store.ts';
import { globOf } from './text-query.ts';

const HISTORY_COLUMNS =
  'nid, config_id, namespace_id, group_id, data_id, operation, md5, app_name, source_ip, source_user, at_ms';

/** Searches of a reader; what is asked for shapes the statement, so those over configs are made for each call. */
export class SqliteSearches {
  readonly #database: DatabaseSync;
  readonly #countHistory: StatementSync;
  readonly #searchHistory: StatementSync;
  readonly #getHistory: StatementSync;
  readonly #previous: StatementSync;
  readonly #end: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const prepare = (sql: string) => database.prepare(sql);
    this.#countHistory = prepare(`SELECT count(*) AS n FROM config_history WHERE ${BY_KEY}`);
    this.#searchHistory = prepare(
      `SELECT ${HISTORY_COLUMNS} FROM config_history WHERE ${BY_KEY} ORDER BY nid DESC LIMIT ? OFFSET ?`,
    );
    this.#getHistory = prepare('SELECT * FROM config_history WHERE nid = ?');
    this.#previous = prepare(
      `SELECT h.* FROM config c JOIN config_history h USING (namespace_id, group_id, data_id)
       WHERE c.id = ? AND h.config_id = c.id ORDER BY h.nid DESC LIMIT 1`,
    );
    this.#end = prepare(`SELECT * FROM config_history WHERE config_id = ? AND operation = 'D'`);
  }

  configs(query: ConfigQuery): FoundConfigs {
    const { where, values } = conditionsOf(query);
    const { n } = this.#database.prepare(`SELECT count(*) AS n FROM config WHERE ${where}`).get(...values) as {
      n: number;
    };
    // Ids first, so that only the rows of the page are sorted and read with their contents.
    const page = this.#database.prepare(
      `SELECT ${CONFIG_COLUMNS} FROM config
       WHERE id IN (SELECT id FROM config WHERE ${where} ORDER BY id LIMIT ? OFFSET ?) ORDER BY id`,
    );
    const rows = page.iterate(...values, query.limit, query.offset);
    return { ...collect(rows as unknown as Iterable<ConfigRow>), total: n };
  }

  configsById(ids: readonly number[]): FoundConfigs {
    const rows = this.#database
      .prepare(`SELECT ${CONFIG_COLUMNS} FROM config WHERE id IN (${marks(ids)}) ORDER BY id`)
      .iterate(...ids);
    return { ...collect(rows as unknown as Iterable<ConfigRow>), total: ids.length };
  }

  history({ namespaceId, group, dataId }: ConfigKey, offset: number, limit: number): Found<HistoryEntry> {
    const { n } = this.#countHistory.get(namespaceId, group, dataId) as { n: number };
    const rows = this.#searchHistory.all(namespaceId, group, dataId, limit, offset);
    return { items: (rows as unknown as HistoryRow[]).map(readHistoryEntry), total: n };
  }

  getHistory(nid: number): ConfigHistory | undefined {
    return readIfAny(this.#getHistory.get(nid));
  }

  previousHistory(configId: number): ConfigHistory | undefined {
    return readIfAny(this.#previous.get(configId) ?? this.#end.get(configId));
  }
}

function conditionsOf(query: ConfigQuery): { where: string; values: string[] } {
  const conditions = ['namespace_id = ?'];
  const values = [query.namespaceId];
  const text = (column: string, wanted: TextQuery | undefined) => {
    if (wanted === undefined) return;
    conditions.push(wanted.kind === 'equals' ? `${column} = ?` : `${column} GLOB ?`);
    values.push(wanted.kind === 'equals' ? wanted.text : globOf(wanted));
  };
  text('data_id', query.dataId);
  text('group_id', query.group);
  // A damaged row must not fail the search for all others.
  const facts = `CASE WHEN json_valid(facts) THEN facts ELSE '{}' END`;
  if (query.appName !== undefined) {
    conditions.push(`json_extract(${facts}, '$.appName') = ?`);
    values.push(query.appName);
  }
  if (query.tags.length > 0) {
    conditions.push(`EXISTS (SELECT 1 FROM json_each(${facts}, '$.tags') WHERE value IN (${marks(query.tags)}))`);
    values.push(...query.tags);
  }
  return { where: conditions.join(' AND '), values };
}

function collect(rows: Iterable<ConfigRow>): { items: Config[]; damaged: string[] } {
  const items: Config[] = [];
  const damaged: string[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += row.content.length;
    requireSearchBytes(bytes);
    try {
      items.push(readConfig(row));
    } catch (error) {
      if (!(error instanceof DamagedRowError)) throw error;
      damaged.push(error.message);
    }
  }
  return { items, damaged };
}

function readIfAny(row: unknown): ConfigHistory | undefined {
  return row === undefined ? undefined : readHistory(row as HistoryRow & { content: string });
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
