import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { parseNamespace } from './bounds.ts';
import { configMark, namespaceMark } from './mysql-marks.ts';
import type { MysqlSession, Row, SqlValue } from './mysql-session.ts';
import {
  type ConfigWrite,
  type ConfigWritten,
  type Operator,
  type RecordKind,
  type Revision,
  type StoredRecord,
  StoreError,
} from './store.ts';

/** Beside the content, in one packet. */
const PACKET_BYTES_SPARE = 256 * 1024;
const ROWS_PER_STATEMENT = 50;
const BY_KEY = 'c.data_id = ? AND c.group_id = ? AND c.tenant_id = ?';

/** Row, tags, history and change as the 1.4 schema and the feed have them; runs inside one transaction. */
export async function putConfig(session: MysqlSession, write: ConfigWrite): Promise<ConfigWritten> {
  const old = await lockConfig(session, write, write.expectedMd5 !== undefined);
  if (write.expectedMd5 !== undefined && write.expectedMd5 !== (old?.md5 ?? '')) return { outcome: 'conflict' };
  const id = old === undefined ? await insertConfig(session, write) : old.id;
  const nid = await remember(session, old === undefined ? 'I' : 'U', id, write.by);
  if (old !== undefined) await updateConfig(session, id, write);
  if (write.tags !== undefined) await replaceTags(session, id, write, write.tags);
  const revision = await noteConfig(session, write, configMark(write), nid);
  return { outcome: 'written', revision };
}

export async function removeConfig(session: MysqlSession, key: ConfigKey, by: Operator): Promise<boolean> {
  const old = await lockConfig(session, key, false);
  if (old === undefined) return false;
  const nid = await remember(session, 'D', old.id, by);
  await session.change('DELETE FROM config_info WHERE id = ?', [old.id]);
  await session.change('DELETE FROM config_tags_relation WHERE id = ?', [old.id]);
  await noteConfig(session, key, undefined, nid);
  return true;
}

/** The feed's word on a config; without a mark that it was removed. The last statement before a commit. */
export async function noteConfig(
  session: MysqlSession,
  { dataId, group, namespaceId }: ConfigKey,
  mark: string | undefined,
  historyNid: number | null,
): Promise<Revision> {
  const { id } = await session.change(
    `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, mark, history_nid)
     VALUES ('config', ?, ?, ?, ?, ?, ?)`,
    [mark === undefined ? 1 : 0, dataId, group, namespaceId, mark ?? '', historyNid],
  );
  return id;
}

export async function putRecords(session: MysqlSession, records: readonly StoredRecord[]): Promise<Revision> {
  await requireWritable(session);
  const plain = records.filter((record) => record.kind !== 'namespace');
  for (const rows of chunks(plain, ROWS_PER_STATEMENT)) {
    await session.change(
      `INSERT INTO nk_record (kind, record_key, value) VALUES ${rows.map(() => '(?, ?, ?)').join(', ')}
       ON DUPLICATE KEY UPDATE value = VALUES(value)`,
      rows.flatMap(({ kind, key, value }) => [kind, key, value]),
    );
  }
  for (const record of records) if (record.kind === 'namespace') await putNamespace(session, record);
  let revision: Revision = 0;
  for (const rows of chunks(records, ROWS_PER_STATEMENT)) {
    const { id } = await session.change(
      `INSERT INTO nk_change (kind, removed, record_key, mark) VALUES ${rows.map(() => '(?, 0, ?, ?)').join(', ')}`,
      rows.flatMap((record) => [record.kind, record.key, record.kind === 'namespace' ? namespaceMark(record) : '']),
    );
    // The ids of one insert follow each other, and it names the first.
    revision = id + (rows.length - 1) * session.autoIncrementStep;
  }
  return revision;
}

export async function removeRecord(session: MysqlSession, kind: RecordKind, key: string): Promise<boolean> {
  await requireWritable(session);
  const { met } =
    kind === 'namespace'
      ? await session.change(`DELETE FROM tenant_info WHERE kp = '1' AND tenant_id = ?`, [key])
      : await session.change('DELETE FROM nk_record WHERE kind = ? AND record_key = ?', [kind, key]);
  if (met === 0) return false;
  await session.change('INSERT INTO nk_change (kind, removed, record_key) VALUES (?, 1, ?)', [kind, key]);
  return true;
}

