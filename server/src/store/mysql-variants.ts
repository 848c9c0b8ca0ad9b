import { createHash } from 'node:crypto';
import type { ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { variantText } from './history.ts';
import { rowsOfAnyKind, type Scanned, soundPage } from './mysql-damaged.ts';
import { isOfDamage } from './mysql-errors.ts';
import { variantMark } from './mysql-marks.ts';
import { BY_KEY, charsOf, idsBehind, pageOf, readKey, textOf } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession, type Row, type SqlValue } from './mysql-session.ts';
import { keyValues, requirePacket, requireWritable } from './mysql-write.ts';
import { type Page, type Revision, StoreError, type VariantWrite } from './store.ts';

type Kind = VariantId['kind'];

/** Inside one transaction; the last statement is the feed's. */
export async function putVariant(session: MysqlSession, write: VariantWrite): Promise<Revision> {
  await requireWritable(session);
  requirePacket(session, write.content);
  const { variant, content, md5, appName = null, betaIps, by } = write;
  const [own, value] = variant.kind === 'beta' ? ['beta_ips', betaIps] : ['tag_id', variant.tag];
  await session.change(
    `INSERT INTO config_info_${variant.kind} (data_id, group_id, tenant_id, ${own}, content, md5, src_ip, src_user,
       app_name, gmt_create, gmt_modified)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, COALESCE(?, ''), NOW(), NOW())
     ON DUPLICATE KEY UPDATE ${own} = VALUES(${own}), content = VALUES(content), md5 = VALUES(md5),
       src_ip = VALUES(src_ip), src_user = VALUES(src_user), app_name = COALESCE(?, app_name, ''), gmt_modified = NOW()`,
    [...keyValues(write), value, content, md5, by.ip, by.user, appName, appName],
  );
  return noteVariant(session, write, variant, variantMark(write));
}

export async function removeVariant(session: MysqlSession, key: ConfigKey, variant: VariantId): Promise<boolean> {
  await requireWritable(session);
  const tag = variant.kind === 'tag' ? [variant.tag] : [];
  const { met } = await session.change(
    `DELETE FROM config_info_${variant.kind} WHERE ${BY_KEY}${variant.kind === 'tag' ? ' AND tag_id = ?' : ''}`,
    [...keyValues(key), ...tag],
  );
  if (met > 0) await noteVariant(session, key, variant, undefined);
  return met > 0;
}

/** The feed's word on a variant; without a mark that it was removed. */
export async function noteVariant(
  session: MysqlSession,
  key: ConfigKey,
  variant: VariantId,
  mark: string | undefined,
): Promise<Revision> {
  const { id } = await session.change(
    `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, record_key, mark)
     VALUES ('variant', ?, ?, ?, ?, ?, ?)`,
    [mark === undefined ? 1 : 0, ...keyValues(key), variantText(variant), mark ?? ''],
  );
  return Number(id);
}

/** All of them or none: one that is damaged must not be taken for gone. */
export async function getVariants(session: MysqlSession, key: ConfigKey): Promise<readonly ConfigVariant[]> {
  return [...(await getKind(session, key, 'beta')), ...(await getKind(session, key, 'tag'))];
}

async function getKind(session: MysqlSession, key: ConfigKey, kind: Kind): Promise<readonly ConfigVariant[]> {
  const values = keyValues(key);
  try {
    return await readRows(session, kind, `${BY_KEY} ORDER BY id`, values);
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  // It may be a row of another key, which the server has met on its way.
  const sql = `SELECT id FROM config_info_${kind} WHERE ${BY_KEY} ORDER BY id`;
  const found: ConfigVariant[] = [];
  for (const { id } of await rowsOfAnyKind(session, sql, values)) {
    found.push(...(await readRows(session, kind, `id = ${ID_VALUE}`, [String(id)])));
  }
  return found;
}

/** First all betas, then all tags; a page starts after `beta:ID` or `tag:ID`. */
export async function scanVariants(session: MysqlSession, limit: number, after: string): Promise<Page<ConfigVariant>> {
  const scanned: Scanned<ConfigVariant> = {
    page: (size, behind) => variantPage(session, size, behind),
    keys: (size, behind) => namesBehind(session, size, behind),
    read: async (name) => {
      const { kind, id } = readName(name);
      return (await readRows(session, kind, `id = ${ID_VALUE}`, [id]))[0];
    },
    name: (name) => `row ${readName(name).id} of config_info_${readName(name).kind}`,
    charsOf,
  };
  return soundPage(session, scanned, limit, after);
}

async function namesBehind(session: MysqlSession, limit: number, after: string): Promise<readonly string[]> {
  const { kind, id } = readName(after);
  const ids = await idsBehind(session, `config_info_${kind}`, 'id', limit, id);
  const names = ids.map((found) => `${kind}:${found}`);
  if (kind === 'tag' || names.length === limit) return names;
  return [...names, ...(await namesBehind(session, limit - names.length, 'tag:0'))];
}

function readName(name: string): { readonly kind: Kind; readonly id: string } {
  const parts = /^(beta|tag):(\d{1,19})$/.exec(name);
  if (parts === null) throw new StoreError('invalid', `no page starts after ${name}`);
  return { kind: parts[1] as Kind, id: parts[2]! };
}

async function variantPage(session: MysqlSession, limit: number, after: string): Promise<Page<ConfigVariant>> {
  const { kind, id } = readName(after);
  const sizes = await session.rows(
    `SELECT id, LENGTH(content) AS bytes FROM config_info_${kind} WHERE id > ${ID_VALUE} ORDER BY id LIMIT ${limit + 1}`,
    [id],
  );
  const { ids, isMore } = pageOf(sizes, limit);
  const items = ids.length === 0 ? [] : await readRows(session, kind, `id IN (${ids.join(', ')}) ORDER BY id`);
  if (isMore) return { items, next: `${kind}:${ids.at(-1)}` };
  if (kind === 'tag') return { items, next: undefined };
  const isTagged = (await session.rows('SELECT 1 FROM config_info_tag LIMIT 1')).length > 0;
  return { items, next: isTagged ? 'tag:0' : undefined };
}

async function readRows(
  session: MysqlSession,
  kind: Kind,
  where: string,
  values?: readonly SqlValue[],
): Promise<ConfigVariant[]> {
  const sql = `SELECT data_id, group_id, tenant_id, ${kind === 'beta' ? 'beta_ips' : 'tag_id'}, content, app_name, src_ip,
    src_user, UNIX_TIMESTAMP(gmt_create) AS created, UNIX_TIMESTAMP(gmt_modified) AS modified
    FROM config_info_${kind} WHERE ${where}`;
  const rows = values === undefined ? await session.rowsOfText(sql) : await session.rows(sql, values);
  return rows.map((row) => readVariant(kind, row));
}

function readVariant(kind: Kind, row: Row): ConfigVariant {
  const content = textOf(row['content']);
  return {
    ...readKey(row),
    variant: kind === 'beta' ? { kind } : { kind, tag: textOf(row['tag_id']) },
    content,
    md5: createHash('md5').update(content, 'utf8').digest('hex'),
    appName: textOf(row['app_name']),
    betaIps: textOf(row['beta_ips']),
    createdMs: Number(row['created']) * 1000,
    modifiedMs: Number(row['modified']) * 1000,
    sourceIp: textOf(row['src_ip']),
    sourceUser: row['src_user'] as string | null,
  };
}
