import { createHash } from 'node:crypto';
import type { Config, ConfigKey, ConfigType } from '@nacos-kube/core/model/config.ts';
import type { ChangedThing, RecordKind, StoredRecord } from './store.ts';

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

export interface RecordRow {
  readonly kind: RecordKind;
  readonly key: string;
  readonly value: string;
  readonly checksum: string;
}

/** All of a config that is neither its key, md5 nor content. */
type ConfigFacts = Omit<Config, keyof ConfigKey | 'md5' | 'content'>;

export function factsOf(config: Config): string {
  const facts: ConfigFacts = {
    type: config.type,
    appName: config.appName,
    description: config.description,
    use: config.use,
    effect: config.effect,
    schema: config.schema,
    tags: config.tags,
    createdMs: config.createdMs,
    modifiedMs: config.modifiedMs,
    sourceIp: config.sourceIp,
    sourceUser: config.sourceUser,
  };
  return JSON.stringify(facts);
}

export function parseFacts(facts: string): ConfigFacts {
  return JSON.parse(facts) as ConfigFacts & { type: ConfigType };
}

/** A row that sqlite handed out, but that is not what was written: a flipped bit, a foreign hand. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}

export function readConfig(row: ConfigRow): Config {
  const { namespace_id: namespaceId, group_id: group, data_id: dataId, md5, facts, content } = row;
  if (row.checksum !== configChecksum({ namespaceId, group, dataId }, md5, facts) || md5Of(content) !== md5) {
    throw new DamagedRowError(`config ${namespaceId}+${group}+${dataId} does not fit its checksum`);
  }
  return { namespaceId, group, dataId, content, md5, ...parseFacts(facts) };
}

export function readRecord(row: RecordRow): StoredRecord {
  const { kind, key, value } = row;
  if (row.checksum !== recordChecksum(row)) {
    throw new DamagedRowError(`record ${kind} ${key} does not fit its checksum`);
  }
  return { kind, key, value };
}

export function configChecksum(key: ConfigKey, md5: string, facts: string): string {
  return md5Of(`${configChangeKey(key)}${md5}${facts}`);
}

export function recordChecksum(record: StoredRecord): string {
  return md5Of(`${record.kind} ${record.key} ${record.value}`);
}

export function configChangeKey({ namespaceId, group, dataId }: ConfigKey): string {
  return JSON.stringify([namespaceId, group, dataId]);
}

export function readChangedThing(kind: RecordKind | 'config', key: string): ChangedThing {
  if (kind !== 'config') return { kind, key };
  const [namespaceId, group, dataId] = JSON.parse(key) as [string, string, string];
  return { kind, key: { dataId, group, namespaceId } };
}

function md5Of(text: string): string {
  return createHash('md5').update(text, 'utf8').digest('hex');
}
