import type { Host } from '@nacos-kube/core/host/host.ts';
import { parseServiceKey, type ServiceId, type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { ServiceSettings } from '@nacos-kube/core/model/service.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import { RecordRows } from '../store/record-rows.ts';
import type { Store, StoredRecord } from '../store/store.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { decodeServiceRecord, encodeServiceRecord } from './service-record.ts';

/** Keeps what is set of services, and that they exist at all without an instance, as the rows of the store are. */
export class ServiceRows {
  readonly #rows: RecordRows;
  readonly #shown = new Set<ServiceKey>();

  constructor(host: Host, store: Store, registry: Registry, publish: (change: RegistryChange) => void) {
    const set = (id: ServiceId, settings: ServiceSettings | undefined): void => {
      if (settings === undefined) this.#shown.delete(serviceKey(id));
      else this.#shown.add(serviceKey(id));
      const change = registry.setSettings(id, settings);
      if (change !== undefined) publish(change);
    };
    this.#rows = new RecordRows(host, store, {
      kind: 'service',
      what: 'a service',
      shownKeys: () => this.#shown,
      shownRows: () => this.#shownRows(registry),
      show(record) {
        const row = decodeServiceRecord(record);
        if (row !== undefined) set(row.service, row.settings);
        return row !== undefined;
      },
      hide(rowKey) {
        const id = parseServiceKey(rowKey);
        if (id !== undefined) set(id, undefined);
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

  /** Services that were made or changed as such. */
  keys(): ReadonlySet<ServiceKey> {
    return this.#shown;
  }

  /**
   * Resolves once it is stored, and shown by this member. `make` is given what the store has; it throws when it does not
   * like it, and then nothing changes.
   */
  async change(
    service: ServiceId,
    make: (settings: ServiceSettings | undefined, isStored: boolean) => ServiceSettings,
  ): Promise<void> {
    await this.#rows.change(serviceKey(service), (record) =>
      encodeServiceRecord(service, make(record && decodeServiceRecord(record)?.settings, record !== undefined)),
    );
  }

  /** False when there was none. */
  async remove(service: ServiceId): Promise<boolean> {
    return this.#rows.remove(serviceKey(service));
  }

  *#shownRows(registry: Registry): Iterable<StoredRecord> {
    for (const key of this.#shown) {
      const id = parseServiceKey(key);
      const settings = registry.view(key)?.settings;
      if (id !== undefined && settings !== undefined) yield encodeServiceRecord(id, settings);
    }
  }

  readonly feedReader: FeedReader = {
    name: 'services',
    kinds: ['service'],
    reread: () => this.#rows.readAll(),
    apply: (changes) => this.#rows.readChanged(changes),
  };
}
