import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { contentMd5, typeOr } from '@nacos-kube/core/wire/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Revision, Store } from '../store/store.ts';
import type { ConfigCache } from './cache.ts';
import { DamagedKeys } from './damaged-keys.ts';
import type { CachedConfig } from './view.ts';

export const SCAN_PAGE_CONFIGS = 200;
/** A row that is written during each of so many readings is left to the feed. */
export const REREADS_MAX = 20;
const PROGRESS_EVERY_MS = 5_000;

export interface RowRead {
  readonly config: CachedConfig;
  readonly content: Uint8Array;
}

/** Brings rows of the store into the cache, never an older state over a newer one. */
export class RowReader {
  readonly #host: Host;
  readonly #log: Log;
  readonly #store: Store;
  readonly #cache: ConfigCache;
  readonly #damaged: DamagedKeys;
  #skipped = 0;

  constructor(host: Host, store: Store, cache: ConfigCache) {
    this.#host = host;
    this.#log = host.log.area('config');
    this.#store = store;
    this.#cache = cache;
    this.#damaged = new DamagedKeys(host.clock, this.#log, 'a config', (key) => this.read(key, 0));
  }

  /** How many are best read at once, if the store says so. */
  get atOnce(): number | undefined {
    return this.#store.readsAtOnce;
  }

  /** Rows that no client could be served from, of all that were read. */
  get skipped(): number {
    return this.#skipped + this.#damaged.times;
  }

  /**
   * Reads one row into the cache; afterwards the cache has at least `revision`, 0 asking for any state that is not
   * older than this call. Undefined when there is no such row, or another turn brought a state as new.
   */
  async read(key: ConfigKey, revision: Revision): Promise<RowRead | undefined> {
    const text = groupKey(key);
    for (let attempt = 0; attempt < REREADS_MAX; attempt += 1) {
      const before = this.#cache.moment();
      const row = await this.#store.getConfig(key);
      if (!this.#cache.touchedSince(text, before)) {
        if (row !== undefined) return this.#put(row, Math.max(revision, this.#cache.get(text)?.revision ?? 0));
        this.#cache.remove(text);
        return undefined;
      }
      if (revision > 0 && (this.#cache.get(text)?.revision ?? 0) >= revision) return undefined;
    }
    throw new Error(`config ${text} is written faster than it can be read`);
  }

  /**
   * As `read`, for who follows: a row that is damaged in the store holds up no other. What was read of it before is
   * served on, and it is read again with what comes next.
   */
  async readSound(key: ConfigKey, revision: Revision): Promise<void> {
    await this.#damaged.read(key, () => this.read(key, revision));
  }

  /** Those that could not be read when they were read last, now and then and by themselves. */
  async readDamagedAgain(): Promise<void> {
    await this.#damaged.readAgain();
  }

  /**
   * Reads every row; `revision` was the store's before. A key that is touched meanwhile is read by itself, since the
   * feed need not tell of it again. What was in no page goes only once the last one was read, and its row was looked
   * for by itself: a scan that fails half-way removes nothing (F12). It waits for the store alone: what clients are served
   * must not be as old as the copy on a slow disk. `onDamage` comes before what is in no page goes, when rows were left out.
   */
  async readAll(revision: Revision, onDamage: () => Promise<void> = async () => {}): Promise<void> {
    const startMs = this.#host.clock.monotonic();
    let toldMs = startMs;
    const seen = new Set<GroupKey>();
    let hasDamage = false;
    let after: string | undefined;
    do {
      const before = this.#cache.moment();
      const page = await this.#store.scanConfigs(SCAN_PAGE_CONFIGS, after);
      for (const row of page.items) {
        const text = groupKey(row);
        seen.add(text);
        if (!this.#cache.touchedSince(text, before)) this.#put(row, revision);
        else await this.readSound(row, revision);
      }
      after = page.next;
      hasDamage ||= (page.damaged?.length ?? 0) > 0;
      const nowMs = this.#host.clock.monotonic();
      if (nowMs - toldMs >= PROGRESS_EVERY_MS) {
        toldMs = nowMs;
        this.#log.info('reading configs from the store', { read: seen.size, elapsedMs: Math.round(nowMs - startMs) });
      }
    } while (after !== undefined);
    if (hasDamage) {
      const before = new Map([...this.#cache.keys()].map((text) => [text, this.#cache.get(text)]));
      await onDamage();
      // What was read and removed since may have come back with the copies.
      for (const text of this.#cache.keys()) if (this.#cache.get(text) !== before.get(text)) seen.delete(text);
    }
    // That a key was in no page is news about it, which a write still under way must not overlook.
    this.#cache.touchAbsent();
    const unseen = [...this.#cache.keys()].filter((text) => !seen.has(text));
    for (const text of unseen) {
      const config = this.#cache.get(text);
      if (config !== undefined) await this.readSound(config.key, revision);
    }
    const elapsedMs = Math.round(this.#host.clock.monotonic() - startMs);
    this.#log.info('all configs were read from the store', { configs: seen.size, unseen: unseen.length, elapsedMs });
  }

  #put(row: Config, revision: Revision): RowRead | undefined {
    if (typeof row.content !== 'string') {
      // Rows may be written by others (a shared MySQL): one that makes no sense must not stop the rest.
      this.#skipped += 1;
      this.#log.warn('a config without content in the store was skipped', { config: groupKey(row) });
      return undefined;
    }
    const content = new TextEncoder().encode(row.content);
    // Computed, not taken from the row: what clients compare must be the md5 of what they are served.
    const md5 = contentMd5(content);
    const { modifiedMs } = row;
    const type = typeOr(row.type, 'text');
    return { config: this.#cache.put({ key: row, md5, type, modifiedMs, revision }, content), content };
  }
}
