import { createHash } from 'node:crypto';
import { CONFIG_TYPES, type Config, type ConfigKey, type ConfigType } from '@nacos-kube/core/model/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { PAGE_BYTES_MAX } from './bounds.ts';
import { oneByOne, ROWS_ONE_BY_ONE_MAX, rowsOfAnyKind, type Scanned, soundPage } from './mysql-damaged.ts';
import { isOfDamage } from './mysql-errors.ts';
import { ID_VALUE, type MysqlSession, type Row } from './mysql-session.ts';
import type { Page, StoreError } from './store.ts';

const CONFIG_COLUMNS = `c.id, c.data_id, c.group_id, c.tenant_id, c.content, c.type, c.app_name, c.c_desc, c.c_use, c.effect,
  c.c_schema, c.src_ip, c.src_user, UNIX_TIMESTAMP(c.gmt_create) AS created, UNIX_TIMESTAMP(c.gmt_modified) AS modified`;
export const BY_KEY = 'data_id = ? AND group_id = ? AND tenant_id = ?';

export async function getConfig(session: MysqlSession, key: ConfigKey): Promise<Config | undefined> {
  const row = await session.row(`SELECT ${CONFIG_COLUMNS} FROM config_info c WHERE ${BY_KEY}`, keyValues(key));
  if (row === undefined || !isOf(key, row)) return undefined;
  return readConfig(row, (await tagsOf(session, [row])).get(String(row['id'])));
}

