/**
 * Rows that the database itself calls damaged, as MariaDB 10.11 leaves one now and then whose long content did not fit on
 * a full disk. A statement that meets one fails as a whole, and which statements meet one is up to the plan of the server.
 * So what many of them cannot be read with is read with fewer and fewer, at last one by one, and a damaged row holds up no
 * other. What is well is read as ever: only a statement that failed brings us here.
 */
import { PAGE_BYTES_MAX } from './bounds.ts';
import { isOfDamage, storeErrorOf } from './mysql-errors.ts';
import type { MysqlSession, Row, SqlValue } from './mysql-session.ts';
import { type Page, StoreError } from './store.ts';

/** They share the time of one call. */
export const ROWS_ONE_BY_ONE_MAX = 50;
/** If so many, and nothing beside them, cannot be read, it is no matter of rows: nobody must take them for gone. */
const DAMAGED_ALONE_MAX = 2;

/** What is read in pages, in the order of its keys. */
export interface Scanned<Item> {
  page(limit: number, after: string): Promise<Page<Item>>;
  /** Of the rows that follow, in their order, without reading the rows where that can be. */
  keys(limit: number, after: string): Promise<readonly string[]>;
  /** Undefined: it is gone. */
  read(key: string): Promise<Item | undefined>;
  /** For messages: `row 3 of config_info`. */
  name(key: string): string;
  charsOf(item: Item): number;
}

/** What is damaged is left out of the page and named. A page around it is short, and perhaps empty. */
export async function soundPage<Item>(
  session: MysqlSession,
  scanned: Scanned<Item>,
  limit: number,
  after: string,
): Promise<Page<Item>> {
  for (let size = limit; size >= 1; size = Math.floor(size / 2)) {
    try {
      return await scanned.page(size, after);
    } catch (error) {
      if (!isOfDamage(error)) throw error;
    }
  }
  const most = Math.min(limit, ROWS_ONE_BY_ONE_MAX);
  const keys = await scanned.keys(most + 1, after);
  const looks = await oneByOne(session, keys.slice(0, most), scanned.read, scanned.charsOf);
  const items: Item[] = [];
  const damaged: string[] = [];
  for (const [i, look] of looks.entries()) {
    if (look instanceof StoreError) damaged.push(`${scanned.name(keys[i]!)}: ${look.message}`);
    else if (look !== undefined) items.push(look);
  }
  return { items, next: looks.length < keys.length ? keys[looks.length - 1] : undefined, damaged };
}

/** The first of these, as many as one page holds. */
export async function oneByOne<Key, Item>(
  session: MysqlSession,
  keys: readonly Key[],
  read: (key: Key) => Promise<Item | undefined>,
  charsOf: (item: Item) => number,
): Promise<readonly (Item | undefined | StoreError)[]> {
  const looks: (Item | undefined | StoreError)[] = [];
  for (let chars = 0; looks.length < keys.length && chars <= PAGE_BYTES_MAX; ) {
    try {
      const item = await read(keys[looks.length]!);
      if (item !== undefined) chars += charsOf(item);
      looks.push(item);
    } catch (error) {
      if (!isOfDamage(error)) throw error;
      looks.push(storeErrorOf(error, session.place));
    }
  }
  requireAny(
    looks.length,
    looks.filter((look) => look instanceof StoreError),
  );
  return looks;
}

/** Reads all at once, or what of them can be read in halves, halves of halves and so on. */
export async function soundOf<Key, Item>(
  session: MysqlSession,
  keys: readonly Key[],
  read: (keys: readonly Key[]) => Promise<readonly Item[]>,
): Promise<{ read: readonly Item[]; damaged: ReadonlyMap<Key, StoreError> }> {
  const items: Item[] = [];
  const damaged = new Map<Key, StoreError>();
  const parts = keys.length === 0 ? [] : [keys];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    try {
      items.push(...(await read(part)));
    } catch (error) {
      if (!isOfDamage(error)) throw error;
      const half = Math.ceil(part.length / 2);
      if (part.length === 1) damaged.set(part[0]!, storeErrorOf(error, session.place));
      else parts.push(part.slice(half), part.slice(0, half));
    }
  }
  return { read: items, damaged };
}

/** Of rows that were `met`, some were read or are gone, or there are few. */
export function requireAny(met: number, damaged: readonly StoreError[]): void {
  if (damaged.length > DAMAGED_ALONE_MAX && damaged.length === met) throw damaged[0];
}

/**
 * For names of rows: as they stand where they cannot be read as of a moment, since a damaged row may not even tell since
 * when it is there. Then some may be not committed yet, so what they hold has to be read by other means.
 */
export async function rowsOfAnyKind(
  session: MysqlSession,
  sql: string,
  values?: readonly SqlValue[],
): Promise<readonly Row[]> {
  const read = () => (values === undefined ? session.rowsOfText(sql) : session.rows(sql, values));
  try {
    return await read();
  } catch (error) {
    if (!isOfDamage(error)) throw error;
  }
  // Of the next statement alone.
  await session.command('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
  return read();
}
