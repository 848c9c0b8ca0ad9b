import { hash } from 'node:crypto';
import type { ConfigKey, ConfigType, VariantId } from '@nacos-kube/core/model/config.ts';
import { contentMd5, typeOr } from '@nacos-kube/core/wire/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';

/**
 * One configuration, or one variant of it, as a file of the dump:
 *
 *     nacos-kube-config 1 <md5 of the next line>\n
 *     {"dataId":..,"group":..,"namespaceId":..,"md5":..,"type":..,"modifiedMs":..,["variant":..,"betaIps":..]}\n
 *     <the content, byte for byte, up to the end of the file>
 *
 * The name is the hash of the key and the key is inside, so no text of a user becomes part of a path (S8). The two
 * md5s cover every byte: a torn, altered or misplaced file is seen when it is read, and never served.
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

/** SHA-256 in hex. */
export type DumpName = string;

export function dumpName(key: ViewKey): DumpName {
  return hash('sha256', key);
}

/** The group key of a formal configuration; of a variant it goes on as no group key can. */
export type ViewKey = string;

export function viewKey(key: GroupKey, variant: VariantId | undefined): ViewKey {
  if (variant === undefined) return key;
  return variant.kind === 'beta' ? `${key}++beta` : `${key}++tag+${variant.tag}`;
}

export function isDumpName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/** Two levels of 256 directories, so that none grows large. */
export function dumpPath(directory: string, name: DumpName): string {
  return `${directory}/${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`;
}

export function writeDumpFile(config: DumpedConfig, content: Uint8Array): Uint8Array {
  const { dataId, group, namespaceId } = config.key;
  const { md5, type, modifiedMs, variant } = config;
  const more = variant === undefined ? {} : { variant: variant.id, betaIps: variant.betaIps };
  const facts = JSON.stringify({ dataId, group, namespaceId, md5, type, modifiedMs, ...more });
  return Buffer.concat([Buffer.from(`${MAGIC} ${hash('md5', facts)}\n${facts}\n`), content]);
}

/** Undefined when it is not, whole and unaltered, the file of that name. */
export function readDumpFile(
  name: DumpName,
  bytes: Uint8Array,
): { readonly config: DumpedConfig; readonly content: Uint8Array } | undefined {
  const firstEnd = bytes.indexOf(LINE_END);
  const secondEnd = firstEnd < 0 ? -1 : bytes.indexOf(LINE_END, firstEnd + 1);
  if (secondEnd < 0 || secondEnd > HEADER_BYTES_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, secondEnd).toString('utf8');
  const facts = text.slice(firstEnd + 1);
  if (text.slice(0, firstEnd) !== `${MAGIC} ${hash('md5', facts)}`) return undefined;
  const config = readFacts(facts);
  // Copied, since contents are kept and must not keep the whole file.
  const content = new Uint8Array(bytes.subarray(secondEnd + 1));
  if (config === undefined || nameOf(config) !== name || contentMd5(content) !== config.md5) return undefined;
  return { config, content };
}

function nameOf({ key, variant }: DumpedConfig): DumpName {
  return dumpName(viewKey(groupKey(key), variant?.id));
}

function readFacts(text: string): DumpedConfig | undefined {
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
  const { variant, betaIps } = facts as Readonly<Record<string, unknown>>;
  if (variant === undefined) return config;
  const id = readVariant(variant);
  return id === undefined || typeof betaIps !== 'string' ? undefined : { ...config, variant: { id, betaIps } };
}

function readVariant(value: unknown): VariantId | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, tag } = value as Readonly<Record<string, unknown>>;
  if (kind === 'beta') return { kind };
  return kind === 'tag' && typeof tag === 'string' ? { kind, tag } : undefined;
}
