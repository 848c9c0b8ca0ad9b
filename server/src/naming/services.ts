import type { Instance } from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import { Digest } from './digest.ts';
import { ServiceEntry, type ServiceView } from './service-entry.ts';

/** The entries of all services, by key and by namespace, and the digest of what members share of each. */
export class Services {
  readonly #entries = new Map<ServiceKey, ServiceEntry>();
  readonly #namespaces = new Map<string, Map<string, ServiceEntry>>();
  readonly #digests = new Map<ServiceKey, Digest>();

  get(key: ServiceKey): ServiceEntry | undefined {
    return this.#entries.get(key);
  }

  all(): Iterable<ServiceEntry> {
    return this.#entries.values();
  }

  keys(): Iterable<ServiceKey> {
    return this.#entries.keys();
  }

  *views(): Iterable<ServiceView> {
    for (const entry of this.#entries.values()) if (entry.exists) yield entry.view;
  }

  *namesIn(namespaceId: string): Iterable<string> {
    for (const [name, entry] of this.#namespaces.get(namespaceId) ?? []) if (entry.exists) yield name;
  }

  *namespaces(): Iterable<string> {
    for (const [namespaceId, entries] of this.#namespaces) {
      for (const entry of entries.values()) {
        if (!entry.exists) continue;
        yield namespaceId;
        break;
      }
    }
  }

  get count(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.exists) count++;
    return count;
  }

  ephemeralCount(isMeant: (service: ServiceKey) => boolean): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (isMeant(entry.key)) count += entry.ephemeral.size;
    return count;
  }

  countsOf(isMeant: (service: ServiceKey) => boolean): { readonly services: number; readonly instances: number } {
    let [services, instances] = [0, 0];
    for (const entry of this.#entries.values()) {
      if (!entry.exists || !isMeant(entry.key)) continue;
      services++;
      instances += entry.ephemeral.size + entry.persistent.size;
    }
    return { services, instances };
  }

  *persistent(): Iterable<{ readonly service: ServiceKey; readonly instance: Instance }> {
    for (const entry of this.#entries.values()) {
      for (const instance of entry.persistentInstances()) yield { service: entry.key, instance };
    }
  }

  /** Made when it is not there; whoever leaves it empty disposes of it. */
  entryOf(id: ServiceId, key = serviceKey(id)): ServiceEntry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry = new ServiceEntry(id);
    this.#entries.set(key, entry);
    let names = this.#namespaces.get(id.namespaceId);
    if (names === undefined) {
      names = new Map();
      this.#namespaces.set(id.namespaceId, names);
    }
    names.set(id.name, entry);
    return entry;
  }

  /** Forgets an entry that holds nothing, not even a tombstone. */
  dispose(entry: ServiceEntry): void {
    if (!entry.isDisposable) return;
    this.#entries.delete(entry.key);
    this.#digests.delete(entry.key);
    entry.digest = undefined;
    const names = this.#namespaces.get(entry.id.namespaceId);
    names?.delete(entry.id.name);
    if (names?.size === 0) this.#namespaces.delete(entry.id.namespaceId);
  }

  digestOf(entry: ServiceEntry): Digest {
    if (entry.digest === undefined) {
      entry.digest = new Digest();
      this.#digests.set(entry.key, entry.digest);
    }
    return entry.digest;
  }

  digestText(key: ServiceKey): string {
    return this.#digests.get(key)?.text ?? Digest.EMPTY;
  }

  *digestTexts(): Iterable<readonly [ServiceKey, string]> {
    for (const [key, digest] of this.#digests) if (!digest.isEmpty) yield [key, digest.text];
  }
}
