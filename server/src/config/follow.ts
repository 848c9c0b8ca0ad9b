import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import { fewAtOnce } from '../store/few-at-once.ts';
import type { Change, Revision } from '../store/store.ts';
import type { ConfigCache } from './cache.ts';
import type { RowReader } from './rows.ts';
import type { VariantRowReader } from './variant-rows.ts';

/** Of a store that does not say how many. */
export const ROWS_READ_AT_ONCE = 8;

/** Keeps the cache at the feed: each changed row is read once however often it changed. */
export class ConfigFollower implements FeedReader {
  readonly name = 'configuration';
  readonly kinds = ['config', 'variant'] as const;
  readonly #cache: ConfigCache;
  readonly #rows: RowReader;
  readonly #variantRows: VariantRowReader;
  readonly #readAll: (revision: Revision) => Promise<void>;

  constructor(
    cache: ConfigCache,
    rows: RowReader,
    variantRows: VariantRowReader,
    readAll: (revision: Revision) => Promise<void>,
  ) {
    this.#cache = cache;
    this.#rows = rows;
    this.#variantRows = variantRows;
    this.#readAll = readAll;
  }

  reread(revision: Revision): Promise<void> {
    return this.#readAll(revision);
  }

  async apply(changes: readonly Change[]): Promise<void> {
    const newest = new Map<GroupKey, { readonly key: ConfigKey; readonly revision: Revision }>();
    const withVariants = new Map<GroupKey, ConfigKey>();
    for (const { what, revision } of changes) {
      if (what.kind === 'config') {
        const text = groupKey(what.key);
        // What this node published itself is here already.
        if ((this.#cache.get(text)?.revision ?? -1) < revision) newest.set(text, { key: what.key, revision });
      } else if (what.kind === 'variant') withVariants.set(groupKey(what.key), what.key);
    }
    await fewAtOnce([...newest.values()], this.#rows.atOnce ?? ROWS_READ_AT_ONCE, ({ key, revision }) =>
      this.#rows.readSound(key, revision),
    );
    await this.#rows.readDamagedAgain();
    // Always: a variant that this node published says nothing of the others of its key.
    await fewAtOnce([...withVariants.values()], ROWS_READ_AT_ONCE, (key) => this.#variantRows.readSound(key));
    await this.#variantRows.readDamagedAgain();
  }
}
