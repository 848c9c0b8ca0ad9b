import { DatabaseSync } from 'node:sqlite';
import { CODES, codeOf } from './sqlite-schema.ts';

const FOUND_CHARS_MAX = 200;

/** What is wrong with the structure of a file, in sqlite's words; null when nothing is. For a thread beside the loop. */
export function damageOf(path: string): string | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 0, allowExtension: false });
    const rows = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    const found = rows[0]?.quick_check ?? 'ok';
    return found === 'ok' ? null : found.replaceAll(/\s+/g, ' ').slice(0, FOUND_CHARS_MAX);
  } catch (error) {
    const code = codeOf(error);
    if (code === CODES.corrupt || code === CODES.noDatabase) return (error as Error).message;
    throw error;
  } finally {
    database?.close();
  }
}
