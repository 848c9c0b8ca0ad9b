import { Changes } from '@nacos-kube/core/changes.ts';
import type { ConfigKey, ConfigType } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Revision } from '../store/store.ts';
import { ownText } from './own-text.ts';

/** What reads and listeners judge by. Never altered: a change puts another one in its place. */
export interface CachedConfig {
  readonly groupKey: GroupKey;
  readonly key: ConfigKey;
  readonly md5: string;
  readonly type: ConfigType;
  readonly modifiedMs: number;
  /** The state is at least as new as this; 0 when it comes from the dump. */
  readonly revision: Revision;
}

export interface CacheChange {
  readonly groupKey: GroupKey;
  readonly before: CachedConfig | undefined;
  readonly after: CachedConfig | undefined;
}

/** A moment in the life of the cache, to ask later what was touched since. */
export type Moment = number;

export const CONTENT_CACHE_BYTES_MAX = 256 * 1024 * 1024;
/** Removed keys whose moment is remembered one by one; of older ones only that they may have been touched. */
export const REMOVED_KEYS_MAX = 10_000;

/**
 * Every formal configuration of the cluster by group key: the facts always, the contents as long as they fit, least
 * recently read ones going first (the dump has them). Its readers are told of every change in the same turn.
 *
 * Rows arrive by publishing, by the feed and by full reads, in any order. Who reads a row notes the moment before, and
 * puts the row only if its key was not touched since: so a state never gives way to an older one (P2, F11).
 */
export class ConfigCache {
  readonly changes = new Changes<CacheChange>();
  readonly #contentBytesMax: number;
  readonly #configs = new Map<GroupKey, CachedConfig>();
  readonly #touched = new Map<GroupKey, Moment>();
  /** In order of use. */
  readonly #contents = new Map<GroupKey, Uint8Array>();
  readonly #removed = new Map<GroupKey, Moment>();
  #removedForgottenAt: Moment = 0;
  #contentBytes = 0;
  #now: Moment = 0;

  constructor(contentBytesMax = CONTENT_CACHE_BYTES_MAX) {
    this.#contentBytesMax = contentBytesMax;
  }

  get size(): number {
    return this.#configs.size;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  get(key: GroupKey): CachedConfig | undefined {
    return this.#configs.get(key);
  }

  /** The empty text stands for an absent one, as it does on the wire. */
  md5(key: GroupKey): string {
    return this.#configs.get(key)?.md5 ?? '';
  }

  keys(): IterableIterator<GroupKey> {
    return this.#configs.keys();
  }

  /** The content if it is in memory; asking for it keeps it there longer. */
  content(config: CachedConfig): Uint8Array | undefined {
    const content = this.#contents.get(config.groupKey);
    if (content === undefined || this.#configs.get(config.groupKey) !== config) return undefined;
    this.#contents.delete(config.groupKey);
    this.#contents.set(config.groupKey, content);
    return content;
  }

  /** Keeps a content that was read from elsewhere and fits the facts. */
  keepContent(config: CachedConfig, content: Uint8Array): void {
    if (this.#configs.get(config.groupKey) === config) this.#store(config.groupKey, content);
  }

  moment(): Moment {
    return this.#now;
  }

  /** True when the key was put or removed after the moment, or may have been. */
  touchedSince(key: GroupKey, moment: Moment): boolean {
    return (this.#touched.get(key) ?? this.#removed.get(key) ?? this.#removedForgottenAt) > moment;
  }

  /** From now on every key that is not there counts as touched at this moment. */
  touchAbsent(): void {
    this.#now += 1;
    this.#removed.clear();
    this.#removedForgottenAt = this.#now;
  }

  put(row: Omit<CachedConfig, 'groupKey' | 'key'> & { readonly key: ConfigKey }, content: Uint8Array): CachedConfig {
    const text = groupKey(row.key);
    const before = this.#configs.get(text);
    const after: CachedConfig = {
      groupKey: before?.groupKey ?? ownText(text),
      key: before?.key ?? ownKey(row.key),
      md5: row.md5,
      type: row.type,
      modifiedMs: row.modifiedMs,
      revision: row.revision,
    };
    this.#now += 1;
    this.#configs.set(after.groupKey, after);
    this.#touched.set(after.groupKey, this.#now);
    this.#removed.delete(after.groupKey);
    this.#store(after.groupKey, content);
    this.changes.publish({ groupKey: after.groupKey, before, after });
    return after;
  }

  remove(key: GroupKey): void {
    this.#now += 1;
    const before = this.#configs.get(key);
    this.#configs.delete(key);
    this.#touched.delete(key);
    this.#drop(key);
    this.#noteRemoved(before?.groupKey ?? key);
    if (before !== undefined) this.changes.publish({ groupKey: before.groupKey, before, after: undefined });
  }

  #noteRemoved(key: GroupKey): void {
    this.#removed.delete(key);
    this.#removed.set(key, this.#now);
    if (this.#removed.size <= REMOVED_KEYS_MAX) return;
    const [oldest, moment] = this.#removed.entries().next().value!;
    this.#removed.delete(oldest);
    this.#removedForgottenAt = moment;
  }

  #store(key: GroupKey, content: Uint8Array): void {
    this.#drop(key);
    this.#contents.set(key, content);
    this.#contentBytes += content.byteLength;
    for (const [oldest] of this.#contents) {
      if (this.#contentBytes <= this.#contentBytesMax) return;
      this.#drop(oldest);
    }
  }

  #drop(key: GroupKey): void {
    this.#contentBytes -= this.#contents.get(key)?.byteLength ?? 0;
    this.#contents.delete(key);
  }
}

function ownKey({ dataId, group, namespaceId }: ConfigKey): ConfigKey {
  return { dataId: ownText(dataId), group: ownText(group), namespaceId: ownText(namespaceId) };
}
