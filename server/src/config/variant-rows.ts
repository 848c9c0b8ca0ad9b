import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import type { ConfigKey, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Store } from '../store/store.ts';
import { DamagedKeys } from './damaged-keys.ts';
import { REREADS_MAX, SCAN_PAGE_CONFIGS } from './rows.ts';
import type { Moment } from './touches.ts';
import type { VariantCache, VariantContent } from './variant-cache.ts';
import { type CachedVariant, isSameId } from './view.ts';

/** Brings the variants of the store into the cache, all of a key at once, never an older state over a newer one. */
export class VariantRowReader {
  readonly #log: Log;
  readonly #store: Store;
  readonly #cache: VariantCache;
  readonly #damaged: DamagedKeys;
  #skipped = 0;

  constructor(host: Host, store: Store, cache: VariantCache) {
    this.#log = host.log.area('config');
    this.#store = store;
    this.#cache = cache;
    this.#damaged = new DamagedKeys(host.clock, this.#log, 'a variant', (key) => this.read(key));
  }

  get skipped(): number {
    return this.#skipped + this.#damaged.times;
  }

  /** Afterwards the cache has a state that is not older than this call. */
  async read(key: ConfigKey): Promise<readonly VariantContent[]> {
    const text = groupKey(key);
    for (let attempt = 0; attempt < REREADS_MAX; attempt += 1) {
      const before = this.#cache.moment();
      const rows = await this.#store.getVariants(key);
      if (this.#cache.touchedSince(text, before)) continue;
      return this.#put(text, rows);
    }
    throw new Error(`the variants of config ${text} are written faster than they can be read`);
  }

  /** As `read`, for who follows: variants that are damaged in the store hold up no others, as damaged configs do not. */
  async readSound(key: ConfigKey): Promise<void> {
    await this.#damaged.read(key);
  }

  /** As that of `RowReader`. */
  async readDamagedAgain(): Promise<void> {
    await this.#damaged.readAgain();
  }

  /** The row as the store has it now, without any effect on the cache. */
  async beta(key: ConfigKey): Promise<ConfigVariant | undefined> {
    return (await this.#store.getVariants(key)).find(({ variant }) => variant.kind === 'beta');
  }

  /** Undefined when the store has another content for it by now. */
  async contentOf(view: CachedVariant): Promise<Uint8Array | undefined> {
    const rows = await this.read(view.key);
    return rows.find(({ row }) => isSameId(row.variant, view.variant) && row.md5 === view.md5)?.content;
  }

  /**
   * Reads all of them, as `RowReader.readAll` does the formal ones. Rows of a key that stand together are taken
   * together; those of a key that comes again, or is touched meanwhile, are read by themselves.
   */
  async readAll(): Promise<void> {
    const seen = new Set<GroupKey>();
    let group: Group | undefined;
    let after: string | undefined;
    do {
      const before = this.#cache.moment();
      const page = await this.#store.scanVariants(SCAN_PAGE_CONFIGS, after);
      for (const row of page.items) {
        const text = groupKey(row);
        if (group?.text === text) group.rows.push(row);
        else {
          await this.#putGroup(group, seen);
          group = { text, key: row, rows: [row], before };
        }
      }
      after = page.next;
    } while (after !== undefined);
    await this.#putGroup(group, seen);
    this.#cache.touchAbsent();
    const unseen = [...this.#cache.all()].filter(({ groupKey: text }) => !seen.has(text));
    for (const { key } of unseen) await this.readSound(key);
  }

  async #putGroup(group: Group | undefined, seen: Set<GroupKey>): Promise<void> {
    if (group === undefined) return;
    const { text, key, rows, before } = group;
    const isSure = !seen.has(text) && !this.#cache.touchedSince(text, before) && !this.#lacksAny(text, rows);
    if (isSure) this.#put(text, rows);
    else await this.readSound(key);
    seen.add(text);
  }

  /** What a page lacks may be gone, but also damaged and left out: the rows of the key tell. */
  #lacksAny(text: GroupKey, rows: readonly ConfigVariant[]): boolean {
    const { beta, tags } = this.#cache.get(text) ?? { beta: undefined, tags: new Map<string, CachedVariant>() };
    const cached = beta === undefined ? [...tags.values()] : [beta, ...tags.values()];
    return cached.some((known) => !rows.some(({ variant }) => isSameId(variant, known.variant)));
  }

  #put(text: GroupKey, rows: readonly ConfigVariant[]): readonly VariantContent[] {
    const decoded = rows.map((row) => this.#decoded(row)).filter((row) => row !== undefined);
    this.#cache.putAll(text, decoded);
    return decoded;
  }

  #decoded(row: ConfigVariant): VariantContent | undefined {
    if (typeof row.content !== 'string') {
      this.#skipped += 1;
      this.#log.warn('a variant without content in the store was skipped', { config: groupKey(row) });
      return undefined;
    }
    const content = new TextEncoder().encode(row.content);
    // Computed, not taken from the row: what clients compare must be the md5 of what they are served.
    const { variant, modifiedMs, betaIps } = row;
    return { row: { key: row, variant, md5: contentMd5(content), modifiedMs, betaIps: betaIps ?? '' }, content };
  }
}

interface Group {
  readonly text: GroupKey;
  readonly key: ConfigKey;
  readonly rows: ConfigVariant[];
  /** Before the first of its rows was read. */
  readonly before: Moment;
}
