import { createHash } from 'node:crypto';
import { CONFIG_TYPES, type Config, type ConfigKey, type ConfigType } from '@nacos-kube/core/model/config.ts';
import { namespaceRecord, PAGE_BYTES_MAX, pageStart } from './bounds.ts';
import type { ConfigHistory } from './history.ts';
import type { MysqlSession, Row } from './mysql-session.ts';
import type { Page, RecordKind, StoredRecord } from './store.ts';

const CONFIG_COLUMNS = `c.id, c.data_id, c.group_id, c.tenant_id, c.content, c.type, c.app_name, c.c_desc, c.c_use, c.effect,
  c.c_schema, c.src_ip, c.src_user, UNIX_TIMESTAMP(c.gmt_create) AS created, UNIX_TIMESTAMP(c.gmt_modified) AS modified`;
const BY_KEY = 'data_id = ? AND group_id = ? AND tenant_id = ?';

export async function getConfig(session: MysqlSession, key: ConfigKey): Promise<Config | undefined> {
  const row = await session.row(`SELECT ${CONFIG_COLUMNS} FROM config_info c WHERE ${BY_KEY}`, keyValues(key));
  if (row === undefined) return undefined;
  const id = Number(row['id']);
  return readConfig(row, (await tagsOf(session, id - 1, id)).get(id));
}

export async function scanConfigs(session: MysqlSession, limit: number, after?: string): Promise<Page<Config>> {
  const start = pageStart(after);
  // Lengths first: nobody knows how large the contents are, and a page must stay small.
  const sizes = await session.rows(
    `SELECT id, LENGTH(content) AS bytes FROM config_info WHERE id > ? ORDER BY id LIMIT ${limit + 1}`,
    [start],
  );
  let count = 0;
  for (let bytes = 0; count < Math.min(limit, sizes.length) && bytes <= PAGE_BYTES_MAX; count += 1) {
    bytes += Number(sizes[count]!['bytes']);
  }
  if (count === 0) return { items: [], next: undefined };
  const end = Number(sizes[count - 1]!['id']);
  const rows = await session.rows(
    `SELECT ${CONFIG_COLUMNS} FROM config_info c WHERE c.id > ? AND c.id <= ? ORDER BY c.id`,
    [start, end],
  );
  const tags = await tagsOf(session, start, end);
  return {
    items: rows.map((row) => readConfig(row, tags.get(Number(row['id'])))),
    next: count < sizes.length ? String(end) : undefined,
  };
}

export async function countConfigs(session: MysqlSession, namespaceId: string): Promise<number> {
  const row = await session.row('SELECT COUNT(*) AS n FROM config_info WHERE tenant_id = ?', [namespaceId]);
  return Number(row?.['n']);
}

export async function history(session: MysqlSession, key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]> {
  const rows = await session.rows(
    `SELECT h.*, UNIX_TIMESTAMP(h.gmt_modified) AS modified FROM his_config_info h WHERE ${BY_KEY}
     ORDER BY nid DESC LIMIT ${limit}`,
    keyValues(key),
  );
  return rows.map((row) => ({
    ...readKey(row),
    nid: Number(row['nid']),
    configId: Number(row['id']),
    operation: textOf(row['op_type']).trim() as 'I' | 'U' | 'D',
    content: textOf(row['content']),
    md5: textOf(row['md5']),
    appName: textOf(row['app_name']),
    sourceIp: textOf(row['src_ip']),
    sourceUser: row['src_user'] as string | null,
    atMs: Number(row['modified']) * 1000,
  }));
}

export async function getRecord(
  session: MysqlSession,
  kind: RecordKind,
  key: string,
): Promise<StoredRecord | undefined> {
  if (kind === 'namespace') {
    const row = await session.row(`${NAMESPACES} AND tenant_id = ?`, [key]);
    return row === undefined ? undefined : readNamespace(row);
  }
  const row = await session.row('SELECT value FROM nk_record WHERE kind = ? AND record_key = ?', [kind, key]);
  return row === undefined ? undefined : { kind, key, value: textOf(row['value']) };
}

export async function scanRecords(
  session: MysqlSession,
  kind: RecordKind,
  limit: number,
  after: string,
): Promise<Page<StoredRecord>> {
  const rows =
    kind === 'namespace'
      ? await session.rows(`${NAMESPACES} AND tenant_id > ? ORDER BY tenant_id LIMIT ${limit + 1}`, [after])
      : await session.rows(
          `SELECT record_key, value FROM nk_record WHERE kind = ? AND record_key > ? ORDER BY record_key LIMIT ${limit + 1}`,
          [kind, after],
        );
  const records = rows.slice(0, limit).map((row): StoredRecord => {
    if (kind === 'namespace') return readNamespace(row);
    return { kind, key: readRecordKey(row), value: textOf(row['value']) };
  });
  return { items: records, next: rows.length > limit ? records.at(-1)?.key : undefined };
}

/** The id '' is no namespace: public is never stored. */
const NAMESPACES = `SELECT tenant_id, tenant_name, tenant_desc FROM tenant_info WHERE kp = '1' AND tenant_id <> ''`;

export function readRecordKey(row: Row): string {
  return (row['record_key'] as Buffer).toString('utf8');
}

export function readKey(row: Row): ConfigKey {
  return {
    dataId: textOf(row['data_id']),
    group: textOf(row['group_id']),
    namespaceId: textOf(row['tenant_id']),
  };
}

function readNamespace(row: Row): StoredRecord {
  return namespaceRecord({
    id: textOf(row['tenant_id']),
    name: textOf(row['tenant_name']),
    description: textOf(row['tenant_desc']),
  });
}

function readConfig(row: Row, tags: readonly string[] = []): Config {
  const content = textOf(row['content']);
  return {
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

/** Of the configs with an id over `after`, up to `to`. */
async function tagsOf(session: MysqlSession, after: number, to: number): Promise<ReadonlyMap<number, string[]>> {
  const rows = await session.rows(
    'SELECT id, tag_name FROM config_tags_relation WHERE id > ? AND id <= ? ORDER BY nid',
    [after, to],
  );
  const tags = new Map<number, string[]>();
  for (const row of rows) {
    const id = Number(row['id']);
    tags.set(id, [...(tags.get(id) ?? []), textOf(row['tag_name'])]);
  }
  return tags;
}

function keyValues({ dataId, group, namespaceId }: ConfigKey): string[] {
  return [dataId, group, namespaceId];
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}
