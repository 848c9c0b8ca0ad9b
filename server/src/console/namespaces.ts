import type { Host } from '@nacos-kube/core/host/host.ts';
import { PUBLIC_NAMESPACE } from '@nacos-kube/core/model/names.ts';
import type { Namespace } from '@nacos-kube/core/model/namespace.ts';
import { namespaceRecord, parseNamespace } from '../store/bounds.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import { FollowedRecords } from '../store/followed-records.ts';
import type { RecordRows } from '../store/record-rows.ts';
import { type Store, type StoredRecord, StoreError } from '../store/store.ts';

/** No more are made: they are listed as a whole. */
export const NAMESPACES_MAX = 10_000;
export const ID_CHARS_MAX = 128;

/** The namespaces that were made. Configurations and services need none to be there: any other id works as well. */
export class Namespaces {
  readonly #host: Host;
  readonly #records: FollowedRecords<Namespace>;

  constructor(host: Host, store: Store) {
    this.#host = host;
    this.#records = new FollowedRecords(host, store, { name: 'namespaces', kind: 'namespace', decode });
  }

  get records(): RecordRows {
    return this.#records.records;
  }

  get feedReader(): FeedReader {
    return this.#records.feedReader;
  }

  /** False while they were never read, from the store or from this member's copy. */
  get isLoaded(): boolean {
    return this.#records.isLoaded;
  }

  /** Without the public one, in order of id. */
  list(): Namespace[] {
    const all = [...this.#records.entries()].map(([, namespace]) => namespace);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, NAMESPACES_MAX);
  }

  get(id: string): Namespace | undefined {
    return this.#records.get(id);
  }

  /** The public one is always there, under both of its names. */
  isTaken(id: string): boolean {
    return id === '' || id === PUBLIC_NAMESPACE || this.#records.get(id) !== undefined;
  }

  /** False when the id is no id or is taken; an empty one is made up. */
  async create({ id: wanted, name, description }: Namespace): Promise<boolean> {
    const id = wanted === '' ? this.#host.random.uuid() : wanted;
    if (!/^[\w-]+$/.test(id) || id.length > ID_CHARS_MAX || this.isTaken(id)) return false;
    if (this.#records.size >= NAMESPACES_MAX) return false;
    return this.#records.write(id, (now) =>
      now === undefined ? namespaceRecord({ id, name, description }) : undefined,
    );
  }

  /** Nothing happens to one that was not made. */
  async update(namespace: Namespace): Promise<void> {
    await this.#records.write(namespace.id, (now) => (now === undefined ? undefined : namespaceRecord(namespace)));
  }

  /** What is in it stays, and is there again when it is made anew. */
  async remove(id: string): Promise<void> {
    await this.#records.remove(id);
  }
}

function decode(record: StoredRecord): Namespace | undefined {
  try {
    return parseNamespace(record);
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}
