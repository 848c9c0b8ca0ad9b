import {
  type CapacityOf,
  capacityOf,
  capacityRecord,
  namespaceRecord,
  parseCapacity,
  parseNamespace,
} from './bounds.ts';
import { rowsOfAnyKind, type Scanned, soundPage } from './mysql-damaged.ts';
import { recordMark } from './mysql-marks.ts';
import { readRecordKey, textOf } from './mysql-read.ts';
import type { MysqlSession, Row, SqlValue } from './mysql-session.ts';
import { chunks, ROWS_PER_STATEMENT, requireWritable } from './mysql-write.ts';
import { type Page, type RecordKind, type Revision, type StoredRecord, StoreError } from './store.ts';

/** Namespaces and capacity are in tables of the 1.4 schema; all other records in `nk_record`. */
export async function getRecord(
  session: MysqlSession,
  kind: RecordKind,
  key: string,
): Promise<StoredRecord | undefined> {
  if (kind === 'namespace') {
    const row = await session.row(`${NAMESPACES} AND tenant_id = ?`, [key]);
    return row === undefined ? undefined : readNamespace(row);
  }
  if (kind === 'capacity') {
    const of = capacityOf(key);
    if (of === undefined || of.name.endsWith(' ')) return undefined;
    const row = await session.row(`${capacitiesSql(of.kind)} WHERE ${of.kind}_id = ?`, [of.name]);
    return row === undefined ? undefined : readCapacity(of.kind, row);
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
  const scanned: Scanned<StoredRecord> = {
    page: async (size, behind) => {
      const records = await scan(session, kind, size + 1, behind);
      const items = records.slice(0, size);
      return { items, next: records.length > size ? items.at(-1)?.key : undefined };
    },
    keys: (size, behind) => keysBehind(session, kind, size, behind),
    read: (key) => getRecord(session, kind, key),
    name: (key) => `${kind} ${key}`,
    charsOf: ({ value }) => value.length,
  };
  return soundPage(session, scanned, limit, after);
}

/** In the order and with the bounds of `scan`. */
async function keysBehind(session: MysqlSession, kind: RecordKind, limit: number, after: string): Promise<string[]> {
  const keysOf = async (sql: string, values: readonly string[], prefix = '') =>
    (await rowsOfAnyKind(session, sql, values)).map((row) => `${prefix}${textOf(row['record_key'])}`);
  if (kind === 'namespace') {
    return keysOf(
      `SELECT tenant_id AS record_key FROM tenant_info WHERE kp = '1' AND tenant_id <> '' AND tenant_id > ?
       ORDER BY tenant_id LIMIT ${limit}`,
      [after],
    );
  }
  if (kind === 'capacity') {
    const namesOf = (of: CapacityOf['kind'], most: number) => {
      const { where, value } = capacitiesBehind(of, after);
      const sql = `SELECT ${of}_id AS record_key FROM ${of}_capacity WHERE ${where} ORDER BY ${of}_id LIMIT ${most}`;
      return keysOf(sql, [value], `${of}:`);
    };
    const groups = after < 'tenant:' ? await namesOf('group', limit) : [];
    return groups.length === limit ? groups : [...groups, ...(await namesOf('tenant', limit - groups.length))];
  }
  const sql = `SELECT record_key FROM nk_record WHERE kind = ? AND record_key > ? ORDER BY record_key LIMIT ${limit}`;
  return keysOf(sql, [kind, after]);
}

async function scan(session: MysqlSession, kind: RecordKind, limit: number, after: string): Promise<StoredRecord[]> {
  if (kind === 'namespace') {
    const rows = await session.rows(`${NAMESPACES} AND tenant_id > ? ORDER BY tenant_id LIMIT ${limit}`, [after]);
    return rows.map(readNamespace);
  }
  if (kind === 'capacity') {
    const groups = after < 'tenant:' ? await scanCapacities(session, 'group', limit, after) : [];
    if (groups.length === limit) return groups;
    return [...groups, ...(await scanCapacities(session, 'tenant', limit - groups.length, after))];
  }
  const rows = await session.rows(
    `SELECT record_key, value FROM nk_record WHERE kind = ? AND record_key > ? ORDER BY record_key LIMIT ${limit}`,
    [kind, after],
  );
  return rows.map((row) => ({ kind, key: readRecordKey(row), value: textOf(row['value']) }));
}

export async function putRecords(session: MysqlSession, records: readonly StoredRecord[]): Promise<Revision> {
  await requireWritable(session);
  const plain = records.filter((record) => record.kind !== 'namespace' && record.kind !== 'capacity');
  for (const rows of chunks(plain, ROWS_PER_STATEMENT)) {
    await session.change(
      `INSERT INTO nk_record (kind, record_key, value) VALUES ${rows.map(() => '(?, ?, ?)').join(', ')}
       ON DUPLICATE KEY UPDATE value = VALUES(value)`,
      rows.flatMap(({ kind, key, value }) => [kind, key, value]),
    );
  }
  for (const record of records) {
    if (record.kind === 'namespace') await putNamespace(session, record);
    if (record.kind === 'capacity') await putCapacity(session, record);
  }
  let revision: Revision = 0;
  for (const rows of chunks(records, ROWS_PER_STATEMENT)) {
    const { id } = await session.change(
      `INSERT INTO nk_change (kind, removed, record_key, mark) VALUES ${rows.map(() => '(?, 0, ?, ?)').join(', ')}`,
      rows.flatMap((record): SqlValue[] => [record.kind, record.key, recordMark(record)]),
    );
    // The ids of one insert follow each other, and it names the first.
    revision = Number(id) + (rows.length - 1) * session.autoIncrementStep;
  }
  return revision;
}

export async function removeRecord(session: MysqlSession, kind: RecordKind, key: string): Promise<boolean> {
  await requireWritable(session);
  if (kind === 'capacity') return removeCapacity(session, key);
  const { met } =
    kind === 'namespace'
      ? await session.change(`DELETE FROM tenant_info WHERE kp = '1' AND tenant_id = ?`, [key])
      : await session.change('DELETE FROM nk_record WHERE kind = ? AND record_key = ?', [kind, key]);
  if (met > 0) await noteRecord(session, kind, key, undefined);
  return met > 0;
}

/** The feed's word on a record; without a mark that it was removed. */
export async function noteRecord(
  session: MysqlSession,
  kind: RecordKind,
  key: string,
  mark: string | undefined,
): Promise<void> {
  await session.change('INSERT INTO nk_change (kind, removed, record_key, mark) VALUES (?, ?, ?, ?)', [
    ...[kind, mark === undefined ? 1 : 0, key, mark ?? ''],
  ]);
}

/** The id '' is no namespace: public is never stored. */
const NAMESPACES = `SELECT tenant_id, tenant_name, tenant_desc FROM tenant_info WHERE kp = '1' AND tenant_id <> ''`;

function readNamespace(row: Row): StoredRecord {
  return namespaceRecord({
    id: textOf(row['tenant_id']),
    name: textOf(row['tenant_name']),
    description: textOf(row['tenant_desc']),
  });
}

async function putNamespace(session: MysqlSession, record: StoredRecord): Promise<void> {
  const { id, name, description } = parseNamespace(record);
  await session.change(
    `INSERT INTO tenant_info (kp, tenant_id, tenant_name, tenant_desc, create_source, gmt_create, gmt_modified)
     VALUES ('1', ?, ?, ?, 'nacos', ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000), ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000))
     ON DUPLICATE KEY UPDATE tenant_name = VALUES(tenant_name), tenant_desc = VALUES(tenant_desc),
       gmt_modified = VALUES(gmt_modified)`,
    [id, name, description],
  );
}

function capacitiesSql(kind: CapacityOf['kind']): string {
  return `SELECT ${kind}_id AS name, quota, max_size, max_aggr_count, max_aggr_size FROM ${kind}_capacity`;
}

async function scanCapacities(
  session: MysqlSession,
  kind: CapacityOf['kind'],
  limit: number,
  after: string,
): Promise<StoredRecord[]> {
  const { where, value } = capacitiesBehind(kind, after);
  const rows = await session.rows(`${capacitiesSql(kind)} WHERE ${where} ORDER BY ${kind}_id LIMIT ${limit}`, [value]);
  return rows.map((row) => readCapacity(kind, row));
}

/** The empty name is the first of all, and the only one that `>` would leave out at the start. */
function capacitiesBehind(kind: CapacityOf['kind'], after: string): { where: string; value: string } {
  if (!after.startsWith(`${kind}:`)) return { where: `? = ''`, value: '' };
  return { where: `${kind}_id > ?`, value: after.slice(kind.length + 1) };
}

function readCapacity(kind: CapacityOf['kind'], row: Row): StoredRecord {
  return capacityRecord(
    { kind, name: textOf(row['name']) },
    {
      quota: Number(row['quota']),
      maxSize: Number(row['max_size']),
      maxAggrCount: Number(row['max_aggr_count']),
      maxAggrSize: Number(row['max_aggr_size']),
    },
  );
}

/** The `usage` beside the limits is counted by Java nodes, and is theirs. */
async function putCapacity(session: MysqlSession, record: StoredRecord): Promise<void> {
  const { kind, name, limits } = parseCapacity(record);
  if (name.endsWith(' ')) throw new StoreError('invalid', 'MySQL cannot tell names apart that end in a blank');
  await session.change(
    `INSERT INTO ${kind}_capacity (${kind}_id, quota, max_size, max_aggr_count, max_aggr_size, gmt_create, gmt_modified)
     VALUES (?, ?, ?, ?, ?, NOW(), NOW())
     ON DUPLICATE KEY UPDATE quota = VALUES(quota), max_size = VALUES(max_size),
       max_aggr_count = VALUES(max_aggr_count), max_aggr_size = VALUES(max_aggr_size), gmt_modified = NOW()`,
    [name, limits.quota, limits.maxSize, limits.maxAggrCount, limits.maxAggrSize],
  );
}

/** A row that counts a usage stays without limits, which is the same as none. */
async function removeCapacity(session: MysqlSession, key: string): Promise<boolean> {
  const of = capacityOf(key);
  if (of === undefined || of.name.endsWith(' ')) return false;
  const row = await session.row(
    `SELECT \`usage\` AS counted FROM ${of.kind}_capacity WHERE ${of.kind}_id = ? FOR UPDATE`,
    [of.name],
  );
  if (row === undefined) return false;
  if (Number(row['counted']) === 0) {
    await session.change(`DELETE FROM ${of.kind}_capacity WHERE ${of.kind}_id = ?`, [of.name]);
    await noteRecord(session, 'capacity', key, undefined);
    return true;
  }
  const none = capacityRecord(of, { quota: 0, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 });
  await putCapacity(session, none);
  await noteRecord(session, 'capacity', key, recordMark(none));
  return true;
}
