import { createHash } from 'node:crypto';
import { parseNamespace } from './bounds.ts';
import type { ConfigWrite, StoredRecord } from './store.ts';

/**
 * A mark is short for what followers would read: equal marks, nothing to tell. Each is made here for our own writes, and
 * in SQL for rows that others wrote; the two must agree.
 */
export function configMark({ md5, type }: ConfigWrite): string {
  return `${md5}:${type}`;
}
/** The md5 is taken of the content, since a hand that edits it may leave the column alone. */
export const CONFIG_MARK_SQL = `CONCAT(MD5(c.content), ':', COALESCE(c.type, ''))`;

export function namespaceMark(record: StoredRecord): string {
  const { name, description } = parseNamespace(record);
  return createHash('md5').update(`${name}\n${description}`).digest('hex');
}
export const NAMESPACE_MARK_SQL = `MD5(CONCAT(COALESCE(t.tenant_name, ''), '\\n', COALESCE(t.tenant_desc, '')))`;
