import { createHash } from 'node:crypto';
import type { Config, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import type { ConfigHistory } from './history.ts';
import { type Scanned, soundPage } from './mysql-damaged.ts';
import { configMark, md5Sql, variantMark } from './mysql-marks.ts';
import { charsOf, idsBehind, pageOf, readKey, textOf } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession, type Row } from './mysql-session.ts';
import { noteVariant } from './mysql-variants.ts';
import { keyValues, noteConfig, refuseOtherName, replaceTags, requirePacket, requireWritable } from './mysql-write.ts';
import type { MovedRow, Page } from './store.ts';

/** Columns of the 1.4 schema hold whole seconds, in the zone of the session. */
const TIME = 'FROM_UNIXTIME(FLOOR(? / 1000))';
const OPERATIONS = ['I', 'U', 'D'] as const;

export async function scanHistory(session: MysqlSession, limit: number, after: string): Promise<Page<ConfigHistory>> {
  const scanned: Scanned<ConfigHistory> = {
    page: (size, behind) => pastPage(session, size, behind),
    keys: (size, behind) => idsBehind(session, 'his_config_info', 'nid', size, behind),
    read: async (nid) => (await readPasts(session, [nid]))[0],
    name: (nid) => `row ${nid} of his_config_info`,
    charsOf,
  };
  return soundPage(session, scanned, limit, after);
}

async function pastPage(session: MysqlSession, limit: number, after: string): Promise<Page<ConfigHistory>> {
  const sizes = await session.rows(
    `SELECT nid AS id, LENGTH(content) AS bytes FROM his_config_info WHERE nid > ${ID_VALUE} ORDER BY nid LIMIT ${limit + 1}`,
    [after],
  );
  const { ids, isMore } = pageOf(sizes, limit);
  return { items: await readPasts(session, ids), next: isMore ? ids.at(-1) : undefined };
}

async function readPasts(session: MysqlSession, nids: readonly string[]): Promise<readonly ConfigHistory[]> {
  if (nids.length === 0) return [];
  const rows = await session.rowsOfText(
    `SELECT nid, id, data_id, group_id, tenant_id, app_name, content, src_ip, src_user, op_type,
       UNIX_TIMESTAMP(gmt_modified) AS modified
     FROM his_config_info WHERE nid IN (${nids.join(', ')}) ORDER BY nid`,
  );
  return rows.map(readPast);
}

/** Inside one transaction; what the feed is told comes last. */
export async function putMoved(session: MysqlSession, rows: readonly MovedRow[]): Promise<void> {
  await requireWritable(session);
  for (const { what, row } of rows) {
    requirePacket(session, row.content);
    if (what === 'config') await putConfig(session, row);
    else if (what === 'variant') await putVariant(session, row);
    else await putPast(session, row);
  }
  for (const { what, row } of rows) {
    const by = { ip: row.sourceIp, user: row.sourceUser };
    if (what === 'config') await noteConfig(session, row, configMark({ ...row, by }), null);
    if (what === 'variant') await noteVariant(session, row, row.variant, variantMark({ ...row, by }));
  }
}

