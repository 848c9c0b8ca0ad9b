import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { configMark, md5Sql } from './mysql-marks.ts';
import { isOf, readKey } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession, type Row, type SqlValue } from './mysql-session.ts';
import { type ConfigWrite, type ConfigWritten, type Operator, type Revision, StoreError } from './store.ts';

/** Beside the content, in one packet. */
export const PACKET_BYTES_SPARE = 256 * 1024;
export const ROWS_PER_STATEMENT = 50;
const DUPLICATE = 1062;
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
  await session.change(`DELETE FROM config_info WHERE id = ${ID_VALUE}`, [old.id]);
  await session.change(`DELETE FROM config_tags_relation WHERE id = ${ID_VALUE}`, [old.id]);
  await noteConfig(session, key, undefined, nid);
  return true;
}

/** The feed's word on a config; without a mark that it was removed. The last statement before a commit. */
export async function noteConfig(
  session: MysqlSession,
  { dataId, group, namespaceId }: ConfigKey,
  mark: string | undefined,
  historyNid: string | null,
): Promise<Revision> {
  const { id } = await session.change(
    `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, mark, history_nid)
     VALUES ('config', ?, ?, ?, ?, ?, ?)`,
    [mark === undefined ? 1 : 0, dataId, group, namespaceId, mark ?? '', historyNid],
  );
  return Number(id);
}

/** Returns how many there were. Their changes come last, in one statement for many. */
export async function removeConfigs(session: MysqlSession, ids: readonly string[], by: Operator): Promise<number> {
  await requireWritable(session);
  if (ids.length === 0) return 0;
  const rows = await session.rowsOfText(
    `SELECT id, data_id, group_id, tenant_id FROM config_info WHERE id IN (${ids.join(', ')}) ORDER BY id FOR UPDATE`,
  );
  const gone: SqlValue[][] = [];
  for (const row of rows) {
    const nid = await remember(session, 'D', String(row['id']), by);
    gone.push([...keyValues(readKey(row)), nid]);
  }
  if (gone.length === 0) return 0;
  const found = rows.map((row) => String(row['id'])).join(', ');
  await session.command(`DELETE FROM config_info WHERE id IN (${found})`);
  await session.command(`DELETE FROM config_tags_relation WHERE id IN (${found})`);
  for (const some of chunks(gone, ROWS_PER_STATEMENT)) {
    await session.change(
      `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, history_nid)
       VALUES ${some.map(() => `('config', 1, ?, ?, ?, ?)`).join(', ')}`,
      some.flat(),
    );
  }
  return gone.length;
}

/** Locks the row if there is one, and refuses a server that turned read-only under a user who could write still (F13). */
async function lockConfig(
  session: MysqlSession,
  key: ConfigKey,
  withMd5: boolean,
): Promise<{ id: string; md5: string } | undefined> {
  const row = await session.row(
    `SELECT s.read_only, c.id, c.data_id, c.group_id, c.tenant_id${withMd5 ? `, ${md5Sql('c.content')} AS md5` : ''}
     FROM (SELECT @@global.read_only AS read_only) s LEFT JOIN config_info c ON ${BY_KEY} FOR UPDATE`,
    keyValues(key),
  );
  refuseReadOnly(session, row);
  if (row === undefined || row['id'] === null) return undefined;
  refuseOtherName(session, key, row);
  return { id: String(row['id']), md5: String(row['md5'] ?? '') };
}

/** Of tables that tell no upper from lower case the row may be another's, which is not to be written over. */
export function refuseOtherName(session: MysqlSession, key: ConfigKey, row: Row): void {
  if (isOf(key, row)) return;
  const because = `the database takes ${key.dataId} for ${readKey(row).dataId}, which is another name`;
  throw new StoreError(
    'misconfigured',
    `${session.place}: ${because}: its columns need a collation that ends in _bin`,
    {
      because,
    },
  );
}

export async function requireWritable(session: MysqlSession): Promise<void> {
  refuseReadOnly(session, await session.row('SELECT @@global.read_only AS read_only'));
}

export function refuseReadOnly(session: MysqlSession, row: Row | undefined): void {
  // A number, or with MariaDB from 12.0 on the name of what is forbidden.
  const isWritable = /^(0|OFF)$/i.test(String(row?.['read_only']));
  if (isWritable) return;
  throw new StoreError('read-only', `${session.place}: the server is read-only, a replica or one that is failing over`);
}

export async function insertConfig(session: MysqlSession, write: ConfigWrite): Promise<string> {
  try {
    return await insertRow(session, write);
  } catch (error) {
    // Of a name that is written at the same time it is tried again; of one that is taken for another's that never ends.
    if ((error as { errno?: number }).errno !== DUPLICATE) throw error;
    const sql = 'SELECT data_id, group_id, tenant_id FROM config_info c WHERE';
    const row = await session.row(`${sql} ${BY_KEY} FOR UPDATE`, keyValues(write));
    if (row !== undefined) refuseOtherName(session, write, row);
    throw error;
  }
}

async function insertRow(session: MysqlSession, write: ConfigWrite): Promise<string> {
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

async function updateConfig(session: MysqlSession, id: string, write: ConfigWrite): Promise<void> {
  requirePacket(session, write.content);
  await session.change(
    `UPDATE config_info SET content = ?, md5 = ?, src_ip = ?, src_user = ?, app_name = COALESCE(?, app_name, ''),
       c_desc = ?, c_use = ?, effect = ?, type = ?, c_schema = ?, gmt_modified = NOW() WHERE id = ${ID_VALUE}`,
    [
      ...[write.content, write.md5, write.by.ip, write.by.user, write.appName ?? null],
      ...[write.description, write.use, write.effect, write.type, write.schema, id],
    ],
  );
}

/** Copied inside the database, so that no content goes over the wire twice. An `I` row has the id 0. */
async function remember(session: MysqlSession, operation: 'I' | 'U' | 'D', id: string, by: Operator): Promise<string> {
  const { id: nid } = await session.change(
    `INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, src_ip, src_user, gmt_modified, op_type)
     SELECT ${operation === 'I' ? '0' : 'id'}, data_id, group_id, tenant_id, app_name, content, md5, ?, ?, NOW(), ?
     FROM config_info WHERE id = ${ID_VALUE}`,
    [by.ip, by.user, operation, id],
  );
  return nid;
}

export async function replaceTags(
  session: MysqlSession,
  id: string,
  key: ConfigKey,
  tags: readonly string[],
): Promise<void> {
  await session.change(`DELETE FROM config_tags_relation WHERE id = ${ID_VALUE}`, [id]);
  for (const tag of new Set(tags)) {
    await session.change(
      'INSERT INTO config_tags_relation (id, tag_name, tag_type, data_id, group_id, tenant_id) VALUES (?, ?, NULL, ?, ?, ?)',
      [id, tag, ...keyValues(key)],
    );
  }
}

/** Too large a packet would cost the connection, so the server is not even asked. */
export function requirePacket(session: MysqlSession, content: string): void {
  const bytes = Buffer.byteLength(content) + PACKET_BYTES_SPARE;
  if (bytes <= session.packetBytesMax) return;
  const because = `content of ${bytes} bytes is over the database's max_allowed_packet of ${session.packetBytesMax}`;
  throw new StoreError('invalid', `${session.place}: ${because}`, { because });
}

export function keyValues({ dataId, group, namespaceId }: ConfigKey): SqlValue[] {
  return [dataId, group, namespaceId];
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
