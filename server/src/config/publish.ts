import type { Host } from '@nacos-kube/core/host/host.ts';
import { contentMd5, type PublishRequest, type RemoveRequest } from '@nacos-kube/core/wire/config.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { Store } from '../store/store.ts';
import type { ConfigCache } from './cache.ts';
import type { PeerHints } from './notify.ts';
import type { RowReader } from './rows.ts';

/** Writes that wait for the store; more are sent to another node. */
export const WRITES_MAX = 1_000;

/** Writes to the store, and has this node serve what was written before the caller is told (F11). */
export class Publisher {
  readonly #host: Host;
  readonly #store: Store;
  readonly #cache: ConfigCache;
  readonly #rows: RowReader;
  readonly #hints: PeerHints;
  #underWay = 0;
  #publishes = 0;
  #removes = 0;

  constructor(host: Host, store: Store, cache: ConfigCache, rows: RowReader, hints: PeerHints) {
    this.#host = host;
    this.#store = store;
    this.#cache = cache;
    this.#rows = rows;
    this.#hints = hints;
  }

  publish(request: PublishRequest, clientIp: string): Promise<void> {
    return this.#oneOfFew(() => this.#publish(request, clientIp));
  }

  remove(request: RemoveRequest, clientIp: string): Promise<void> {
    return this.#oneOfFew(() => this.#remove(request, clientIp));
  }

  metrics() {
    return { publishes: this.#publishes, removes: this.#removes, writesUnderWay: this.#underWay };
  }

  async #publish(request: PublishRequest, clientIp: string): Promise<void> {
    const { user, ...written } = request;
    const content = new TextEncoder().encode(request.content);
    const md5 = contentMd5(content);
    const before = this.#cache.moment();
    const result = await this.#store.putConfig({ ...written, md5, by: { ip: clientIp, user } });
    if (result.outcome === 'conflict') throw new Error('a write without condition met a conflict');
    const { revision } = result;
    this.#publishes += 1;
    this.#hints.changed(revision);
    if (this.#cache.touchedSince(groupKey(request), before)) {
      // Somebody else wrote or read the row meanwhile, and which came last is not known here: the row tells.
      await this.#readBack(request, revision, 'a config was published but cannot be read back yet');
      return;
    }
    const { type } = request;
    this.#cache.put({ key: request, md5, type, modifiedMs: this.#host.clock.now(), revision }, content);
  }

  async #remove(request: RemoveRequest, clientIp: string): Promise<void> {
    const { user, ...key } = request;
    const before = this.#cache.moment();
    const isRemoved = await this.#store.removeConfig(key, { ip: clientIp, user });
    this.#removes += 1;
    if (isRemoved) this.#host.background('hint the peers', this.#hintNewest());
    const text = groupKey(key);
    if (!isRemoved && this.#cache.get(text) === undefined) return;
    if (this.#cache.touchedSince(text, before)) {
      await this.#readBack(key, 0, 'a config was removed but its place cannot be read yet');
    } else this.#cache.remove(text);
  }

  /** What was committed stays so whatever happens here: the feed brings it a little later. */
  async #readBack(key: PublishRequest | Omit<RemoveRequest, 'user'>, revision: number, trouble: string): Promise<void> {
    try {
      await this.#rows.read(key, revision);
    } catch (error) {
      this.#host.log.area('config').warn(trouble, { config: groupKey(key), error });
    }
  }

  async #hintNewest(): Promise<void> {
    try {
      this.#hints.changed(await this.#store.revision());
    } catch (error) {
      this.#host.log.area('config').debug('no hint about a removal: peers find it by the feed', { error });
    }
  }

  async #oneOfFew(write: () => Promise<void>): Promise<void> {
    if (this.#underWay >= WRITES_MAX) throw configError(503, `too many writes under way, over ${WRITES_MAX}`);
    this.#underWay += 1;
    try {
      await write();
    } finally {
      this.#underWay -= 1;
    }
  }
}
