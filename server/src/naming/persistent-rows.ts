import type { Host } from '@nacos-kube/core/host/host.ts';
import { type Instance, type InstanceKey, instanceKey } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey, type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import { RecordRows } from '../store/record-rows.ts';
import type { Store, StoredRecord } from '../store/store.ts';
import { decodePersistent, encodePersistent, parsePersistentKey, persistentKey } from './persistent.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';

/** Keeps the persistent instances of the registry as the rows of the store are. */
export class PersistentRows {
  readonly #rows: RecordRows;

  constructor(host: Host, store: Store, registry: Registry, publish: (change: RegistryChange) => void) {
    const tell = (change: RegistryChange | undefined): void => {
      if (change !== undefined) publish(change);
    };
    this.#rows = new RecordRows(host, store, {
      kind: 'instance',
      what: 'a persistent instance',
      *shownKeys() {
        for (const { service, instance } of registry.persistent()) yield `${service}##${instanceKey(instance)}`;
      },
      *shownRows() {
        for (const { service, instance } of registry.persistent()) {
          const id = parseServiceKey(service);
          if (id !== undefined) yield encodePersistent(id, instance);
        }
      },
      show(record) {
        const row = decodePersistent(record);
        if (row !== undefined) tell(registry.putPersistent(row.service, row.instance));
        return row !== undefined;
      },
      hide(rowKey) {
        const place = parsePersistentKey(rowKey);
        if (place === undefined) return;
        tell(registry.removePersistent(serviceKey(place.service), place.key, host.clock.monotonic()));
      },
    });
  }

  get records(): RecordRows {
    return this.#rows;
  }

  /** All rows were read once, from the store or from this member's copy. */
  get isLoaded(): boolean {
    return this.#rows.isKnown;
  }

  /** Rows of the store that are not what they should be. */
  get bad(): number {
    return this.#rows.bad;
  }

  /** Resolves once it is stored, and shown by this member. */
  async put(service: ServiceId, instance: Instance): Promise<void> {
    await this.#rows.put(encodePersistent(service, instance));
  }

  async remove(service: ServiceId, key: InstanceKey): Promise<void> {
    await this.#rows.remove(persistentKey(service, key));
  }

  /** False when there is none; else resolves once it is stored, and shown by this member. */
  async change(service: ServiceId, key: InstanceKey, make: (instance: Instance) => Instance): Promise<boolean> {
    let isThere = false;
    await this.#rows.change(persistentKey(service, key), (record: StoredRecord | undefined) => {
      const row = record && decodePersistent(record);
      isThere = row !== undefined;
      return row === undefined ? undefined : encodePersistent(service, make(row.instance));
    });
    return isThere;
  }

  readonly feedReader: FeedReader = {
    name: 'persistent instances',
    kinds: ['instance'],
    reread: () => this.#rows.readAll(),
    apply: (changes) => this.#rows.readChanged(changes),
  };
}
