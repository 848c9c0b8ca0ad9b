import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { CONFIG_NOT_EXIST, encodeRead, type ReadRequest } from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { encodeVariantRead } from '@nacos-kube/core/wire/config-view.ts';
import type { Listening } from '@nacos-kube/core/wire/listener.ts';
import type { ConfigCache } from './cache.ts';
import type { Dump } from './dump.ts';
import type { RowReader } from './rows.ts';
import type { VariantRowReader } from './variant-rows.ts';
import { type CachedConfig, type CachedView, type Choice, chooseVariant, type Viewer } from './view.ts';

/** A content that changes during each of so many attempts is refused; the client asks the next node. */
const ATTEMPTS_MAX = 3;

export interface ReaderParts {
  readonly cache: ConfigCache;
  readonly dump: Dump;
  readonly rows: RowReader;
  readonly variantRows: VariantRowReader;
  /** False while the node has only its dump: what is not in there may exist all the same. */
  readonly knowsAll: () => boolean;
}

/** What clients read, from the cache; a content that is not in memory from the dump, else from the store. */
export class Reader {
  readonly #parts: ReaderParts;
  #reads = 0;
  #readsFromDump = 0;
  #readsFromStore = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  read(request: ReadRequest, viewer: Viewer, text = groupKey(request)): HttpResponse | Promise<HttpResponse> {
    this.#reads += 1;
    const { cache } = this.#parts;
    const choice = cache.variants.size === 0 ? undefined : this.#choose(text, request.tag, viewer);
    if (choice === undefined && request.tag !== undefined) return this.#absent();
    return choice === undefined ? this.#readFormal(text) : this.#readVariant(text, choice, request, viewer);
  }

  /** Keys whose md5 is not the one that the client has. */
  changed(listening: Listening, viewer: Viewer): readonly GroupKey[] {
    const changed: GroupKey[] = [];
    for (const [key, md5] of listening) if (this.#isChanged(key, md5, viewer)) changed.push(key);
    return changed;
  }

  metrics() {
    return { reads: this.#reads, readsFromDump: this.#readsFromDump, readsFromStore: this.#readsFromStore };
  }

  #isChanged(key: GroupKey, md5: string, viewer: Viewer): boolean {
    const { cache, knowsAll } = this.#parts;
    const current = cache.md5(key, viewer);
    // A client told of a change that nobody can read would ask again at once, without end.
    if (current === '' && !knowsAll()) return false;
    return current !== md5;
  }

  /** A tag of the parameter stands before one of the header, and a beta before both. */
  #choose(text: GroupKey, tag: string | undefined, viewer: Viewer): Choice | undefined {
    const variants = this.#parts.cache.variants.get(text);
    if (tag === undefined) return chooseVariant(variants, viewer);
    const beta = chooseVariant(variants, { clientIp: viewer.clientIp, tag: undefined });
    const variant = variants?.tags.get(tag);
    return beta ?? (variant === undefined ? undefined : { variant, by: 'tag parameter' });
  }

  /** A false 404 is worse than an error: on it clients throw their own copy away. */
  #absent(): HttpResponse {
    if (this.#parts.knowsAll()) return CONFIG_NOT_EXIST;
    throw configError(503, 'the configs are not loaded yet');
  }

  #readFormal(text: GroupKey): HttpResponse | Promise<HttpResponse> {
    const { cache } = this.#parts;
    const config = cache.get(text);
    if (config === undefined) return this.#absent();
    const kept = cache.kept(config);
    if (kept === undefined) return this.#readFormalElsewhere(config);
    kept.answer ??= encodeRead(config, kept.content);
    return kept.answer;
  }

  #readVariant(
    text: GroupKey,
    choice: Choice,
    request: ReadRequest,
    viewer: Viewer,
  ): HttpResponse | Promise<HttpResponse> {
    const content = this.#parts.cache.content(choice.variant);
    if (content === undefined) return this.#readVariantElsewhere(text, choice, request, viewer);
    return this.#encodeVariant(text, choice, content);
  }

  #encodeVariant(text: GroupKey, { variant, by }: Choice, content: Uint8Array): HttpResponse {
    const { md5, modifiedMs, variant: id } = variant;
    const facts = { md5, modifiedMs, tag: id.kind === 'tag' ? id.tag : '' };
    return encodeVariantRead(facts, this.#parts.cache.get(text)?.type ?? 'text', content, by);
  }

  async #readFormalElsewhere(first: CachedConfig): Promise<HttpResponse> {
    const { cache, rows } = this.#parts;
    let config: CachedConfig | undefined = first;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (config === undefined) return this.#absent();
      const content = await this.#content(config);
      if (content !== undefined) return encodeRead(config, content);
      const row = await rows.read(config.key, 0);
      if (row !== undefined) {
        this.#readsFromStore += 1;
        return encodeRead(row.config, row.content);
      }
      config = cache.get(config.groupKey);
    }
    throw configError(503, 'the content cannot be read now');
  }

  async #readVariantElsewhere(
    text: GroupKey,
    first: Choice,
    request: ReadRequest,
    viewer: Viewer,
  ): Promise<HttpResponse> {
    let choice: Choice | undefined = first;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (choice === undefined) return request.tag === undefined ? this.#readFormal(text) : this.#absent();
      const content = await this.#content(choice.variant);
      if (content !== undefined) return this.#encodeVariant(text, choice, content);
      const stored = await this.#parts.variantRows.contentOf(choice.variant);
      if (stored !== undefined) {
        this.#readsFromStore += 1;
        return this.#encodeVariant(text, choice, stored);
      }
      choice = this.#choose(text, request.tag, viewer);
    }
    throw configError(503, 'the content cannot be read now');
  }

  async #content(view: CachedView): Promise<Uint8Array | undefined> {
    const { cache, dump } = this.#parts;
    const inMemory = cache.content(view);
    if (inMemory !== undefined) return inMemory;
    const content = await dump.read(view);
    if (content === undefined) return undefined;
    this.#readsFromDump += 1;
    cache.keepContent(view, content);
    return content;
  }
}
