import { hash } from 'node:crypto';
import type { ConfigKey, ConfigType, VariantId } from '@nacos-kube/core/model/config.ts';
import { contentMd5, typeOr } from '@nacos-kube/core/wire/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';

/**
 * One version of a configuration, or of one variant of it, as a file of the dump:
 *
 *     nacos-kube-config 1 <md5 of the next line>\n
 *     {"dataId":..,"group":..,"namespaceId":..,"md5":..,"type":..,"modifiedMs":..,["variant":..,"betaIps":..,]
 *      "generation":..,"writtenMs":..}\n
 *     <the content, byte for byte, up to the end of the file>
 *
 * The name is made of the hash of the key and one of the version, and the key is inside, so no text of a user becomes
 * part of a path (S8), and a new version never takes the place of an old file. The two md5s cover every byte: a torn,
 * altered or misplaced file is seen when it is read, and never served. Files of earlier releases, which had one for all
 * versions of a key, are named by the key alone and tell no generation.
 */
export interface DumpedConfig {
  readonly key: ConfigKey;
  readonly md5: string;
  readonly type: ConfigType;
  readonly modifiedMs: number;
  /** Left out: the formal configuration. */
  readonly variant?: { readonly id: VariantId; readonly betaIps: string };
}

const MAGIC = 'nacos-kube-config 1';
const LINE_END = 10;
const HEADER_BYTES_MAX = 8_192;

/** Since when and in which order a file counts; 0 in files of earlier releases. */
export interface DumpStamp {
  readonly generation: number;
  /** Of the versions of one key the last that was written counts. */
  readonly writtenMs: number;
}

export interface DumpFile extends DumpStamp {
  readonly config: DumpedConfig;
  readonly content: Uint8Array;
}

/** SHA-256 of the key in hex and, but in files of earlier releases, a part of that of the version. */
export type DumpName = string;

const VERSION_LENGTH = 16;

export function dumpName(key: ViewKey, version: Pick<DumpedConfig, 'md5' | 'type' | 'variant'>): DumpName {
  const { md5, type, variant } = version;
  const text = variant === undefined ? `${md5} ${type}` : `${md5} ${variant.betaIps}`;
  return `${keyName(key)}.${hash('sha256', text).slice(0, VERSION_LENGTH)}`;
}

/** With which the names of all versions of a key begin; the whole name in earlier releases. */
export function keyName(key: ViewKey): string {
  return hash('sha256', key);
}

export function keyPart(name: DumpName): string {
  return name.split('.', 1)[0]!;
}

export function isOfEarlierRelease(name: DumpName): boolean {
  return !name.includes('.');
}

/** The group key of a formal configuration; of a variant it goes on as no group key can. */
export type ViewKey = string;

export function viewKey(key: GroupKey, variant: VariantId | undefined): ViewKey {
  if (variant === undefined) return key;
  return variant.kind === 'beta' ? `${key}++beta` : `${key}++tag+${variant.tag}`;
}

export function isDumpName(name: string): boolean {
  return /^[0-9a-f]{64}(\.[0-9a-f]{16})?$/.test(name);
}

export function dumpPath(directory: string, name: DumpName): string {
  return `${dumpLeaf(directory, name)}/${name}`;
}

/** Two levels of 256 directories, so that none grows large; all versions of a key are in one. */
export function dumpLeaf(directory: string, name: DumpName): string {
  return `${directory}/${name.slice(0, 2)}/${name.slice(2, 4)}`;
}

export function writeDumpFile(config: DumpedConfig, content: Uint8Array, stamp: DumpStamp): Uint8Array {
  const { dataId, group, namespaceId } = config.key;
  const { md5, type, modifiedMs, variant } = config;
  const more = variant === undefined ? {} : { variant: variant.id, betaIps: variant.betaIps };
  const facts = JSON.stringify({ dataId, group, namespaceId, md5, type, modifiedMs, ...more, ...stamp });
  return Buffer.concat([Buffer.from(`${MAGIC} ${hash('md5', facts)}\n${facts}\n`), content]);
}

/** Undefined when it is not, whole and unaltered, the file of that name. */
export function readDumpFile(name: DumpName, bytes: Uint8Array): DumpFile | undefined {
  const firstEnd = bytes.indexOf(LINE_END);
  const secondEnd = firstEnd < 0 ? -1 : bytes.indexOf(LINE_END, firstEnd + 1);
  if (secondEnd < 0 || secondEnd > HEADER_BYTES_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, secondEnd).toString('utf8');
  const facts = text.slice(firstEnd + 1);
  if (text.slice(0, firstEnd) !== `${MAGIC} ${hash('md5', facts)}`) return undefined;
  const read = readFacts(facts);
  // Copied, since contents are kept and must not keep the whole file.
  const content = new Uint8Array(bytes.subarray(secondEnd + 1));
  if (read === undefined || !isNamed(name, read.config) || contentMd5(content) !== read.config.md5) return undefined;
  return { ...read, content };
}

function isNamed(name: DumpName, config: DumpedConfig): boolean {
  const key = viewKey(groupKey(config.key), config.variant?.id);
  return name === (isOfEarlierRelease(name) ? keyName(key) : dumpName(key, config));
}

function readFacts(text: string): Omit<DumpFile, 'content'> | undefined {
  let facts: unknown;
  try {
    facts = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof facts !== 'object' || facts === null) return undefined;
  const { dataId, group, namespaceId, md5, type, modifiedMs } = facts as Readonly<Record<string, unknown>>;
  if (typeof dataId !== 'string' || typeof group !== 'string' || typeof namespaceId !== 'string') return undefined;
  if (typeof md5 !== 'string' || typeof type !== 'string' || typeof modifiedMs !== 'number') return undefined;
  const config = { key: { dataId, group, namespaceId }, md5, type: typeOr(type, 'text'), modifiedMs };
  const { variant, betaIps, generation = 0, writtenMs = 0 } = facts as Readonly<Record<string, unknown>>;
  if (typeof generation !== 'number' || typeof writtenMs !== 'number') return undefined;
  if (variant === undefined) return { config, generation, writtenMs };
  const id = readVariant(variant);
  if (id === undefined || typeof betaIps !== 'string') return undefined;
  return { config: { ...config, variant: { id, betaIps } }, generation, writtenMs };
}

function readVariant(value: unknown): VariantId | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, tag } = value as Readonly<Record<string, unknown>>;
  if (kind === 'beta') return { kind };
  return kind === 'tag' && typeof tag === 'string' ? { kind, tag } : undefined;
}