/** Of the first of these keys, as many as one page holds. */
export async function getSoundConfigs(
  session: MysqlSession,
  keys: readonly ConfigKey[],
): Promise<readonly (Config | undefined | StoreError)[]> {
  try {
    return await getConfigsOf(session, keys);
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  return oneByOne(session, keys.slice(0, ROWS_ONE_BY_ONE_MAX), (key) => getConfig(session, key), charsOf);
}

async function getConfigsOf(
  session: MysqlSession,
  keys: readonly ConfigKey[],
): Promise<readonly (Config | undefined)[]> {
  if (keys.length === 1) return [await getConfig(session, keys[0]!)];
  const asked = filledUp(keys);
  const rows = await session.rows(
    `SELECT id, data_id, group_id, tenant_id, LENGTH(content) AS bytes FROM config_info
     WHERE ${asked.map(() => `(${BY_KEY})`).join(' OR ')}`,
    asked.flatMap(keyValues),
  );
  const sizes = new Map(rows.map((row) => [groupKey(readKey(row)), row]));
  const taken: string[] = [];
  const ids: string[] = [];
  for (let bytes = 0; taken.length < keys.length && bytes <= PAGE_BYTES_MAX; ) {
    const text = groupKey(keys[taken.length]!);
    const size = sizes.get(text);
    taken.push(text);
    if (size === undefined) continue;
    bytes += Number(size['bytes']);
    ids.push(String(size['id']));
  }
  const found = new Map((await readConfigs(session, ids)).map((config) => [groupKey(config), config]));
  const configs: (Config | undefined)[] = [];
  for (const [i, text] of taken.entries()) {
    // What is gone by now may have been written anew, with another id.
    const isUnsure = sizes.has(text) && !found.has(text);
    configs.push(isUnsure ? await getConfig(session, keys[i]!) : found.get(text));
  }
  return configs;
}

/** Up to a power of two, so that connections prepare few statements; a key that comes twice is found once. */
function filledUp(keys: readonly ConfigKey[]): readonly ConfigKey[] {
  const count = 2 ** Math.ceil(Math.log2(keys.length));
  return Array.from({ length: count }, (_, i) => keys[Math.min(i, keys.length - 1)]!);
}

export async function scanConfigs(session: MysqlSession, limit: number, after: string): Promise<Page<Config>> {
  const scanned: Scanned<Config> = {
    page: (size, behind) => configPage(session, size, behind),
    keys: (size, behind) => idsBehind(session, 'config_info', 'id', size, behind),
    read: async (id) => (await readConfigs(session, [id]))[0],
    name: (id) => `row ${id} of config_info`,
    charsOf,
  };
  return soundPage(session, scanned, limit, after);
}

/** Of the rows with the next higher ids. */
export async function idsBehind(
  session: MysqlSession,
  table: string,
  idColumn: string,
  limit: number,
  after: string,
): Promise<readonly string[]> {
  const sql = `SELECT ${idColumn} AS id FROM ${table} WHERE ${idColumn} > ${ID_VALUE} ORDER BY ${idColumn} LIMIT ${limit}`;
  return (await rowsOfAnyKind(session, sql, [after])).map((row) => String(row['id']));
}

export function charsOf({ content }: { readonly content: string }): number {
  return content.length;
}

async function configPage(session: MysqlSession, limit: number, after: string): Promise<Page<Config>> {
  // Lengths first: nobody knows how large the contents are, and a page must stay small.
  const sizes = await session.rows(
    `SELECT id, LENGTH(content) AS bytes FROM config_info WHERE id > ${ID_VALUE} ORDER BY id LIMIT ${limit + 1}`,
    [after],
  );
  const { ids, isMore } = pageOf(sizes, limit);
  return { items: await readConfigs(session, ids), next: isMore ? ids.at(-1) : undefined };
}

/** Of rows with their sizes, those of one page. */
export function pageOf(sizes: readonly Row[], limit: number): { ids: readonly string[]; isMore: boolean } {
  let count = 0;
  for (let bytes = 0; count < Math.min(limit, sizes.length) && bytes <= PAGE_BYTES_MAX; count += 1) {
    bytes += Number(sizes[count]!['bytes']);
  }
  return { ids: sizes.slice(0, count).map((row) => String(row['id'])), isMore: count < sizes.length };
}

/** By ids that were checked to be digits. */
export async function readConfigs(session: MysqlSession, ids: readonly string[]): Promise<readonly Config[]> {
  if (ids.length === 0) return [];
  const rows = await session.rowsOfText(
    `SELECT ${CONFIG_COLUMNS} FROM config_info c WHERE c.id IN (${ids.join(', ')}) ORDER BY c.id`,
  );
  const tags = await tagsOf(session, rows);
  return rows.map((row) => readConfig(row, tags.get(String(row['id']))));
}

export async function countConfigs(session: MysqlSession, namespaceId: string): Promise<number> {
  const sql = 'SELECT COUNT(*) AS n FROM config_info WHERE tenant_id = ?';
  const [row] = await rowsOfAnyKind(session, sql, [namespaceId]);
  return Number(row?.['n']);
}

export function readRecordKey(row: Row): string {
  return (row['record_key'] as Buffer).toString('utf8');
}

/** Tables that were made without the script may tell no upper from lower case, and then find the row of another name. */
export function isOf({ dataId, group, namespaceId }: ConfigKey, row: Row): boolean {
  const found = readKey(row);
  return found.dataId === dataId && found.group === group && found.namespaceId === namespaceId;
}

export function readKey(row: Row): ConfigKey {
  return {
    dataId: textOf(row['data_id']),
    group: textOf(row['group_id']),
    namespaceId: textOf(row['tenant_id']),
  };
}

function readConfig(row: Row, tags: readonly string[] = []): Config {
  const content = textOf(row['content']);
  return {
    id: String(row['id']),
    ...readKey(row),
    content,
    // As Java's dump does: the column may be empty or stale where somebody wrote by hand.
    md5: createHash('md5').update(content, 'utf8').digest('hex'),
    type: CONFIG_TYPES.find((type) => type === row['type']) ?? ('text' satisfies ConfigType),
    appName: textOf(row['app_name']),
    description: row['c_desc'] as string | null,
    use: row['c_use'] as string | null,
    effect: row['effect'] as string | null,
    schema: row['c_schema'] as string | null,
    tags,
    createdMs: Number(row['created']) * 1000,
    modifiedMs: Number(row['modified']) * 1000,
    sourceIp: textOf(row['src_ip']),
    sourceUser: row['src_user'] as string | null,
  };
}

async function tagsOf(session: MysqlSession, configs: readonly Row[]): Promise<ReadonlyMap<string, string[]>> {
  const tags = new Map<string, string[]>();
  if (configs.length === 0) return tags;
  const ids = configs.map((row) => String(row['id'])).join(', ');
  const rows = await session.rowsOfText(
    `SELECT id, tag_name FROM config_tags_relation WHERE id IN (${ids}) ORDER BY nid`,
  );
  for (const row of rows) {
    const id = String(row['id']);
    const [known = [], tag] = [tags.get(id), textOf(row['tag_name'])];
    // The index of 1.4 lets one come twice, as its type may be none, and Java nodes store what they are sent.
    if (!known.includes(tag)) tags.set(id, [...known, tag]);
  }
  return tags;
}

function keyValues({ dataId, group, namespaceId }: ConfigKey): string[] {
  return [dataId, group, namespaceId];
}

export function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}
