import { Changes } from '@nacos-kube/core/changes.ts';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { CONTENT_CACHE_BYTES_MAX, Contents, type Kept } from './contents.ts';
import { ownKey, ownText } from './own-text.ts';
import { type Moment, Touches } from './touches.ts';
import { VariantCache } from './variant-cache.ts';
import { type CachedConfig, type CachedView, chooseVariant, type Viewer } from './view.ts';

export interface CacheChange {
  readonly groupKey: GroupKey;
  readonly before: CachedConfig | undefined;
  readonly after: CachedConfig | undefined;
}

/**
 * Every configuration of the cluster by group key, the formal ones here and their variants beside them: the facts
 * always, the contents as long as they fit (the dump has them all). Its readers are told of every change in the same
 * turn.
 *
 * Rows arrive by publishing, by the feed and by full reads, in any order. Who reads a row notes the moment before, and
 * puts the row only if its key was not touched since: so a state never gives way to an older one (P2, F11).
 */
export class ConfigCache {
  readonly changes = new Changes<CacheChange>();
  readonly variants: VariantCache;
  readonly #configs = new Map<GroupKey, CachedConfig>();
  readonly #touches = new Touches();
  readonly #contents: Contents;

  constructor(contentBytesMax = CONTENT_CACHE_BYTES_MAX) {
    this.#contents = new Contents(contentBytesMax);
    this.variants = new VariantCache(this.#contents);
  }

  get size(): number {
    return this.#configs.size;
  }

  get contentBytes(): number {
    return this.#contents.bytes;
  }

  get(key: GroupKey): CachedConfig | undefined {
    return this.#configs.get(key);
  }

  /** What this client is to have; the empty text stands for an absent one, as it does on the wire. */
  md5(key: GroupKey, viewer: Viewer): string {
    const chosen = this.variants.size === 0 ? undefined : chooseVariant(this.variants.get(key), viewer);
    return chosen?.variant.md5 ?? this.#configs.get(key)?.md5 ?? '';
  }

  keys(): IterableIterator<GroupKey> {
    return this.#configs.keys();
  }

  /** The content if it is in memory; asking for it keeps it there longer. */
  kept(view: CachedView): Kept | undefined {
    return this.#contents.get(view);
  }

  content(view: CachedView): Uint8Array | undefined {
    return this.#contents.get(view)?.content;
  }

  /** Keeps a content that was read from elsewhere and fits the facts. */
  keepContent(view: CachedView, content: Uint8Array): void {
    if (this.has(view)) this.#contents.put(view, content);
  }

  /** False once it was replaced or removed. */
  has(view: CachedView): boolean {
    if ('variant' in view) return this.variants.find(view.groupKey, view.variant) === view;
    return this.#configs.get(view.groupKey) === view;
  }

  moment(): Moment {
    return this.#touches.moment();
  }

  /** True when the key was put or removed after the moment, or may have been; variants have moments of their own. */
  touchedSince(key: GroupKey, moment: Moment): boolean {
    return this.#touches.since(key, moment);
  }

  /** From now on every key that is not there counts as touched at this moment. */
  touchAbsent(): void {
    this.#touches.touchAbsent();
  }

  /** `text`: the group key, where it is known already. */
  put(
    row: Omit<CachedConfig, 'groupKey' | 'key'> & { readonly key: ConfigKey },
    content: Uint8Array,
    text = groupKey(row.key),
  ): CachedConfig {
    const before = this.#configs.get(text);
    const after: CachedConfig = {
      groupKey: before?.groupKey ?? ownText(text),
      key: before?.key ?? ownKey(row.key),
      md5: row.md5,
      type: row.type,
      modifiedMs: row.modifiedMs,
      revision: row.revision,
    };
    this.#configs.set(after.groupKey, after);
    this.#touches.put(after.groupKey);
    if (before !== undefined) this.#contents.drop(before);
    this.#contents.put(after, content);
    this.changes.publish({ groupKey: after.groupKey, before, after });
    return after;
  }

  remove(key: GroupKey): void {
    const before = this.#configs.get(key);
    this.#configs.delete(key);
    this.#touches.remove(before?.groupKey ?? key);
    if (before === undefined) return;
    this.#contents.drop(before);
    this.changes.publish({ groupKey: before.groupKey, before, after: undefined });
  }
}
