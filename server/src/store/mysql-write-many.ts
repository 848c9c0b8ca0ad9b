import { configMark, md5Sql } from './mysql-marks.ts';
import { readKey } from './mysql-read.ts';
import type { MysqlSession, SqlValue } from './mysql-session.ts';
import {
  insertConfig,
  keyValues,
  PACKET_BYTES_SPARE,
  putConfig,
  refuseReadOnly,
  replaceTags,
  requireWritable,
} from './mysql-write.ts';
import { type ConfigWrite, type ConfigWritten, StoreError } from './store.ts';

/** What is written of one row, and what was found there. */
interface Row {
  readonly write: ConfigWrite;
  readonly id: string;
  readonly isNew: boolean;
}

/**
 * As `putConfig` for each, inside one transaction, in a few statements for all of them. Each key at most once. The number
 * of writes shapes the statements, which the server keeps: few different ones are good.
 */
export async function putConfigs(
  session: MysqlSession,
  writes: readonly ConfigWrite[],
): Promise<readonly ConfigWritten[]> {
  if (writes.length === 1) return [await putConfig(session, writes[0]!)];
  requirePacketOfAll(session, writes);
  const old = await lockConfigs(session, writes);
  const rows: Row[] = [];
  for (const write of writes) {
    const found = old.get(textOf(write));
    if (write.expectedMd5 !== undefined && write.expectedMd5 !== (found?.md5 ?? '')) continue;
    const id = found?.id ?? (await insertConfig(session, write));
    rows.push({ write, id, isNew: found === undefined });
  }
  if (rows.length === 0) return writes.map(() => ({ outcome: 'conflict' }));
  const nids = await rememberAll(session, rows);
  const changed = rows.filter(({ isNew }) => !isNew);
  if (changed.length > 0) await updateConfigs(session, changed);
  for (const { write, id } of rows) {
    if (write.tags !== undefined) await replaceTags(session, id, write, write.tags);
  }
  const first = await noteConfigs(session, rows, nids);
  const revisions = new Map(rows.map(({ write }, i) => [write, first + i * session.autoIncrementStep]));
  return writes.map((write) => {
    const revision = revisions.get(write);
    return revision === undefined ? { outcome: 'conflict' } : { outcome: 'written', revision };
  });
}

/** By the key's own index, so that no other row is locked; in its order, so that two of these do not wait for each other. */
async function lockConfigs(
  session: MysqlSession,
  writes: readonly ConfigWrite[],
): Promise<ReadonlyMap<string, { readonly id: string; readonly md5: string }>> {
  const md5 = writes.some(({ expectedMd5 }) => expectedMd5 !== undefined) ? md5Sql('content') : `''`;
  const wanted = writes.map(() => '(data_id = ? AND group_id = ? AND tenant_id = ?)').join(' OR ');
  const found = await session.rows(
    `SELECT @@global.read_only AS read_only, id, data_id, group_id, tenant_id, ${md5} AS md5
     FROM config_info FORCE INDEX (uk_configinfo_datagrouptenant)
     WHERE ${wanted} ORDER BY data_id, group_id, tenant_id FOR UPDATE`,
    writes.flatMap(keyValues),
  );
  if (found[0] === undefined) await requireWritable(session);
  else refuseReadOnly(session, found[0]);
  // Of a name that is taken for another's, the row of which is among them, the insert tells.
  return new Map(found.map((row) => [textOf(readKey(row)), { id: String(row['id']), md5: String(row['md5']) }]));
}

