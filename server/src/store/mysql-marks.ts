import { createHash } from 'node:crypto';
import { parseCapacity, parseNamespace } from './bounds.ts';
import type { ConfigWrite, StoredRecord, VariantWrite } from './store.ts';

/**
 * A mark is short for what followers would read: equal marks, nothing to tell. Each is made here for our own writes, and
 * in SQL for rows that others wrote; the two must agree.
 */
export function configMark({ md5, type }: ConfigWrite): string {
  return `${md5}:${type}`;
}
/**
 * As others take it: of UTF-8, whatever the tables are in. What is over max_allowed_packet is converted to nothing, but is
 * not gone.
 */
export function md5Sql(column: string): string {
  return `COALESCE(MD5(${utf8Sql(column)}), MD5(${column}))`;
}
/** The md5 is taken of the content, since a hand that edits it may leave the column alone. */
export const CONFIG_MARK_SQL = `CONCAT(${md5Sql('c.content')}, ':', COALESCE(${utf8Sql('c.type')}, ''))`;

export function variantMark({ md5, variant, betaIps }: VariantWrite): string {
  return `${md5}:${variant.kind === 'beta' ? md5Of(betaIps) : ''}`;
}
export const BETA_MARK_SQL = `CONCAT(${md5Sql('v.content')}, ':', MD5(COALESCE(v.beta_ips, '')))`;
export const TAG_MARK_SQL = `CONCAT(${md5Sql('v.content')}, ':')`;

/** Of a record that engines on the 1.4 schema keep in columns; else empty, for nobody else writes it. */
export function recordMark(record: StoredRecord): string {
  if (record.kind === 'namespace') {
    const { name, description } = parseNamespace(record);
    return md5Of(`${name}\n${description}`);
  }
  if (record.kind !== 'capacity') return '';
  const { quota, maxSize, maxAggrCount, maxAggrSize } = parseCapacity(record).limits;
  return `${quota},${maxSize},${maxAggrCount},${maxAggrSize}`;
}
export const CAPACITY_MARK_SQL = `CONCAT_WS(',', t.quota, t.max_size, t.max_aggr_count, t.max_aggr_size)`;
export const NAMESPACE_MARK_SQL = `MD5(CONCAT(${utf8Sql("COALESCE(t.tenant_name, '')")}, '\\n', ${utf8Sql("COALESCE(t.tenant_desc, '')")}))`;

function utf8Sql(text: string): string {
  return `CONVERT(${text} USING utf8mb4)`;
}

function md5Of(text: string): string {
  return createHash('md5').update(text, 'utf8').digest('hex');
}
