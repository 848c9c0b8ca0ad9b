import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { requireSearchBytes } from './bounds.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';
import { requireAny, rowsOfAnyKind, soundOf } from './mysql-damaged.ts';
import { isOfDamage } from './mysql-errors.ts';
import { BY_KEY, readConfigs, readKey, textOf } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession, type Row } from './mysql-session.ts';
import { keyValues } from './mysql-write.ts';
import type { ConfigQuery, Found, StoreError } from './store.ts';
import { likeOf } from './text-query.ts';

/** Rows that are damaged are left out, and named. */
interface Sound<Item> {
  readonly items: readonly Item[];
  readonly damaged: readonly string[];
}

/** Searches configs by their columns. `LIKE` also for equality: it pads no blanks. */
export async function searchConfigs(session: MysqlSession, query: ConfigQuery): Promise<Found<Config> & Sound<Config>> {
  const { where, values } = conditionsOf(query);
  const count = `SELECT COUNT(*) AS n FROM config_info c WHERE ${where}`;
  const select = (what: string) => `SELECT ${what} FROM config_info c WHERE ${where} ORDER BY c.id LIMIT ? OFFSET ?`;
  // As texts, since numbers go as floating point ones, which a limit does not take.
  const ofPage = [...values, String(query.limit), String(query.offset)];
  try {
    const counted = await session.row(count, values);
    const sizes = await session.rows(select(SIZES), ofPage);
    return { items: await readBounded(session, sizes), total: Number(counted?.['n']), damaged: [] };
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const [counted] = await rowsOfAnyKind(session, count, values);
  const ids = await rowsOfAnyKind(session, select('c.id'), ofPage);
  return { ...(await readSound(session, idsOf(ids))), total: Number(counted?.['n']) };
}

/** By ids that were checked to be digits. */
export async function getConfigs(session: MysqlSession, ids: readonly string[]): Promise<Sound<Config>> {
  if (ids.length === 0) return { items: [], damaged: [] };
  try {
    return { items: await readBounded(session, await sizesOf(session, ids)), damaged: [] };
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const sql = `SELECT c.id FROM config_info c WHERE c.id IN (${ids.join(', ')}) ORDER BY c.id`;
  return readSound(session, idsOf(await rowsOfAnyKind(session, sql)));
}

export async function searchHistory(
  session: MysqlSession,
  key: ConfigKey,
  offset: number,
  limit: number,
): Promise<Found<HistoryEntry> & Sound<HistoryEntry>> {
  const values = keyValues(key);
  const count = `SELECT COUNT(*) AS n FROM his_config_info WHERE ${BY_KEY}`;
  const select = (what: string) =>
    `SELECT ${what} FROM his_config_info h WHERE ${BY_KEY} ORDER BY nid DESC LIMIT ? OFFSET ?`;
  const ofPage = [...values, String(limit), String(offset)];
  try {
    const counted = await session.row(count, values);
    const rows = await session.rows(select(HISTORY_COLUMNS), ofPage);
    return { items: rows.map(readEntry), total: Number(counted?.['n']), damaged: [] };
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const [counted] = await rowsOfAnyKind(session, count, values);
  const nids = idsOf(await rowsOfAnyKind(session, select('h.nid AS id'), ofPage));
  const { read, damaged } = await soundOf(session, nids, (some) =>
    session.rowsOfText(
      `SELECT ${HISTORY_COLUMNS} FROM his_config_info h WHERE h.nid IN (${some.join(', ')}) ORDER BY h.nid DESC`,
    ),
  );
  requireAny(nids.length, [...damaged.values()]);
  const total = Number(counted?.['n']);
  return { items: read.map(readEntry), total, damaged: namesOf('his_config_info', damaged) };
}

export async function getHistory(session: MysqlSession, nid: string): Promise<ConfigHistory | undefined> {
  return readHistory(
    await session.row(`SELECT ${HISTORY_COLUMNS}, h.content FROM his_config_info h WHERE h.nid = ${ID_VALUE}`, [nid]),
  );
}

/** By the key of the config that stands, for there is no index on ids; only of one that is gone all rows are met. */
export async function previousHistory(session: MysqlSession, configId: string): Promise<ConfigHistory | undefined> {
  const select = `SELECT ${HISTORY_COLUMNS}, h.content FROM his_config_info h`;
  const newest = `h.id = ${ID_VALUE} AND h.op_type NOT LIKE 'I%' ORDER BY h.nid DESC LIMIT 1`;
  const config = await session.row(`SELECT data_id, group_id, tenant_id FROM config_info WHERE id = ${ID_VALUE}`, [
    configId,
  ]);
  const [where, values] =
    config === undefined
      ? [newest, [configId]]
      : [`${BY_KEY} AND ${newest}`, [...keyValues(readKey(config)), configId]];
  try {
    return readHistory(await session.row(`${select} WHERE ${where}`, values));
  } catch (error) {
    if (!isOfDamage(error)) throw error;
    // It may be an older one, which the server has met on its way.
    const [found] = await rowsOfAnyKind(session, `SELECT h.nid FROM his_config_info h WHERE ${where}`, values);
    const past = found && (await getHistory(session, String(found['nid'])));
    if (past === undefined) throw error;
    return past;
  }
}

const HISTORY_COLUMNS = `h.nid, h.id, h.data_id, h.group_id, h.tenant_id, h.app_name, h.md5, h.src_ip, h.src_user, h.op_type,
  UNIX_TIMESTAMP(h.gmt_modified) AS modified`;

const SIZES = 'c.id, LENGTH(c.content) AS bytes';

function sizesOf(session: MysqlSession, ids: readonly string[]): Promise<readonly Row[]> {
  return session.rowsOfText(`SELECT ${SIZES} FROM config_info c WHERE c.id IN (${ids.join(', ')})`);
}

async function readBounded(session: MysqlSession, sizes: readonly Row[]): Promise<readonly Config[]> {
  requireSearchBytes(sizes.reduce((sum, row) => sum + Number(row['bytes']), 0));
  return readConfigs(session, idsOf(sizes));
}

async function readSound(session: MysqlSession, ids: readonly string[]): Promise<Sound<Config>> {
  const sizes = await soundOf(session, ids, (some) => sizesOf(session, some));
  requireSearchBytes(sizes.read.reduce((sum, row) => sum + Number(row['bytes']), 0));
  const readable = ids.filter((id) => !sizes.damaged.has(id));
  const { read, damaged } = await soundOf(session, readable, (some) => readConfigs(session, some));
  const all = new Map([...sizes.damaged, ...damaged]);
  requireAny(ids.length, [...all.values()]);
  return { items: read, damaged: namesOf('config_info', all) };
}

function namesOf(table: string, damaged: ReadonlyMap<string, StoreError>): readonly string[] {
  return [...damaged].map(([id, { message }]) => `row ${id} of ${table}: ${message}`);
}

function idsOf(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => String(row['id']));
}

function conditionsOf(query: ConfigQuery): { where: string; values: string[] } {
  const like = (text: string) => likeOf({ kind: 'equals', text });
  const conditions = ['c.tenant_id = ?', 'c.tenant_id LIKE ?'];
  const values = [query.namespaceId, like(query.namespaceId)];
  const isAsked = (column: string, pattern: string | undefined) => {
    if (pattern === undefined) return;
    conditions.push(`${column} LIKE ?`);
    values.push(pattern);
  };
  isAsked('c.data_id', query.dataId && likeOf(query.dataId));
  isAsked('c.group_id', query.group && likeOf(query.group));
  isAsked(`COALESCE(c.app_name, '')`, query.appName === undefined ? undefined : like(query.appName));
  if (query.tags.length > 0) {
    const anyTag = query.tags.map(() => 'r.tag_name LIKE ?').join(' OR ');
    conditions.push(`EXISTS (SELECT 1 FROM config_tags_relation r WHERE r.id = c.id AND (${anyTag}))`);
    values.push(...query.tags.map(like));
  }
  return { where: conditions.join(' AND '), values };
}

function readEntry(row: Row): HistoryEntry {
  return {
    ...readKey(row),
    nid: String(row['nid']),
    configId: String(row['id']),
    operation: textOf(row['op_type']).trim() as 'I' | 'U' | 'D',
    md5: textOf(row['md5']),
    appName: textOf(row['app_name']),
    sourceIp: textOf(row['src_ip']),
    sourceUser: row['src_user'] as string | null,
    atMs: Number(row['modified']) * 1000,
  };
}

function readHistory(row: Row | undefined): ConfigHistory | undefined {
  return row === undefined ? undefined : { ...readEntry(row), content: textOf(row['content']) };
}