/** Locks the row if there is one, and refuses a server that turned read-only under a user who could write still (F13). */
async function lockConfig(
  session: MysqlSession,
  key: ConfigKey,
  withMd5: boolean,
): Promise<{ id: number; md5: string } | undefined> {
  const row = await session.row(
    `SELECT s.read_only, c.id${withMd5 ? ', MD5(c.content) AS md5' : ''}
     FROM (SELECT @@global.read_only AS read_only) s LEFT JOIN config_info c ON ${BY_KEY} FOR UPDATE`,
    keyValues(key),
  );
  refuseReadOnly(session, row);
  if (row === undefined || row['id'] === null) return undefined;
  return { id: Number(row['id']), md5: String(row['md5'] ?? '') };
}

async function requireWritable(session: MysqlSession): Promise<void> {
  refuseReadOnly(session, await session.row('SELECT @@global.read_only AS read_only'));
}

function refuseReadOnly(session: MysqlSession, row: Row | undefined): void {
  if (Number(row?.['read_only']) === 0) return;
  throw new StoreError('read-only', `${session.place}: the server is read-only, a replica or one that is failing over`);
}

async function insertConfig(session: MysqlSession, write: ConfigWrite): Promise<number> {
  requirePacket(session, write.content);
  const { id } = await session.change(
    `INSERT INTO config_info (data_id, group_id, tenant_id, content, md5, src_ip, src_user, app_name,
       c_desc, c_use, effect, type, c_schema, gmt_create, gmt_modified)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NOW(), NOW())`,
    [
      ...[...keyValues(write), write.content, write.md5, write.by.ip, write.by.user, write.appName ?? ''],
      ...[write.description, write.use, write.effect, write.type, write.schema],
    ],
  );
  return id;
}

async function updateConfig(session: MysqlSession, id: number, write: ConfigWrite): Promise<void> {
  requirePacket(session, write.content);
  await session.change(
    `UPDATE config_info SET content = ?, md5 = ?, src_ip = ?, src_user = ?, app_name = COALESCE(?, app_name, ''),
       c_desc = ?, c_use = ?, effect = ?, type = ?, c_schema = ?, gmt_modified = NOW() WHERE id = ?`,
    [
      ...[write.content, write.md5, write.by.ip, write.by.user, write.appName ?? null],
      ...[write.description, write.use, write.effect, write.type, write.schema, id],
    ],
  );
}

/** Copied inside the database, so that no content goes over the wire twice. An `I` row has the id 0. */
async function remember(session: MysqlSession, operation: 'I' | 'U' | 'D', id: number, by: Operator): Promise<number> {
  const { id: nid } = await session.change(
    `INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, src_ip, src_user, gmt_modified, op_type)
     SELECT ${operation === 'I' ? '0' : 'id'}, data_id, group_id, tenant_id, app_name, content, md5, ?, ?, NOW(), ?
     FROM config_info WHERE id = ?`,
    [by.ip, by.user, operation, id],
  );
  return nid;
}

async function replaceTags(session: MysqlSession, id: number, key: ConfigKey, tags: readonly string[]): Promise<void> {
  await session.change('DELETE FROM config_tags_relation WHERE id = ?', [id]);
  for (const tag of new Set(tags)) {
    await session.change(
      'INSERT INTO config_tags_relation (id, tag_name, tag_type, data_id, group_id, tenant_id) VALUES (?, ?, NULL, ?, ?, ?)',
      [id, tag, ...keyValues(key)],
    );
  }
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

/** Too large a packet would cost the connection, so the server is not even asked. */
function requirePacket(session: MysqlSession, content: string): void {
  const bytes = Buffer.byteLength(content) + PACKET_BYTES_SPARE;
  if (bytes <= session.packetBytesMax) return;
  const message = `${session.place}: content of ${bytes} bytes is over the server's max_allowed_packet of ${session.packetBytesMax}`;
  throw new StoreError('invalid', message);
}

function keyValues({ dataId, group, namespaceId }: ConfigKey): SqlValue[] {
  return [dataId, group, namespaceId];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
