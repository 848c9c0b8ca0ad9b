/**
 * Rows that the database itself calls damaged, as MariaDB 10.11 leaves one now and then whose long content did not fit on
 * a full disk. A statement that meets one fails as a whole, so they are read one by one then, and hold up no other.
 */
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX } from './bounds.ts';
import { isOfDamage, storeErrorOf } from './mysql-errors.ts';
import { getConfig, getConfigsOf, readConfigs, scanConfigs } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession } from './mysql-session.ts';
import { type Page, StoreError } from './store.ts';

/** They share the time of one call. */
const ROWS_ONE_BY_ONE_MAX = 50;

type Look = Config | undefined | StoreError;

/** Of the first of these keys, as many as one page holds. */
export async function getSoundConfigs(session: MysqlSession, keys: readonly ConfigKey[]): Promise<readonly Look[]> {
  try {
    return await getConfigsOf(session, keys);
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  return oneByOne(session, keys.slice(0, ROWS_ONE_BY_ONE_MAX), (key) => getConfig(session, key));
}

/** What is damaged is left out of the page and named. */
export async function scanSoundConfigs(session: MysqlSession, limit: number, after: string): Promise<Page<Config>> {
  try {
    return await scanConfigs(session, limit, after);
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const most = Math.min(limit, ROWS_ONE_BY_ONE_MAX);
  const sql = `SELECT id FROM config_info WHERE id > ${ID_VALUE} ORDER BY id LIMIT ${most + 1}`;
  const ids = (await session.rows(sql, [after])).map((row) => String(row['id']));
  const looks = await oneByOne(session, ids.slice(0, most), async (id) => (await readConfigs(session, [id]))[0]);
  const damaged = looks.flatMap((look, i) =>
    look instanceof StoreError ? [`row ${ids[i]} of config_info: ${look.message}`] : [],
  );
  const items = looks.filter((look) => look !== undefined && !(look instanceof StoreError)) as Config[];
  return { items, next: looks.length < ids.length ? ids[looks.length - 1] : undefined, damaged };
}

/** When none of several can be read it is no matter of rows: nobody must take them for gone. */
async function oneByOne<Row>(
  session: MysqlSession,
  rows: readonly Row[],
  read: (row: Row) => Promise<Config | undefined>,
): Promise<readonly Look[]> {
  const looks: Look[] = [];
  for (let chars = 0; looks.length < rows.length && chars <= PAGE_BYTES_MAX; ) {
    try {
      const config = await read(rows[looks.length]!);
      chars += config?.content.length ?? 0;
      looks.push(config);
    } catch (error) {
      if (!isOfDamage(error)) throw error;
      looks.push(storeErrorOf(error, session.place));
    }
  }
  if (looks.length > 2 && looks.every((look) => look instanceof StoreError)) throw looks[0];
  return looks;
}
