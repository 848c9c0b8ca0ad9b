import type { Namespace } from '@nacos-kube/core/model/namespace.ts';
import {
  type CapacityLimits,
  CONFIGS_PER_SEARCH_MAX,
  type ConfigQuery,
  type ConfigWrite,
  MOVED_PER_WRITE_MAX,
  type MovedRow,
  type Operator,
  RECORD_KEY_BYTES_MAX,
  RECORD_VALUE_BYTES_MAX,
  RECORDS_PER_WRITE_MAX,
  type StoredRecord,
  StoreError,
  type VariantWrite,
} from './store.ts';

/** The columns of the 1.4 schema, so that what one engine takes every other takes too. */
const TEXT_LENGTHS_MAX = {
  dataId: 255,
  group: 128,
  namespaceId: 128,
  namespaceName: 128,
  appName: 128,
  description: 256,
  use: 64,
  effect: 64,
  sourceIp: 50,
  sourceUser: 512,
  tag: 128,
  betaIps: 1024,
} as const;
/** Longer than any name that it could find. */
const QUERY_TEXT_LENGTH_MAX = 512;
const SCHEMA_BYTES_MAX = 65_535;
const TAGS_PER_CONFIG_MAX = 64;
/** In UTF-16 units, as `maxContent` of the protocol counts. */
export const CONTENT_LENGTH_MAX = 10 * 1024 * 1024;

/** How long a store may take for one call before it says that it is unavailable. */
export const OPERATION_DEADLINE_MS = 3000;
export const ITEMS_PER_PAGE_MAX = 1000;
/** A page ends early once its contents exceed this, so that no page is a burden to move. */
export const PAGE_BYTES_MAX = 2 * 1024 * 1024;
export const CHANGES_PER_PAGE_MAX = 5000;
/** A follower further behind than this reads everything again. */
export const CHANGES_KEPT = 100_000;
/** Forgetting old changes one by one would cost every write; so now and then many at once. */
export function isTimeToForget(revision: number, kept: number, writtenAtOnce = 1): boolean {
  const every = Math.max(1, Math.floor(kept / 100));
  return Math.floor(revision / every) !== Math.floor((revision - writtenAtOnce) / every);
}
export const HISTORY_KEPT_DAYS = 30;
export const HISTORY_PER_SEARCH_MAX = 500;
/** In UTF-16 units; what a search may bring at once. */
export const SEARCH_BYTES_MAX = 128 * 1024 * 1024;

export function checkConfigWrite(write: ConfigWrite): void {
  checkTexts(write);
  checkText('description', write.description);
  checkText('use', write.use);
  checkText('effect', write.effect);
  for (const tag of write.tags ?? []) checkText('tag', tag);
  if (write.tags !== undefined && write.tags.length > TAGS_PER_CONFIG_MAX) {
    throw new StoreError('invalid', `${write.tags.length} tags: at most ${TAGS_PER_CONFIG_MAX} are stored`);
  }
  if (write.schema !== null && Buffer.byteLength(write.schema) > SCHEMA_BYTES_MAX) {
    throw new StoreError('invalid', `the schema is over ${SCHEMA_BYTES_MAX} bytes`);
  }
}

export function checkVariantWrite(write: VariantWrite): void {
  checkTexts(write);
  checkText('betaIps', write.betaIps);
  if (write.variant.kind === 'beta') return;
  checkText('tag', write.variant.tag);
  if (write.variant.tag === '') throw new StoreError('invalid', 'the name of a tag is empty');
}

export function checkMoved(rows: readonly MovedRow[]): void {
  if (rows.length > MOVED_PER_WRITE_MAX) {
    throw new StoreError('invalid', `${rows.length} moved rows in one write: at most ${MOVED_PER_WRITE_MAX}`);
  }
  for (const { what, row } of rows) {
    const by = { ip: row.sourceIp, user: row.sourceUser };
    if (what === 'config') checkConfigWrite({ ...row, by });
    else if (what === 'variant') checkVariantWrite({ ...row, by });
    else checkTexts({ ...row, by });
  }
}