async function putConfig(session: MysqlSession, config: Config): Promise<void> {
  const columns = `content = ?, md5 = ?, src_ip = ?, src_user = ?, app_name = ?, c_desc = ?, c_use = ?, effect = ?, type = ?,
    c_schema = ?, gmt_create = ${TIME}, gmt_modified = ${TIME}`;
  const values = [
    ...[config.content, config.md5, config.sourceIp, config.sourceUser, config.appName, config.description],
    ...[config.use, config.effect, config.type, config.schema, config.createdMs, config.modifiedMs],
  ];
  const byKey = 'data_id = ? AND group_id = ? AND tenant_id = ?';
  const key = keyValues(config);
  const sql = `SELECT id, data_id, group_id, tenant_id FROM config_info WHERE ${byKey} FOR UPDATE`;
  const found = await session.row(sql, key);
  if (found !== undefined) refuseOtherName(session, config, found);
  let id = found === undefined ? undefined : String(found['id']);
  if (id !== undefined) {
    await session.change(`UPDATE config_info SET ${columns} WHERE id = ${ID_VALUE}`, [...values, id]);
  } else {
    const isTaken = (await session.row(`SELECT 1 FROM config_info WHERE id = ${ID_VALUE}`, [config.id])) !== undefined;
    const own = isTaken ? '' : `id = ${ID_VALUE}, `;
    const made = await session.change(
      `INSERT INTO config_info SET ${own}data_id = ?, group_id = ?, tenant_id = ?, ${columns}`,
      [...(isTaken ? [] : [config.id]), ...key, ...values],
    );
    id = isTaken ? made.id : config.id;
  }
  await replaceTags(session, id, config, config.tags);
}

async function putVariant(session: MysqlSession, variant: ConfigVariant): Promise<void> {
  const { variant: which, betaIps, content, md5, sourceIp, sourceUser, appName, createdMs, modifiedMs } = variant;
  const own = which.kind === 'beta' ? 'beta_ips = ?' : 'tag_id = ?';
  const columns = `${own}, content = ?, md5 = ?, src_ip = ?, src_user = ?, app_name = ?, gmt_create = ${TIME}, gmt_modified = ${TIME}`;
  const values = [
    ...[which.kind === 'beta' ? betaIps : which.tag, content, md5, sourceIp, sourceUser, appName],
    ...[createdMs, modifiedMs],
  ];
  await session.change(
    `INSERT INTO config_info_${which.kind} SET data_id = ?, group_id = ?, tenant_id = ?, ${columns}
     ON DUPLICATE KEY UPDATE ${columns}`,
    [...keyValues(variant), ...values, ...values],
  );
}

async function putPast(session: MysqlSession, past: ConfigHistory): Promise<void> {
  const { nid, configId, operation, content, md5, appName, sourceIp, sourceUser, atMs } = past;
  const isTaken = await session.row(`SELECT 1 FROM his_config_info WHERE nid = ${ID_VALUE}`, [nid]);
  if (isTaken !== undefined) {
    // Under its own number it may have come before; the contents are compared, as others leave the md5 out.
    const same = await session.row(
      `SELECT 1 FROM his_config_info WHERE data_id = ? AND group_id = ? AND tenant_id = ? AND TRIM(op_type) = ?
         AND ${md5Sql('content')} = ? AND gmt_modified = ${TIME} LIMIT 1`,
      [...keyValues(past), operation, md5, Math.floor(atMs / 1000) * 1000],
    );
    if (same !== undefined) return;
  }
  await session.change(
    `INSERT INTO his_config_info SET ${isTaken === undefined ? `nid = ${ID_VALUE}, ` : ''}id = ${ID_VALUE}, data_id = ?,
       group_id = ?, tenant_id = ?, app_name = ?, content = ?, md5 = ?, src_ip = ?, src_user = ?, op_type = ?,
       gmt_create = ${TIME}, gmt_modified = ${TIME}`,
    [
      ...[...(isTaken === undefined ? [nid] : []), configId, ...keyValues(past), appName, content, md5],
      ...[sourceIp, sourceUser, operation, atMs, atMs],
    ],
  );
}

function readPast(row: Row): ConfigHistory {
  const content = textOf(row['content']);
  const operation = textOf(row['op_type']).trim();
  return {
    nid: String(row['nid']),
    configId: String(row['id']),
    operation: OPERATIONS.find((one) => one === operation) ?? 'U',
    ...readKey(row),
    content,
    md5: createHash('md5').update(content, 'utf8').digest('hex'),
    appName: textOf(row['app_name']),
    sourceIp: textOf(row['src_ip']),
    sourceUser: row['src_user'] as string | null,
    atMs: Number(row['modified']) * 1000,
  };
}
