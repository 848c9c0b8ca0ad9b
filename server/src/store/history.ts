import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import type { ConfigWrite, VariantWrite } from './store.ts';

/** One past write of a configuration, as the 1.4 schema keeps it. */
export interface ConfigHistory extends ConfigKey {
  /** Decimal digits, ascending in order of the writes. */
  readonly nid: string;
  /** `0` on `I`. */
  readonly configId: string;
  readonly operation: 'I' | 'U' | 'D';
  /** What was written by `I`; what was there before a `U` or `D`, so that it can be put back. */
  readonly content: string;
  readonly md5: string;
  readonly appName: string;
  readonly sourceIp: string;
  readonly sourceUser: string | null;
  readonly atMs: number;
}

/** In lists, where contents would be a burden to move. */
export type HistoryEntry = Omit<ConfigHistory, 'content'>;

/** All of a config that is neither its id, key, md5 nor content. */
export type ConfigFacts = Omit<Config, keyof ConfigKey | 'id' | 'md5' | 'content'>;

/** What stands after a write: what it leaves out comes from `old`. */
export function factsAfter(
  write: Omit<ConfigWrite, 'md5'>,
  old: Pick<Config, 'appName' | 'tags' | 'createdMs'> | undefined,
  nowMs: number,
): ConfigFacts {
  return {
    type: write.type,
    appName: write.appName ?? old?.appName ?? '',
    description: write.description,
    use: write.use,
    effect: write.effect,
    schema: write.schema,
    tags: write.tags === undefined ? (old?.tags ?? []) : [...new Set(write.tags)],
    createdMs: old?.createdMs ?? nowMs,
    modifiedMs: nowMs,
    sourceIp: write.by.ip,
    sourceUser: write.by.user,
  };
}

export function variantAfter(
  write: VariantWrite,
  old: Pick<ConfigVariant, 'appName' | 'createdMs'> | undefined,
  nowMs: number,
): ConfigVariant {
  const { dataId, group, namespaceId, variant, content, md5, betaIps, by } = write;
  return {
    ...{ dataId, group, namespaceId, variant, content, md5, betaIps },
    appName: write.appName ?? old?.appName ?? '',
    createdMs: old?.createdMs ?? nowMs,
    modifiedMs: nowMs,
    sourceIp: by.ip,
    sourceUser: by.user,
  };
}

/** One text for each: `beta`, or `tag:` and its name. */
export function variantText(variant: VariantId): string {
  return variant.kind === 'beta' ? 'beta' : `tag:${variant.tag}`;
}

export function readVariantText(text: string): VariantId {
  return text === 'beta' ? { kind: 'beta' } : { kind: 'tag', tag: text.slice('tag:'.length) };
}

/** Whether a write that expects an md5 finds it; the empty text expects that there is nothing. */
export function isExpected(expectedMd5: string | undefined, storedMd5: string | undefined): boolean {
  return expectedMd5 === undefined || expectedMd5 === (storedMd5 ?? '');
}
