import type { VariantId } from '@nacos-kube/core/model/config.ts';
import { rowsOfAnyKind, soundOf } from './mysql-damaged.ts';
import { isOfDamage } from './mysql-errors.ts';
import { BETA_MARK_SQL, CAPACITY_MARK_SQL, NAMESPACE_MARK_SQL, TAG_MARK_SQL } from './mysql-marks.ts';
import { readKey, readRecordKey } from './mysql-read.ts';
import type { MysqlSession, Row, SqlValue } from './mysql-session.ts';
import { chunks, keyValues, ROWS_PER_STATEMENT } from './mysql-write.ts';
import type { ChangedThing } from './store.ts';

/** At one look; what is beyond it the next look finds. */
export const FOUND_MAX = 1000;

/** The feed's word on rows, many in one statement; one without a mark is gone. */
export async function tell(session: MysqlSession, kind: ChangedThing['kind'], rows: readonly Row[]): Promise<void> {
  for (const some of chunks(rows, ROWS_PER_STATEMENT)) {
    await session.change(
      `INSERT INTO nk_change (kind, removed, data_id, group_id, tenant_id, record_key, mark)
       VALUES ${some.map(() => '(?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
      some.flatMap((row): SqlValue[] => {
        const mark = row['mark'] as string | null | undefined;
        const key = row['record_key'] === undefined ? '' : readRecordKey(row);
        return [kind, mark === null || mark === undefined ? 1 : 0, ...keyValues(readKey(row)), key, mark ?? ''];
      }),
    );
  }
}

/** Where rows are that others may have written. */
export interface Search {
  /** `narrowed` is a condition that goes with the others. */
  sql(narrowed: string): string;
  /** Finds in column `id` what the search would look at, without reading more of it than that takes. */
  readonly ids: string;
  /** The column of these ids. */
  readonly id: string;
  readonly name: (id: string) => string;
}

/** A damaged row is left out and told of, and holds up no other. */
export async function find(
  session: MysqlSession,
  search: Search,
  onDamage: (what: string) => void,
): Promise<readonly Row[]> {
  try {
    return await session.rowsOfText(search.sql(''));
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const ids = (await rowsOfAnyKind(session, search.ids)).map((row) => String(row['id']));
  const { read, damaged } = await soundOf(session, ids, (some) =>
    session.rowsOfText(search.sql(`AND ${search.id} IN (${some.join(', ')})`)),
  );
  for (const [id, { message }] of damaged) onDamage(`${search.name(id)}: ${message}`);
  return read;
}

/** There are few, so that those of a writer whose clock or zone is another are found as well. */
const LOOK_BACK_DAYS = 1;

/** Betas and tags with a recent `gmt_modified`, where row and feed differ. */
export async function tellVariants(session: MysqlSession, onDamage: (what: string) => void): Promise<boolean> {
  const isBeta = await tellKind(session, 'beta', onDamage);
  return (await tellKind(session, 'tag', onDamage)) || isBeta;
}

async function tellKind(
  session: MysqlSession,
  kind: VariantId['kind'],
  onDamage: (what: string) => void,
): Promise<boolean> {
  const lately = `v.gmt_modified >= NOW() - INTERVAL ${LOOK_BACK_DAYS} DAY`;
  const search: Search = {
    sql: (narrowed) => `
    SELECT * FROM (
      SELECT v.data_id, v.group_id, v.tenant_id, ${textSql(kind)} AS record_key,
        ${kind === 'beta' ? BETA_MARK_SQL : TAG_MARK_SQL} AS mark,
        (SELECT IF(n.removed, '', n.mark) FROM nk_change n FORCE INDEX (nk_change_config)
         WHERE n.kind = 'variant' AND ${SAME_KEY} AND n.record_key = ${textSql(kind)}
         ORDER BY n.id DESC LIMIT 1) AS told
      FROM config_info_${kind} v WHERE ${lately} ${narrowed}
    ) found WHERE NOT told <=> mark LIMIT ${FOUND_MAX}`,
    ids: `SELECT v.id FROM config_info_${kind} v WHERE ${lately}`,
    id: 'v.id',
    name: (id) => `row ${id} of config_info_${kind}`,
  };
  const rows = await find(session, search, onDamage);
  await tell(session, 'variant', rows);
  return rows.length > 0;
}

/** An end leaves no trace in these tables, so it is found by what the feed still says of rows that are gone. */
export async function tellRemovedVariants(session: MysqlSession): Promise<boolean> {
  const rows = await session.rowsOfText(`
    SELECT n.data_id, n.group_id, n.tenant_id, n.record_key FROM nk_change n
    JOIN (
      SELECT MAX(id) AS id FROM nk_change WHERE kind = 'variant' GROUP BY data_id, group_id, tenant_id, record_key
    ) newest ON newest.id = n.id
    LEFT JOIN (${presentSql('beta')}) beta ON beta.digest = ${digestSql('n', 'n.record_key')}
    LEFT JOIN (${presentSql('tag')}) tag ON tag.digest = ${digestSql('n', 'n.record_key')}
    WHERE n.removed = 0 AND beta.digest IS NULL AND tag.digest IS NULL LIMIT ${FOUND_MAX}`);
  await tell(session, 'variant', rows);
  return rows.length > 0;
}

/** A part of a key as the feed has it; the columns of 1.4 may be NULL. */
export function nameSql(column: string): string {
  return `COALESCE(CONVERT(${column} USING utf8mb4), '') COLLATE utf8mb4_bin`;
}

const same = (column: string) => `n.${column} = ${nameSql(`v.${column}`)}`;
const SAME_KEY = `${same('data_id')} AND ${same('group_id')} AND ${same('tenant_id')}`;

/** All keys, as a table that the server puts an index on: one comparison with each of the others would be too many. */
function presentSql(kind: VariantId['kind']): string {
  return `SELECT DISTINCT ${digestSql('v', textSql(kind))} AS digest FROM config_info_${kind} v`;
}

function digestSql(alias: string, key: string): string {
  const names = ['data_id', 'group_id', 'tenant_id'].map((name) => nameSql(`${alias}.${name}`));
  return `MD5(CONCAT_WS('\\n', ${names.join(', ')}, CONVERT(${key} USING utf8mb4)))`;
}

function textSql(kind: VariantId['kind']): string {
  return bytesSql(kind === 'beta' ? `'beta'` : `CONCAT('tag:', v.tag_id)`);
}

function bytesSql(text: string): string {
  return `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;
}

/** Records that are columns of the 1.4 schema: small tables, compared as a whole. */
const TABLES = {
  namespace: {
    kind: 'namespace',
    prefix: '',
    from: 'tenant_info',
    where: `t.kp = '1' AND t.tenant_id <> ''`,
    key: bytesSql('t.tenant_id'),
    mark: NAMESPACE_MARK_SQL,
  },
  // Rows without limits are there to count only, unless limits were told before.
  group: {
    kind: 'capacity',
    prefix: 'group:',
    from: 'group_capacity',
    where: 'TRUE',
    key: bytesSql(`CONCAT('group:', t.group_id)`),
    mark: CAPACITY_MARK_SQL,
  },
  tenant: {
    kind: 'capacity',
    prefix: 'tenant:',
    from: 'tenant_capacity',
    where: 'TRUE',
    key: bytesSql(`CONCAT('tenant:', t.tenant_id)`),
    mark: CAPACITY_MARK_SQL,
  },
} as const;

export async function tellRecords(
  session: MysqlSession,
  table: keyof typeof TABLES,
  onDamage: (what: string) => void,
): Promise<boolean> {
  const { kind, prefix, from, where, key, mark } = TABLES[table];
  const search: Search = {
    sql: (narrowed) => `
    SELECT * FROM (
      SELECT ${key} AS record_key, ${mark} AS mark,
        (SELECT IF(n.removed, '', n.mark) FROM nk_change n FORCE INDEX (nk_change_record)
         WHERE n.kind = '${kind}' AND n.record_key = ${key} ORDER BY n.id DESC LIMIT 1) AS told
      FROM ${from} t WHERE ${where} ${narrowed}
    ) found WHERE NOT told <=> mark AND NOT (told IS NULL AND mark = '0,0,0,0') LIMIT ${FOUND_MAX}`,
    ids: `SELECT t.id FROM ${from} t WHERE ${where}`,
    id: 't.id',
    name: (id) => `row ${id} of ${from}`,
  };
  const changed = await find(session, search, onDamage);
  await tell(session, kind, changed);
  const removed = await session.rowsOfText(`
    SELECT last.record_key FROM nk_change last
    JOIN (SELECT MAX(id) AS id FROM nk_change WHERE kind = '${kind}' GROUP BY record_key) newest ON newest.id = last.id
    LEFT JOIN (SELECT DISTINCT ${key} AS record_key FROM ${from} t WHERE ${where}) present
      ON present.record_key = last.record_key
    WHERE last.removed = 0 AND last.record_key LIKE '${prefix}%' AND present.record_key IS NULL LIMIT ${FOUND_MAX}`);
  await tell(session, kind, removed);
  return changed.length + removed.length > 0;
}
