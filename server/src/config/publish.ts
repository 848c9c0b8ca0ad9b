import type { Host } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { ConfigKey, ConfigType, VariantId } from '@nacos-kube/core/model/config.ts';
import {
  contentMd5,
  type PublishedVariant,
  type PublishRequest,
  type RemoveRequest,
} from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { fewAtOnce } from '../store/few-at-once.ts';
import { type ConfigWrite, type Operator, type Store, StoreError } from '../store/store.ts';
import type { ConfigCache } from './cache.ts';
import type { Capacity } from './capacity.ts';
import { ROWS_READ_AT_ONCE } from './follow.ts';
import type { MetaConfigs } from './meta.ts';
import type { PeerHints } from './notify.ts';
import type { RowReader } from './rows.ts';
import type { VariantRowReader } from './variant-rows.ts';

/** Writes that wait for the store; more are sent to another node. */
export const WRITES_MAX = 1_000;

const UTF_8 = new TextEncoder();

export interface PublisherParts {
  readonly host: Host;
  readonly store: Store;
  readonly cache: ConfigCache;
  readonly rows: RowReader;
  readonly variantRows: VariantRowReader;
  readonly hints: PeerHints;
  readonly meta: MetaConfigs;
  readonly capacity: Capacity;
}

/** Writes to the store, and has this node serve what was written before the caller is told (F11). */
export class Publisher {
  readonly #parts: PublisherParts;
  #underWay = 0;
  #publishes = 0;
  #removes = 0;
  #writesRefused = 0;
  /** The last write that came to an answer was refused because the store takes none. */
  #isRefused = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Throws `ProtocolError` when the configuration takes no such publication. */
  publish(request: PublishRequest, clientIp: string): Promise<void> {
    const { meta } = this.#parts;
    if (meta.isAggregate(request)) throw configError(403, `dataId:${request.dataId} is aggr`);
    const { variant } = request;
    return this.#oneOfFew(() =>
      variant === undefined ? this.#publish(request, clientIp) : this.#publishVariant(request, variant, clientIp),
    );
  }

  remove({ user, tag, ...key }: RemoveRequest, clientIp: string): Promise<void> {
    const by = { ip: clientIp, user };
    return this.#oneOfFew(() =>
      tag === undefined ? this.#remove(key, by) : this.#removeVariant(key, { kind: 'tag', tag }),
    );
  }

  stopBeta(key: ConfigKey): Promise<void> {
    return this.#oneOfFew(() => this.#removeVariant(key, { kind: 'beta' }));
  }

  /** By the ids of the rows, in one transaction; returns how many there were. */
  removeMany(ids: readonly string[], by: Operator): Promise<number> {
    return this.#oneOfFew(() => this.#removeMany(ids, by));
  }

  metrics() {
    const [publishes, removes, writesRefused] = [this.#publishes, this.#removes, this.#writesRefused];
    const transactions = this.#parts.store.transactions?.() ?? publishes + removes;
    return { publishes, removes, transactions, writesRefused, writesUnderWay: this.#underWay };
  }

  async #publish(request: PublishRequest, clientIp: string): Promise<void> {
    const { host, store, cache, rows, hints, capacity } = this.#parts;
    const content = UTF_8.encode(request.content);
    const text = groupKey(request);
    // The body of the reference, and of its text too: clients know the status alone.
    if (!capacity.allows(request, content.byteLength, cache.get(text) === undefined))
      throw new ProtocolError(429, '429');
    const write = new Publication(request, content, clientIp);
    const before = cache.moment();
    const result = await store.putConfig(write);
    if (result.outcome === 'conflict') {
      await this.#refresh(request);
      throw configError(409, 'Cas publish fail, server md5 may have changed.');
    }
    const { revision, md5 = write.md5 } = result;
    this.#publishes += 1;
    hints.changed(revision);
    if (cache.touchedSince(text, before)) {
      // Somebody else wrote or read the row meanwhile, and which came last is not known here: the row tells.
      if ((cache.get(text)?.revision ?? -1) >= revision) return;
      await this.#readBack(request, () => rows.read(request, revision));
      return;
    }
    cache.put({ key: request, md5, type: request.type, modifiedMs: host.clock.now(), revision }, content, text);
  }

  async #publishVariant(request: PublishRequest, target: PublishedVariant, clientIp: string): Promise<void> {
    const { host, store, cache, variantRows, hints } = this.#parts;
    const { dataId, group, namespaceId, appName } = request;
    const key = { dataId, group, namespaceId };
    const content = new TextEncoder().encode(request.content);
    const md5 = contentMd5(content);
    const betaIps = target.kind === 'beta' ? target.betaIps : '';
    const variant: VariantId = target.kind === 'beta' ? { kind: 'beta' } : target;
    const before = cache.variants.moment();
    // The reference never notes who published a variant.
    const by = { ip: clientIp, user: null };
    const revision = await store.putVariant({ ...key, variant, content: request.content, md5, appName, betaIps, by });
    this.#publishes += 1;
    hints.changed(revision);
    if (cache.variants.touchedSince(groupKey(key), before)) await this.#readBack(key, () => variantRows.read(key));
    else cache.variants.put({ key, variant, md5, modifiedMs: host.clock.now(), betaIps }, content);
  }

  async #remove(key: ConfigKey, by: Operator): Promise<void> {
    const { host, store, cache, rows } = this.#parts;
    const before = cache.moment();
    const isRemoved = await store.removeConfig(key, by);
    this.#removes += 1;
    if (isRemoved) host.background('hint the peers', this.#hintNewest());
    const text = groupKey(key);
    if (!isRemoved && cache.get(text) === undefined) return;
    if (cache.touchedSince(text, before)) await this.#readBack(key, () => rows.read(key, 0));
    else cache.remove(text);
  }

  async #removeVariant(key: ConfigKey, variant: VariantId): Promise<void> {
    const { host, store, cache, variantRows } = this.#parts;
    const text = groupKey(key);
    const before = cache.variants.moment();
    const isRemoved = await store.removeVariant(key, variant);
    this.#removes += 1;
    if (isRemoved) host.background('hint the peers', this.#hintNewest());
    if (!isRemoved && cache.variants.find(text, variant) === undefined) return;
    if (cache.variants.touchedSince(text, before)) await this.#readBack(key, () => variantRows.read(key));
    else cache.variants.remove(text, variant);
  }

  /** Which of the keys stand after it is for their rows to tell: some may have been published again meanwhile. */
  async #removeMany(ids: readonly string[], by: Operator): Promise<number> {
    const { host, store, rows } = this.#parts;
    const configs = await store.getConfigs(ids);
    const removed = await store.removeConfigs(ids, by);
    this.#removes += removed;
    if (removed > 0) host.background('hint the peers', this.#hintNewest());
    await fewAtOnce(configs, ROWS_READ_AT_ONCE, (key) => this.#readBack(key, () => rows.read(key, 0)));
    return removed;
  }

  /** Who was refused asks for the md5 next, often here, and must not be given the one again that was refused. */
  async #refresh(key: ConfigKey): Promise<void> {
    const { host, rows } = this.#parts;
    try {
      await rows.read(key, 0);
    } catch (error) {
      host.log.area('config').debug('a refused config cannot be read now, the feed brings it', { error });
    }
  }

  /**
   * What was committed stays so whatever happens here, and the feed brings it a little later. But it is not acknowledged
   * by a node that would serve an older state after that (F11).
   */
  async #readBack(key: ConfigKey, read: () => Promise<unknown>): Promise<void> {
    try {
      await read();
    } catch (error) {
      const { log } = this.#parts.host;
      log.area('config').warn('a config was written but cannot be read back yet', { config: groupKey(key), error });
      if (error instanceof StoreError) throw error;
    }
  }

  async #hintNewest(): Promise<void> {
    const { store, hints, host } = this.#parts;
    try {
      hints.changed(await store.revision());
    } catch (error) {
      host.log.area('config').debug('no hint about a removal: peers find it by the feed', { error });
    }
  }

  /** Not async, see the route of publishes. */
  #oneOfFew<T>(write: () => Promise<T>): Promise<T> {
    if (this.#underWay >= WRITES_MAX) throw configError(503, `too many writes under way, over ${WRITES_MAX}`);
    this.#underWay += 1;
    return write().then(this.#written as (written: T) => T, this.#failed);
  }

  readonly #written = (written: unknown): unknown => {
    this.#underWay -= 1;
    if (this.#isRefused) this.#tellTaken();
    return written;
  };

  readonly #failed = (error: unknown): never => {
    this.#underWay -= 1;
    if (error instanceof StoreError && error.kind !== 'invalid') this.#noteRefusal(error);
    throw error;
  };

  /** A store that is away is told by who follows it; one that only takes no writes is noticed nowhere but here. */
  #noteRefusal(error: StoreError): void {
    this.#writesRefused += 1;
    if (this.#isRefused || error.kind !== 'read-only') return;
    this.#isRefused = true;
    this.#parts.host.log.area('config').warn('the store takes no writes', { error });
  }

  #tellTaken(): void {
    this.#isRefused = false;
    this.#parts.host.log.area('config').info('the store takes writes again');
  }
}