function checkTexts(write: {
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
  readonly appName: string | undefined;
  readonly content: string;
  readonly by: Operator;
}): void {
  checkText('dataId', write.dataId);
  checkText('group', write.group);
  checkText('namespaceId', write.namespaceId);
  checkText('appName', write.appName);
  checkText('sourceIp', write.by.ip);
  checkText('sourceUser', write.by.user);
  if (write.content.length > CONTENT_LENGTH_MAX) {
    throw new StoreError('invalid', `the content is over ${CONTENT_LENGTH_MAX} characters`);
  }
  if (!write.content.isWellFormed()) {
    throw new StoreError('invalid', 'the content holds half a surrogate pair, which no UTF-8 text can keep');
  }
}

export function checkConfigQuery(query: ConfigQuery): void {
  const texts = [query.namespaceId, query.dataId?.text, query.group?.text, query.appName, ...query.tags];
  for (const text of texts) {
    if (text === undefined) continue;
    if (text.length > QUERY_TEXT_LENGTH_MAX) {
      throw new StoreError('invalid', `a text to search for is over ${QUERY_TEXT_LENGTH_MAX} characters`);
    }
    if (!text.isWellFormed()) throw new StoreError('invalid', 'a text to search for holds half a surrogate pair');
  }
  if (query.tags.length > TAGS_PER_CONFIG_MAX) {
    throw new StoreError('invalid', `${query.tags.length} tags to search for: at most ${TAGS_PER_CONFIG_MAX}`);
  }
}

/** Those that could be an id, each once. */
export function checkIds(ids: readonly string[]): readonly string[] {
  if (ids.length > CONFIGS_PER_SEARCH_MAX) {
    throw new StoreError('invalid', `${ids.length} ids at once: at most ${CONFIGS_PER_SEARCH_MAX}`);
  }
  return [...new Set(ids)].filter(isId);
}

const ID_MAX = 2n ** 63n - 1n;

/** Whether an id could be of something: `0` is of nothing. */
export function isId(id: string): boolean {
  return /^[1-9]\d{0,18}$/.test(id) && BigInt(id) <= ID_MAX;
}

export function pageOffset(offset: number): number {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new StoreError('invalid', `a page from item ${offset} on`);
  return offset;
}

export function requireSearchBytes(bytes: number): void {
  if (bytes <= SEARCH_BYTES_MAX) return;
  throw new StoreError('invalid', `the contents found are over ${SEARCH_BYTES_MAX} characters: ask for fewer at once`);
}

export function checkRecords(records: readonly StoredRecord[]): void {
  if (records.length > RECORDS_PER_WRITE_MAX) {
    throw new StoreError('invalid', `${records.length} records in one write: at most ${RECORDS_PER_WRITE_MAX}`);
  }
  for (const record of records) {
    checkRecordKey(record.key);
    if (Buffer.byteLength(record.value) > RECORD_VALUE_BYTES_MAX) {
      throw new StoreError('invalid', `record ${record.kind} ${record.key} is over ${RECORD_VALUE_BYTES_MAX} bytes`);
    }
    if (!record.value.isWellFormed()) {
      throw new StoreError('invalid', `record ${record.kind} ${record.key} holds half a surrogate pair`);
    }
    if (record.kind === 'namespace') parseNamespace(record);
    if (record.kind === 'capacity') parseCapacity(record);
  }
}

/** Namespaces have columns of their own in the 1.4 schema, so they alone must have a known form everywhere. */
export function parseNamespace({ key, value }: StoredRecord): Namespace {
  let parsed: Partial<Namespace> | null;
  try {
    parsed = JSON.parse(value) as Partial<Namespace> | null;
  } catch (cause) {
    throw new StoreError('invalid', `namespace ${key} is no JSON document`, { cause });
  }
  const { id, name, description } = parsed ?? {};
  if (id !== key || typeof name !== 'string' || typeof description !== 'string') {
    throw new StoreError('invalid', `namespace ${key} needs its id, a name and a description as texts`);
  }
  checkText('namespaceId', id);
  checkText('namespaceName', name);
  checkText('description', description);
  return { id, name, description };
}

