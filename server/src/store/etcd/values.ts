import { hash } from 'node:crypto';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { type ConfigFacts, type ConfigHistory, type HistoryEntry, variantText } from '../history.ts';
import type { ChangedThing, StoredRecord } from '../store.ts';
import { nameOf } from './keys.ts';

/** Where the text of a configuration is kept. */
export interface Blob {
  readonly id: string;
  readonly pieces: number;
  readonly bytes: number;
  /** In UTF-16 units. */
  readonly length: number;
}

/** All of a configuration but its content. */
export type ConfigHead = Omit<Config, 'content'> & { readonly blob: Blob };
export type VariantHead = Omit<ConfigVariant, 'content'> & { readonly blob: Blob };
export type PastHead = HistoryEntry & { readonly blob: Blob };

/** What is needed to find a past write by its number and to forget it in time. */
export interface PastMark {
  readonly name: string;
  readonly operation: ConfigHistory['operation'];
  readonly configId: string;
  readonly atMs: number;
  readonly blob: string;
  /** Of whom it is; numbers alone do not tell, since several nodes may try the same one. */
  readonly write?: string;
}

/** A value that etcd handed out, but that is not what was written: a flipped bit, a foreign hand. */
export class DamagedValueError extends Error {
  override readonly name = 'DamagedValueError';
}

export function writeConfigHead(key: ConfigKey, rest: Omit<ConfigHead, keyof ConfigKey>): Buffer {
  return sealed(`config ${nameOf(key)}`, rest);
}

export function readConfigHead(key: ConfigKey, value: Buffer): ConfigHead {
  return { ...key, ...opened<ConfigFacts & Pick<ConfigHead, 'id' | 'md5' | 'blob'>>(`config ${nameOf(key)}`, value) };
}

export function writeVariantHead(key: ConfigKey, variant: VariantId, rest: object): Buffer {
  return sealed(`${variantText(variant)} of config ${nameOf(key)}`, rest);
}

export function readVariantHead(key: ConfigKey, variant: VariantId, value: Buffer): VariantHead {
  const what = `${variantText(variant)} of config ${nameOf(key)}`;
  return { ...key, variant, ...opened<Omit<VariantHead, keyof ConfigKey | 'variant'>>(what, value) };
}

export function writePastHead(key: ConfigKey, rest: Omit<PastHead, keyof ConfigKey>): Buffer {
  return sealed(`past write ${rest.nid} of ${nameOf(key)}`, rest);
}

export function readPastHead(key: ConfigKey, nid: string, value: Buffer): PastHead {
  return { ...key, ...opened<Omit<PastHead, keyof ConfigKey>>(`past write ${nid} of ${nameOf(key)}`, value) };
}

export function writePastMark(mark: PastMark): Buffer {
  return Buffer.from(JSON.stringify(mark));
}

export function readPastMark(value: Buffer): PastMark {
  return JSON.parse(value.toString()) as PastMark;
}

export function writeRecord({ kind, key, value }: StoredRecord): Buffer {
  return Buffer.from(checksumOf(`record ${kind} ${key}`, value) + value);
}

export function readRecord(kind: StoredRecord['kind'], key: string, value: Buffer): StoredRecord {
  const what = `record ${kind} ${key}`;
  return { kind, key, value: textWithin(what, value) };
}

/** What one write changed, in order. */
export type Changes = readonly { readonly what: ChangedThing; readonly removed: boolean }[];

export function writeChanges(changes: Changes): Buffer {
  const rows = changes.map(({ what: { kind, key }, removed }) => [kind, removed ? 1 : 0, key]);
  return Buffer.from(JSON.stringify(rows));
}

export function readChanges(value: Buffer): Changes {
  let rows: [ChangedThing['kind'], 0 | 1, ConfigKey | string][];
  try {
    rows = JSON.parse(value.toString());
  } catch (cause) {
    throw new DamagedValueError('what a write changed cannot be read', { cause });
  }
  return rows.map(([kind, removed, key]) => ({ what: { kind, key } as ChangedThing, removed: removed === 1 }));
}

export function md5Of(bytes: string | Buffer): string {
  return hash('md5', bytes);
}

const CHECKSUM_LENGTH = 32;

function sealed(what: string, value: object): Buffer {
  const text = JSON.stringify(value);
  return Buffer.from(checksumOf(what, text) + text);
}

function opened<T>(what: string, value: Buffer): T {
  return JSON.parse(textWithin(what, value)) as T;
}

function textWithin(what: string, value: Buffer): string {
  const text = value.toString('utf8', CHECKSUM_LENGTH);
  if (value.toString('latin1', 0, CHECKSUM_LENGTH) !== checksumOf(what, text)) {
    throw new DamagedValueError(`${what} does not fit its checksum`);
  }
  return text;
}

function checksumOf(what: string, text: string): string {
  return md5Of(`${what}\n${text}`);
}
