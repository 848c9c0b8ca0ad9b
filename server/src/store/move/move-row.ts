import { createHash } from 'node:crypto';
import type { ConfigKey, VariantId } from '@nacos-kube/core/model/config.ts';
import { parseCapacity, parseNamespace } from '../bounds.ts';
import { variantText } from '../history.ts';
import type { MovedRow, RecordKind, StoredRecord } from '../store.ts';

/** What a store consists of, one by one; `gone` only among changes that came while it was read. */
export type MoveRow =
  | MovedRow
  | { readonly what: 'record'; readonly row: StoredRecord }
  | { readonly what: 'gone'; readonly row: GoneThing };

export type GoneThing =
  | { readonly of: 'config'; readonly key: ConfigKey }
  /** All variants of it but these. */
  | { readonly of: 'variants'; readonly key: ConfigKey; readonly but: readonly VariantId[] }
  | { readonly of: 'record'; readonly kind: RecordKind; readonly key: string };

/** In the order in which they are written, so that what stands for others comes first. */
export const RECORD_KINDS: readonly RecordKind[] = ['namespace', 'capacity', 'switch', 'service', 'instance'];

/** Where a row belongs: a later one of the same name takes its place. Past writes have one each. */
export function rowName(row: MoveRow): string {
  switch (row.what) {
    case 'config':
      return configName(row.row);
    case 'variant':
      return variantName(row.row, row.row.variant);
    case 'history':
      return `past write ${row.row.nid} of ${configName(row.row)}`;
    case 'record':
      return `${row.row.kind} ${row.row.key}`;
    case 'gone':
      return `end of ${row.row.of === 'record' ? `${row.row.kind} ${row.row.key}` : configName(row.row.key)}`;
  }
}

/** What a later row, or its end, stands for: that a row of this name was once wrong means nothing then. */
export function isGone(gone: GoneThing, name: string): boolean {
  switch (gone.of) {
    case 'config':
      return name === configName(gone.key);
    case 'variants':
      return name.endsWith(` of ${configName(gone.key)}`) && !name.startsWith('past write ');
    case 'record':
      return name === `${gone.kind} ${gone.key}`;
  }
}

/**
 * Md5 of all that two stores must agree on: key, content and facts. Left out are ids, which are the engine's own, and
 * times, which some engines keep in seconds and some give anew.
 */
export function rowDigest(row: MoveRow): string {
  return createHash('md5')
    .update(JSON.stringify(essence(row)))
    .digest('hex');
}

function essence(row: MoveRow): unknown {
  switch (row.what) {
    case 'config': {
      const { content, type, appName, description, use, effect, schema, tags, sourceIp, sourceUser } = row.row;
      const facts = [type, appName, description, use, effect, schema, [...new Set(tags)].sort(), sourceIp, sourceUser];
      return [rowName(row), md5(content), facts];
    }
    case 'variant': {
      const { content, appName, betaIps, sourceIp, sourceUser } = row.row;
      return [rowName(row), md5(content), [appName, betaIps, sourceIp, sourceUser]];
    }
    case 'history': {
      const { operation, content, appName, sourceIp, sourceUser, atMs } = row.row;
      const facts = [operation, appName, sourceIp, sourceUser, Math.floor(atMs / 1000)];
      return [configName(row.row), md5(content), facts];
    }
    case 'record':
      return [rowName(row), textOrFields(row.row)];
    case 'gone':
      return [rowName(row)];
  }
}

/** Engines that keep them in columns make the text anew. */
function textOrFields(record: StoredRecord): unknown {
  if (record.kind === 'namespace') return parseNamespace(record);
  return record.kind === 'capacity' ? parseCapacity(record).limits : record.value;
}

function configName({ namespaceId, group, dataId }: ConfigKey): string {
  return `config ${JSON.stringify([namespaceId, group, dataId])}`;
}

function variantName(key: ConfigKey, variant: VariantId): string {
  return `${variantText(variant)} of ${configName(key)}`;
}

/** Of the content, whatever stands in a column. */
export function withMd5<T extends { readonly content: string; readonly md5: string }>(row: T): T {
  const right = md5(row.content);
  return row.md5 === right ? row : { ...row, md5: right };
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
