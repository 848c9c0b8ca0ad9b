import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { CONFIG_NOT_EXIST, encodeRead } from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Listening } from '@nacos-kube/core/wire/listener.ts';
import type { CachedConfig, ConfigCache } from './cache.ts';
import type { Dump } from './dump.ts';
import type { RowReader } from './rows.ts';

/** A content that changes during each of so many attempts is refused; the client asks the next node. */
const ATTEMPTS_MAX = 3;

/** What clients read, from the cache; a content that is not in memory from the dump, else from the store. */
export class Reader {
  readonly #cache: ConfigCache;
  readonly #dump: Dump;
  readonly #rows: RowReader;
  /** False while the node has only its dump: what is not in there may exist all the same. */
  readonly #knowsAll: () => boolean;
  #reads = 0;
  #readsFromDump = 0;
  #readsFromStore = 0;

  constructor(cache: ConfigCache, dump: Dump, rows: RowReader, knowsAll: () => boolean) {
    this.#cache = cache;
    this.#dump = dump;
    this.#rows = rows;
    this.#knowsAll = knowsAll;
  }

  read(key: ConfigKey): HttpResponse | Promise<HttpResponse> {
    this.#reads += 1;
    const text = groupKey(key);
    const config = this.#cache.get(text);
    if (config === undefined) return this.#absent();
    const content = this.#cache.content(config);
    return content === undefined ? this.#readElsewhere(config) : encodeRead(config, content);
  }

  /** Keys whose md5 is not the one that the client has. */
  changed(listening: Listening): readonly GroupKey[] {
    const changed: GroupKey[] = [];
    for (const [key, md5] of listening) if (this.#isChanged(key, md5)) changed.push(key);
    return changed;
  }

  metrics() {
    return { reads: this.#reads, readsFromDump: this.#readsFromDump, readsFromStore: this.#readsFromStore };
  }

  #isChanged(key: GroupKey, md5: string): boolean {
    const config = this.#cache.get(key);
    // A client told of a change that nobody can read would ask again at once, without end.
    if (config === undefined && !this.#knowsAll()) return false;
    return (config?.md5 ?? '') !== md5;
  }

  /** A false 404 is worse than an error: on it clients throw their own copy away. */
  #absent(): HttpResponse {
    if (this.#knowsAll()) return CONFIG_NOT_EXIST;
    throw configError(503, 'the configs are not loaded yet');
  }

  async #readElsewhere(first: CachedConfig): Promise<HttpResponse> {
    let config: CachedConfig | undefined = first;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (config === undefined) return this.#absent();
      const content = this.#cache.content(config) ?? (await this.#fromDump(config));
      if (content !== undefined) return encodeRead(config, content);
      const row = await this.#rows.read(config.key, 0);
      if (row !== undefined) {
        this.#readsFromStore += 1;
        return encodeRead(row.config, row.content);
      }
      config = this.#cache.get(config.groupKey);
    }
    throw configError(503, 'the content cannot be read now');
  }

  async #fromDump(config: CachedConfig): Promise<Uint8Array | undefined> {
    const content = await this.#dump.read(config);
    if (content === undefined) return undefined;
    this.#readsFromDump += 1;
    this.#cache.keepContent(config, content);
    return content;
  }
}