export function namespaceRecord({ id, name, description }: Namespace): StoredRecord {
  return { kind: 'namespace', key: id, value: JSON.stringify({ id, name, description }) };
}

export interface CapacityOf {
  readonly kind: 'group' | 'tenant';
  readonly name: string;
}

/** Whose capacity the key of a record means; undefined when it is no such key. */
export function capacityOf(key: string): CapacityOf | undefined {
  const found = /^(group|tenant):(.*)$/s.exec(key);
  return found === null ? undefined : { kind: found[1] as CapacityOf['kind'], name: found[2]! };
}

const CAPACITY_MAX = 2 ** 32 - 1;

/** Limits have columns of their own in the 1.4 schema too. */
export function parseCapacity({ key, value }: StoredRecord): CapacityOf & { readonly limits: CapacityLimits } {
  const of = capacityOf(key);
  if (of === undefined) throw new StoreError('invalid', `capacity ${key} is neither of a group nor of a tenant`);
  checkText(of.kind === 'group' ? 'group' : 'namespaceId', of.name);
  let parsed: Partial<CapacityLimits> | null;
  try {
    parsed = JSON.parse(value) as Partial<CapacityLimits> | null;
  } catch (cause) {
    throw new StoreError('invalid', `capacity ${key} is no JSON document`, { cause });
  }
  const { quota = -1, maxSize = -1, maxAggrCount = -1, maxAggrSize = -1 } = parsed ?? {};
  for (const limit of [quota, maxSize, maxAggrCount, maxAggrSize]) {
    if (Number.isInteger(limit) && limit >= 0 && limit <= CAPACITY_MAX) continue;
    throw new StoreError('invalid', `capacity ${key} needs four whole numbers from 0 to ${CAPACITY_MAX}`);
  }
  return { ...of, limits: { quota, maxSize, maxAggrCount, maxAggrSize } };
}

export function capacityRecord({ kind, name }: CapacityOf, limits: CapacityLimits): StoredRecord {
  const { quota, maxSize, maxAggrCount, maxAggrSize } = limits;
  const value = JSON.stringify({ quota, maxSize, maxAggrCount, maxAggrSize });
  return { kind: 'capacity', key: `${kind}:${name}`, value };
}

export function checkRecordKey(key: string): void {
  if (key === '') throw new StoreError('invalid', 'the key of a record is empty');
  if (Buffer.byteLength(key) > RECORD_KEY_BYTES_MAX) {
    throw new StoreError('invalid', `the key of a record is over ${RECORD_KEY_BYTES_MAX} bytes`);
  }
  if (!key.isWellFormed()) throw new StoreError('invalid', 'the key of a record holds half a surrogate pair');
}

export function pageSize(limit: number, max: number): number {
  if (!Number.isInteger(limit) || limit < 1) throw new StoreError('invalid', `a page of ${limit} items`);
  return Math.min(limit, max);
}

/** `after` of a scan by id; anything that is no `next` of ours is refused. */
export function pageStart(after: string | undefined): number {
  if (after === undefined) return 0;
  const id = Number(after);
  if (!Number.isSafeInteger(id) || id < 0) throw new StoreError('invalid', `no page starts after ${after}`);
  return id;
}

function checkText(name: keyof typeof TEXT_LENGTHS_MAX, text: string | null | undefined): void {
  if (text === null || text === undefined) return;
  if (text.length > TEXT_LENGTHS_MAX[name]) {
    throw new StoreError('invalid', `${name} is over ${TEXT_LENGTHS_MAX[name]} characters`);
  }
  if (!text.isWellFormed()) throw new StoreError('invalid', `${name} holds half a surrogate pair`);
}
