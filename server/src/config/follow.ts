import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import type { Change, Revision } from '../store/store.ts';
import type { ConfigCache } from './cache.ts';
import type { RowReader } from './rows.ts';

export const ROWS_READ_AT_ONCE = 8;

/** Keeps the cache at the feed: each changed row is read once however often it changed. */
export class ConfigFollower implements FeedReader {
  readonly name = 'configuration';
  readonly kinds = ['config'] as const;
  readonly #cache: ConfigCache;
  readonly #rows: RowReader;
  readonly #readAll: (revision: Revision) => Promise<void>;

  constructor(cache: ConfigCache, rows: RowReader, readAll: (revision: Revision) => Promise<void>) {
    this.#cache = cache;
    this.#rows = rows;
    this.#readAll = readAll;
  }

  reread(revision: Revision): Promise<void> {
    return this.#readAll(revision);
  }

  async apply(changes: readonly Change[]): Promise<void> {
    const newest = new Map<GroupKey, { readonly key: ConfigKey; readonly revision: Revision }>();
    for (const { what, revision } of changes) {
      if (what.kind === 'config') newest.set(groupKey(what.key), { key: what.key, revision });
    }
    // What this node published itself is here already.
    const due = [...newest].filter(([text, { revision }]) => (this.#cache.get(text)?.revision ?? -1) < revision);
    for (let i = 0; i < due.length; i += ROWS_READ_AT_ONCE) {
      const some = due.slice(i, i + ROWS_READ_AT_ONCE);
      await Promise.all(some.map(([, { key, revision }]) => this.#rows.read(key, revision)));
    }
  }
}
