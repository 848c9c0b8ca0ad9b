import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';

/** One past write of a configuration, as the 1.4 schema keeps it. */
export interface ConfigHistory extends ConfigKey {
  readonly nid: number;
  /** Zero on `I`. */
  readonly configId: number;
  readonly operation: 'I' | 'U' | 'D';
  /** What was written by `I`; what was there before a `U` or `D`, so that it can be put back. */
  readonly content: string;
  readonly md5: string;
  readonly appName: string;
  readonly sourceIp: string;
  readonly sourceUser: string | null;
  readonly atMs: number;
}

/** What every adapter can tell beside the port. */
export interface HistoryReader {
  /** The newest first. */
  history(key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]>;
}

/** What stands after a write: what it leaves out comes from `old`. */
export function configAfter(
  write: Omit<Config, 'appName' | 'tags' | 'createdMs' | 'modifiedMs' | 'sourceIp' | 'sourceUser'> & {
    readonly appName: string | undefined;
    readonly tags: readonly string[] | undefined;
    readonly by: { readonly ip: string; readonly user: string | null };
  },
  old: Pick<Config, 'appName' | 'tags' | 'createdMs'> | undefined,
  nowMs: number,
): Config {
  return {
    dataId: write.dataId,
    group: write.group,
    namespaceId: write.namespaceId,
    content: write.content,
    md5: write.md5,
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

/** Whether a write that expects an md5 finds it; the empty text expects that there is nothing. */
export function isExpected(expectedMd5: string | undefined, storedMd5: string | undefined): boolean {
  return expectedMd5 === undefined || expectedMd5 === (storedMd5 ?? '');
}
