import { hash } from 'node:crypto';
import type { Config, ConfigKey, ConfigType, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { type ConfigHistory, type HistoryEntry, readVariantText, variantText } from '../history.ts';
import type {
  Change,
  ChangedThing,
  ConfigWrite,
  MovedRow,
  Operator,
  RecordKind,
  StoredRecord,
  VariantWrite,
} from '../store.ts';
import type { RedisArgument } from './connection.ts';

/** What Redis handed out is not what was written: a foreign hand, an evicted key. */
export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';
}

/** As scripts answer it: id, name, namespace, variant, md5, facts, application, tags, created, modified, checksum. */
export type RowFields = readonly (string | null)[];
export type Row = readonly [fields: RowFields, content: string | null];
/** Number, name, operation, id of the configuration, md5, application, by, time, checksum. */
export type PastFields = readonly (string | null)[];

/** One text for each key; it names rows in indexes and in the feed. */
export function nameOf({ namespaceId, group, dataId }: ConfigKey): string {
  return JSON.stringify([namespaceId, group, dataId]);
}

export function readName(name: string): ConfigKey {
  const [namespaceId, group, dataId] = JSON.parse(name) as [string, string, string];
  return { dataId, group, namespaceId };
}

interface ConfigFacts {
  readonly type: ConfigType;
  readonly description: string | null;
  readonly use: string | null;
  readonly effect: string | null;
  readonly schema: string | null;
  readonly by: Operator;
}

interface VariantFacts {
  readonly betaIps: string;
  readonly by: Operator;
}

/** What one write says alone; what may come from the write before is kept in fields of its own. */
export function configFacts({ type, description, use, effect, schema, by }: ConfigWrite): string {
  return JSON.stringify({ type, description, use, effect, schema, by } satisfies ConfigFacts);
}

export function variantFacts({ betaIps, by }: VariantWrite): string {
  return JSON.stringify({ betaIps, by } satisfies VariantFacts);
}

export function readConfig([fields, content]: Row): Config {
  const row = soundRow(fields, content);
  const { by, ...facts } = JSON.parse(row.facts) as ConfigFacts;
  return {
    ...{ id: row.id, ...readName(row.name), content: row.content, md5: row.md5, ...facts },
    ...{ appName: row.appName, tags: JSON.parse(row.tags) as string[] },
    ...{ createdMs: row.createdMs, modifiedMs: row.modifiedMs, sourceIp: by.ip, sourceUser: by.user },
  };
}

export function readVariant([fields, content]: Row): ConfigVariant {
  const row = soundRow(fields, content);
  const { betaIps, by } = JSON.parse(row.facts) as VariantFacts;
  return {
    ...{ ...readName(row.name), variant: readVariantText(row.variant), content: row.content, md5: row.md5 },
    ...{ appName: row.appName, betaIps, createdMs: row.createdMs, modifiedMs: row.modifiedMs },
    ...{ sourceIp: by.ip, sourceUser: by.user },
  };
}

export function rowId([fields]: Row): string {
  return fields[0] ?? '0';
}

function soundRow([id, ...fields]: RowFields, content: string | null) {
  const sum = fields.pop();
  const what = `${fields[2] ? `${fields[2]} of ` : ''}config ${fields[0] ?? `with the id ${id}`}`;
  if (fields.includes(null) || content === null || sum !== checksum(fields) || hash('md5', content) !== fields[3]) {
    throw new DamagedRowError(`${what} does not fit its checksum`);
  }
  const [name, , variant, md5, facts, appName, tags, created, modified] = fields as string[];
  return {
    ...{ id: id!, name: name!, variant: variant!, md5: md5!, facts: facts!, appName: appName!, tags: tags!, content },
    ...{ createdMs: Number(created), modifiedMs: Number(modified) },
  };
}

export function readHistoryEntry([nid, ...fields]: PastFields): HistoryEntry {
  const sum = fields.pop();
  if (fields.includes(null) || sum !== checksum(fields)) {
    throw new DamagedRowError(`past write ${nid} does not fit its checksum`);
  }
  const [name, operation, configId, md5, appName, by, at] = fields as string[];
  const { ip, user } = JSON.parse(by!) as Operator;
  return {
    ...{ nid: nid!, configId: configId!, operation: operation as HistoryEntry['operation'], ...readName(name!) },
    ...{ md5: md5!, appName: appName!, sourceIp: ip, sourceUser: user, atMs: Number(at) },
  };
}

export function readHistory([fields, content]: readonly [PastFields, string | null]): ConfigHistory {
  const entry = readHistoryEntry(fields);
  if (content === null || hash('md5', content) !== entry.md5) {
    throw new DamagedRowError(`past write ${entry.nid} does not fit its md5`);
  }
  return { ...entry, content };
}

/** What one script takes, so that it does not hold Redis up for long. */
const MOVED_CHARS_PER_STEP = 2 * 1024 * 1024;

/** The values of rows of another store, as the script for them takes them. */
export function* movedInSteps(moved: readonly MovedRow[]): Generator<readonly RedisArgument[]> {
  let step: RedisArgument[] = [];
  let chars = 0;
  for (const one of moved) {
    step.push(...movedValues(one));
    chars += one.row.content.length;
    if (chars < MOVED_CHARS_PER_STEP) continue;
    yield step;
    step = [];
    chars = 0;
  }
  if (step.length > 0) yield step;
}

function movedValues({ what, row }: MovedRow): readonly RedisArgument[] {
  const by = { ip: row.sourceIp, user: row.sourceUser };
  const start = [nameOf(row), row.namespaceId, row.content, row.md5];
  switch (what) {
    case 'config': {
      const tags = JSON.stringify(row.tags);
      return [what, ...start, configFacts({ ...row, by }), row.id, row.appName, tags, row.createdMs, row.modifiedMs];
    }
    case 'variant': {
      const variant = variantText(row.variant);
      return [what, ...start, variantFacts({ ...row, by }), variant, row.appName, '[]', row.createdMs, row.modifiedMs];
    }
    case 'history': {
      const [name, , content, md5] = start;
      const { nid, operation, appName, configId, atMs } = row;
      return ['past', name!, nid, content!, md5!, JSON.stringify(by), operation, appName, configId, atMs, ''];
    }
  }
}

const SUM_LENGTH = 40;

export function storedRecord({ kind, key, value }: StoredRecord): string {
  return `${checksum([kind, key, value])}${value}`;
}

export function readRecord(kind: RecordKind, key: string, stored: string): StoredRecord {
  const value = stored.slice(SUM_LENGTH);
  if (stored.slice(0, SUM_LENGTH) !== checksum([kind, key, value])) {
    throw new DamagedRowError(`record ${kind} ${key} does not fit its checksum`);
  }
  return { kind, key, value };
}

/** `id` is the revision with a sequence that is always 0. Undefined: where a server took over, which is no change. */
export function readChange([id, [, text]]: ChangeEntry): Change | undefined {
  if (text === '') return undefined;
  const [, kind, removed, key] = /^(\w+) ([01]) (.*)$/s.exec(text) as unknown as [string, string, string, string];
  const what = { kind, key: kind === 'config' || kind === 'variant' ? readName(key) : key } as ChangedThing;
  return { revision: revisionOf(id), what, removed: removed === '1' };
}

export type ChangeEntry = readonly [id: string, fields: readonly [string, string]];

export function revisionOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

/** As the scripts make it. */
function checksum(fields: readonly (string | null | undefined)[]): string {
  return hash('sha1', fields.join('\n'));
}
