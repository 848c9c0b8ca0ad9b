import { hash } from 'node:crypto';
import type { Config, ConfigKey, ConfigType, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { type ConfigFacts, type ConfigHistory, type HistoryEntry, readVariantText, variantText } from './history.ts';
import type { Change, ChangedThing, Revision, StoredRecord } from './store.ts';

export interface ConfigRow {
  readonly id: number;
  readonly namespace_id: string;
  readonly group_id: string;
  readonly data_id: string;
  readonly md5: string;
  readonly facts: string;
  readonly checksum: string;
  readonly content: string;
}

export interface VariantRow extends ConfigRow {
  readonly variant: string;
}

export interface HistoryRow {
  readonly nid: number;
  readonly config_id: number;
  readonly namespace_id: string;
  readonly group_id: string;
  readonly data_id: string;
  readonly operation: 'I' | 'U' | 'D';
  readonly md5: string;
  readonly app_name: string;
  readonly source_ip: string;
  readonly source_user: string | null;
  readonly at_ms: number;
}

export interface RecordRow {
  readonly kind: StoredRecord['kind'];
  readonly key: string;
  readonly value: string;
  readonly checksum: string;
}

type VariantFacts = Omit<ConfigVariant, keyof ConfigKey | 'variant' | 'md5' | 'content'>;

export function parseFacts(facts: string): ConfigFacts {
  return JSON.parse(facts) as ConfigFacts & { type: ConfigType };
}

export function variantFactsOf(variant: ConfigVariant): string {
  const { appName, betaIps, createdMs, modifiedMs, sourceIp, sourceUser } = variant;
  return JSON.stringify({ appName, betaIps, createdMs, modifiedMs, sourceIp, sourceUser } satisfies VariantFacts);
}

export function parseVariantFacts(facts: string): VariantFacts {
  return JSON.parse(facts) as VariantFacts;
}

/** A row that sqlite handed out, but that is not what was written: a flipped bit, a foreign hand. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}

export function readConfig(row: ConfigRow): Config {
  const { namespace_id: namespaceId, group_id: group, data_id: dataId, md5, facts, content } = row;
  checkConfig(row);
  return { id: String(row.id), namespaceId, group, dataId, content, md5, ...parseFacts(facts) };
}

export function checkConfig(row: ConfigRow): void {
  const { namespace_id: namespaceId, group_id: group, data_id: dataId, md5, facts, content } = row;
  if (row.checksum !== configChecksum({ namespaceId, group, dataId }, md5, facts) || md5Of(content) !== md5) {
    throw new DamagedRowError(`config ${namespaceId}+${group}+${dataId} does not fit its checksum`);
  }
}

export function readVariant(row: VariantRow): ConfigVariant {
  const { namespace_id: namespaceId, group_id: group, data_id: dataId, md5, facts, content } = row;
  const variant = readVariantText(row.variant);
  const key = { namespaceId, group, dataId };
  if (row.checksum !== variantChecksum(key, variant, md5, facts) || md5Of(content) !== md5) {
    throw new DamagedRowError(`${row.variant} of config ${namespaceId}+${group}+${dataId} does not fit its checksum`);
  }
  return { ...key, variant, content, md5, ...parseVariantFacts(facts) };
}

export function readHistoryEntry(row: HistoryRow): HistoryEntry {
  return {
    nid: String(row.nid),
    configId: String(row.config_id),
    operation: row.operation,
    dataId: row.data_id,
    group: row.group_id,
    namespaceId: row.namespace_id,
    md5: row.md5,
    appName: row.app_name,
    sourceIp: row.source_ip,
    sourceUser: row.source_user,
    atMs: row.at_ms,
  };
}

export function readHistory(row: HistoryRow & { readonly content: string }): ConfigHistory {
  const { content } = row;
  if (md5Of(content) !== row.md5) throw new DamagedRowError(`history row ${row.nid} does not fit its md5`);
  return { ...readHistoryEntry(row), content };
}

export function readRecord(row: RecordRow): StoredRecord {
  const { kind, key, value } = row;
  if (row.checksum !== recordChecksum(row)) {
    throw new DamagedRowError(`record ${kind} ${key} does not fit its checksum`);
  }
  return { kind, key, value };
}

export function configChecksum(key: ConfigKey | string, md5: string, facts: string): string {
  return md5Of(`${typeof key === 'string' ? key : configChangeKey(key)}${md5}${facts}`);
}

export function variantChecksum(key: ConfigKey, variant: VariantId, md5: string, facts: string): string {
  return md5Of(`${configChangeKey(key)}${variantText(variant)} ${md5}${facts}`);
}

export function recordChecksum(record: StoredRecord): string {
  return md5Of(`${record.kind} ${record.key} ${record.value}`);
}

export function configChangeKey({ namespaceId, group, dataId }: ConfigKey): string {
  return JSON.stringify([namespaceId, group, dataId]);
}

/** Of a change its columns one after the other: many changes move between threads, and objects move slowly. */
export type ChangeColumns = readonly (string | number)[];
const COLUMNS_PER_CHANGE = 4;

export function readChanges(columns: ChangeColumns): readonly Change[] {
  const changes: Change[] = [];
  for (let i = 0; i < columns.length; i += COLUMNS_PER_CHANGE) {
    const [revision, kind, key, removed] = columns.slice(i, i + COLUMNS_PER_CHANGE);
    const what = readChangedThing(kind as ChangedThing['kind'], key as string);
    changes.push({ revision: revision as Revision, what, removed: removed === 1 });
  }
  return changes;
}

function readChangedThing(kind: ChangedThing['kind'], key: string): ChangedThing {
  if (kind !== 'config' && kind !== 'variant') return { kind, key };
  const [namespaceId, group, dataId] = JSON.parse(key) as [string, string, string];
  return { kind, key: { dataId, group, namespaceId } };
}

function md5Of(text: string): string {
  return hash('md5', text);
}
