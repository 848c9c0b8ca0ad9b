import { hash } from 'node:crypto';
import type { ConfigKey, ConfigType } from '@nacos-kube/core/model/config.ts';
import { contentMd5, typeOr } from '@nacos-kube/core/wire/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';

/**
 * One configuration as a file of the dump:
 *
 *     nacos-kube-config 1 <md5 of the next line>\n
 *     {"dataId":..,"group":..,"namespaceId":..,"md5":..,"type":..,"modifiedMs":..}\n
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
}

const MAGIC = 'nacos-kube-config 1';
const LINE_END = 10;
const HEADER_BYTES_MAX = 8_192;

/** SHA-256 in hex. */
export type DumpName = string;

export function dumpName(key: GroupKey): DumpName {
  return hash('sha256', key);
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
  const { md5, type, modifiedMs } = config;
  const facts = JSON.stringify({ dataId, group, namespaceId, md5, type, modifiedMs });
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
  if (config === undefined || dumpName(groupKey(config.key)) !== name || contentMd5(content) !== config.md5) {
    return undefined;
  }
  return { config, content };
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
  return { key: { dataId, group, namespaceId }, md5, type: typeOr(type, 'text'), modifiedMs };
}
