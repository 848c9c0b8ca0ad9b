/** Configurations that are asked for by their keys, on their way between threads: objects move slowly. */
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { type ConfigRow, checkConfig, DamagedRowError, parseFacts } from './sqlite-row.ts';

/** Of each key namespace, group and data id. */
export type PackedKeys = readonly string[];

/** Of a row its id, md5, facts and content; null where there is none; what is wrong with it where it is damaged. */
export type PackedConfigs = readonly (string | number | null)[];

export function packKeys(keys: readonly ConfigKey[]): PackedKeys {
  const packed: string[] = [];
  for (const { namespaceId, group, dataId } of keys) packed.push(namespaceId, group, dataId);
  return packed;
}

export function* unpackKeys(packed: PackedKeys): Generator<ConfigKey> {
  for (let at = 0; at < packed.length; at += 3) {
    const [namespaceId, group, dataId] = [packed[at]!, packed[at + 1]!, packed[at + 2]!];
    yield { namespaceId, group, dataId };
  }
}

export class ConfigPacker {
  readonly packed: (string | number | null)[] = [];
  bytes = 0;

  add(row: ConfigRow | undefined): void {
    if (row === undefined) {
      this.packed.push(null);
      return;
    }
    try {
      checkConfig(row);
      this.packed.push(row.id, row.md5, row.facts, row.content);
      this.bytes += row.content.length;
    } catch (error) {
      if (!(error instanceof DamagedRowError)) throw error;
      this.packed.push(error.message);
    }
  }
}

/** One for each of the first keys. */
export function unpackConfigs(
  keys: readonly ConfigKey[],
  packed: PackedConfigs,
): (Config | undefined | DamagedRowError)[] {
  const configs: (Config | undefined | DamagedRowError)[] = [];
  for (let at = 0; at < packed.length; ) {
    const id = packed[at++];
    if (typeof id === 'number') {
      const { namespaceId, group, dataId } = keys[configs.length]!;
      const [md5, facts, content] = [packed[at++] as string, packed[at++] as string, packed[at++] as string];
      configs.push({ id: String(id), namespaceId, group, dataId, content, md5, ...parseFacts(facts) });
    } else {
      configs.push(typeof id === 'string' ? new DamagedRowError(id) : undefined);
    }
  }
  return configs;
}