/** Field by field, since to leave some out of an object costs more than the rest of a publish here. */
class Publication implements ConfigWrite {
  readonly dataId: string;
  readonly group: string;
  readonly namespaceId: string;
  readonly content: string;
  readonly type: ConfigType;
  readonly appName: string | undefined;
  readonly description: string | null;
  readonly use: string | null;
  readonly effect: string | null;
  readonly schema: string | null;
  readonly tags: readonly string[] | undefined;
  readonly by: Operator;
  declare readonly expectedMd5?: string;
  readonly #bytes: Uint8Array;
  #md5: string | undefined;

  constructor(request: PublishRequest, bytes: Uint8Array, ip: string) {
    this.dataId = request.dataId;
    this.group = request.group;
    this.namespaceId = request.namespaceId;
    this.content = request.content;
    this.type = request.type;
    this.appName = request.appName;
    this.description = request.description;
    this.use = request.use;
    this.effect = request.effect;
    this.schema = request.schema;
    this.tags = request.tags;
    this.by = { ip, user: request.user };
    if (request.expectedMd5 !== undefined) this.expectedMd5 = request.expectedMd5;
    this.#bytes = bytes;
  }

  /** Made when it is asked for: not every store does. */
  get md5(): string {
    this.#md5 ??= contentMd5(this.#bytes);
    return this.#md5;
  }
}
