import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Instance, InstanceKey } from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import type { Change, Store, StoredRecord } from '../store/store.ts';
import { decodePersistent, encodePersistent, parsePersistentKey, persistentKey } from './persistent.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { Touches } from './touches.ts';

const SCAN_PAGE = 1_000;
/** A row that was written each time while it was read. */
export const READS_MAX = 20;

/**
 * Keeps the persistent instances of the registry as the rows of the store are. Rows come by writes of this member, by
 * the feed and by full reads, with answers in any order: what was read counts only if nothing touched its key meanwhile.
 */
export class PersistentRows {
  readonly #host: Host;
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #publish: (change: RegistryChange) => void;
  readonly #touches = new Touches();
  #isLoaded = false;
  #bad = 0;

  constructor(host: Host, store: Store, registry: Registry, publish: (change: RegistryChange) => void) {
    this.#host = host;
    this.#store = store;
    this.#registry = registry;
    this.#publish = publish;
  }

  /** All rows were read once. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Rows of the store that are not what they should be. */
  get bad(): number {
    return this.#bad;
  }

  /** Resolves once it is stored, and shown by this member. */
  async put(service: ServiceId, instance: Instance): Promise<void> {
    const record = encodePersistent(service, instance);
    const before = this.#touches.moment;
    await this.#store.putRecord(record);
    await this.#written(record.key, before, record);
  }

  async remove(service: ServiceId, key: InstanceKey): Promise<void> {
    const rowKey = persistentKey(service, key);
    const before = this.#touches.moment;
    await this.#store.removeRecord('instance', rowKey);
    await this.#written(rowKey, before, undefined);
  }

  readonly feedReader: FeedReader = {
    name: 'naming',
    kinds: ['instance'],
    reread: () => this.#readAll(),
    apply: (changes) => this.#readChanged(changes),
  };

  /** What was committed stays so whatever happens here: the feed brings it a little later. */
  async #written(rowKey: string, before: number, record: StoredRecord | undefined): Promise<void> {
    if (!this.#touches.since(rowKey, before)) {
      this.#apply(rowKey, record);
      return;
    }
    try {
      // Somebody else wrote or read the row meanwhile, and which came last is not known here: the row tells.
      await this.#readRow(rowKey);
    } catch (error) {
      this.#host.log.warn('a persistent instance was written but cannot be read back yet', { key: rowKey, error });
    }
  }

  async #readAll(): Promise<void> {
    const before = [...this.#registry.persistentKeys()].map(({ service, key }) => persistentKey(service, key));
    const seen = new Set<string>();
    const unsure: string[] = [];
    let after: string | undefined;
    do {
      const moment = this.#touches.moment;
      const page = await this.#store.scanRecords('instance', SCAN_PAGE, after);
      for (const record of page.items) {
        seen.add(record.key);
        if (this.#touches.since(record.key, moment)) unsure.push(record.key);
        else this.#show(record);
      }
      this.#touches.touchAll();
      after = page.next;
    } while (after !== undefined);
    for (const rowKey of before) if (!seen.has(rowKey)) unsure.push(rowKey);
    for (const rowKey of unsure) await this.#readRow(rowKey);
    this.#isLoaded = true;
  }

  /** Whatever a change says, the row as it is now is what counts. */
  async #readChanged(changes: readonly Change[]): Promise<void> {
    const rowKeys = new Set(changes.flatMap(({ what }) => (what.kind === 'instance' ? [what.key] : [])));
    for (const rowKey of rowKeys) await this.#readRow(rowKey);
  }

  async #readRow(rowKey: string): Promise<void> {
    for (let reads = 0; reads < READS_MAX; reads++) {
      const moment = this.#touches.moment;
      const record = await this.#store.getRecord('instance', rowKey);
      if (this.#touches.since(rowKey, moment)) continue;
      this.#apply(rowKey, record);
      return;
    }
    throw new Error(`row ${rowKey} changes faster than it can be read`);
  }

  #apply(rowKey: string, record: StoredRecord | undefined): void {
    this.#touches.touch(rowKey);
    if (record !== undefined) {
      this.#show(record);
      return;
    }
    const place = parsePersistentKey(rowKey);
    if (place === undefined) return;
    const nowMs = this.#host.clock.monotonic();
    this.#tell(this.#registry.removePersistent(serviceKey(place.service), place.key, nowMs));
  }

  #show(record: StoredRecord): void {
    const row = decodePersistent(record);
    if (row === undefined) {
      this.#bad++;
      this.#host.log.warn('a stored instance is not readable and was skipped', { key: record.key });
      return;
    }
    this.#tell(this.#registry.putPersistent(row.service, row.instance));
  }

  #tell(change: RegistryChange | undefined): void {
    if (change !== undefined) this.#publish(change);
  }
}