/** Past writes as `remember` leaves them; in the order of the rows, by their keys, for an `I` has no id. */
async function rememberAll(session: MysqlSession, rows: readonly Row[]): Promise<readonly string[]> {
  const ids = rows.map(({ id }) => id);
  const place = `FIELD(CAST(id AS CHAR), ${marks(rows)})`;
  const { id: first } = await session.change(
    `INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, src_ip, src_user, gmt_modified, op_type)
     SELECT IF(ELT(${place}, ${marks(rows)}) = 'I', 0, id), data_id, group_id, tenant_id, app_name, content, md5,
       ELT(${place}, ${marks(rows)}), ELT(${place}, ${marks(rows)}), NOW(), ELT(${place}, ${marks(rows)})
     FROM config_info WHERE id IN (${rows.map(() => 'CAST(? AS UNSIGNED)').join(', ')})`,
    [
      ...[...ids, ...rows.map(operationOf), ...ids, ...rows.map(({ write }) => write.by.ip)],
      ...[...ids, ...rows.map(({ write }) => write.by.user), ...ids, ...rows.map(operationOf), ...ids],
    ],
  );
  const written = await session.rows(
    `SELECT MAX(nid) AS nid, data_id, group_id, tenant_id FROM his_config_info WHERE nid >= CAST(? AS UNSIGNED)
     AND (${rows.map(() => '(data_id = ? AND group_id = ? AND tenant_id = ?)').join(' OR ')})
     GROUP BY data_id, group_id, tenant_id`,
    [first, ...rows.flatMap(({ write }) => keyValues(write))],
  );
  const nids = new Map(written.map((row) => [textOf(readKey(row)), String(row['nid'])]));
  return rows.map(({ write }) => {
    const nid = nids.get(textOf(write));
    if (nid !== undefined) return nid;
    throw new StoreError('misconfigured', `${session.place}: a past write cannot be found again`);
  });
}

/** The rows are there and locked, so nothing is inserted. */
async function updateConfigs(session: MysqlSession, rows: readonly Row[]): Promise<void> {
  const taken = ['content', 'md5', 'src_ip', 'src_user', 'c_desc', 'c_use', 'effect', 'type', 'c_schema'];
  await session.change(
    `INSERT INTO config_info (id, data_id, group_id, tenant_id, app_name, ${taken.join(', ')})
     VALUES ${rows.map(() => `(CAST(? AS UNSIGNED), ?, ?, ?, ?, ${marks(taken)})`).join(', ')}
     ON DUPLICATE KEY UPDATE ${taken.map((name) => `${name} = VALUES(${name})`).join(', ')},
       app_name = COALESCE(VALUES(app_name), app_name, ''), gmt_modified = NOW()`,
    rows.flatMap(({ id, write }): SqlValue[] => [
      ...[id, ...keyValues(write), write.appName ?? null],
      ...[write.content, write.md5, write.by.ip, write.by.user],
      ...[write.description, write.use, write.effect, write.type, write.schema],
    ]),
  );
}

/** The last statement before the commit; returns the first of the revisions. */
async function noteConfigs(session: MysqlSession, rows: readonly Row[], nids: readonly string[]): Promise<number> {
  const { id } = await session.change(
    `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, mark, history_nid)
     VALUES ${rows.map(() => `('config', 0, ?, ?, ?, ?, ?)`).join(', ')}`,
    rows.flatMap(({ write }, i): SqlValue[] => [...keyValues(write), configMark(write), nids[i]!]),
  );
  return Number(id);
}

function operationOf({ isNew }: Row): string {
  return isNew ? 'I' : 'U';
}

function marks(items: readonly unknown[]): string {
  return items.map(() => '?').join(', ');
}

function textOf({ dataId, group, namespaceId }: Pick<ConfigWrite, 'dataId' | 'group' | 'namespaceId'>): string {
  return JSON.stringify([dataId, group, namespaceId]);
}

function requirePacketOfAll(session: MysqlSession, writes: readonly ConfigWrite[]): void {
  const bytes = writes.reduce((sum, write) => sum + bytesOf(write), PACKET_BYTES_SPARE);
  if (bytes <= session.packetBytesMax) return;
  const because = `${writes.length} contents of ${bytes} bytes are over the database's max_allowed_packet`;
  throw new StoreError('invalid', `${session.place}: ${because}`, { because });
}

/** The schema alone may have 64 KiB, of each. */
function bytesOf({ content, schema, description, use, effect, by }: ConfigWrite): number {
  const texts = [content, schema, description, use, effect, by.user];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
}
