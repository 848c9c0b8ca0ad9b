/**
 * Rows that the database itself calls damaged, as MariaDB 10.11 leaves one now and then whose long content did not fit on
 * a full disk. A statement that meets one fails as a whole, so they are read one by one then, and hold up no other.
 */
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX } from './bounds.ts';
import { isOfDamage, storeErrorOf } from './mysql-errors.ts';
import { getConfig, getConfigsOf, readConfigs, scanConfigs } from './mysql-read.ts';
import { ID_VALUE, type MysqlSession } from './mysql-session.ts';
import type { Page, StoreError } from './store.ts';

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
  const found: (Config | undefined | StoreError)[] = [];
  for (const key of keys) found.push(await orDamage(session, () => getConfig(session, key)));
  return found;
}

/** What is damaged is left out of the page and named. */
export async function scanSoundConfigs(session: MysqlSession, limit: number, after: string): Promise<Page<Config>> {
  try {
    return await scanConfigs(session, limit, after);
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  const rows = await session.rows(`SELECT id FROM config_info WHERE id > ${ID_VALUE} ORDER BY id LIMIT ${limit + 1}`, [
    after,
  ]);
  const ids = rows.map((row) => String(row['id']));
  const items: Config[] = [];
  const damaged: string[] = [];
  let chars = 0;
  let read = 0;
  for (; read < Math.min(limit, ids.length) && chars <= PAGE_BYTES_MAX; read += 1) {
    const id = ids[read]!;
    const found = await orDamage(session, async () => (await readConfigs(session, [id]))[0]);
    if (found instanceof Error) damaged.push(`row ${id} of config_info: ${found.message}`);
    else if (found !== undefined) {
      items.push(found);
      chars += found.content.length;
    }
  }
  return { items, next: read < ids.length ? ids[read - 1] : undefined, ...(damaged.length > 0 && { damaged }) };
}

async function orDamage<T>(session: MysqlSession, read: () => Promise<T>): Promise<T | StoreError> {
  try {
    return await read();
  } catch (error) {
    if (!isOfDamage(error)) throw error;
    return storeErrorOf(error, session.place);
  }
}
