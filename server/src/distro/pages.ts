import type { InstanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Datum } from '../naming/datum.ts';
import { list, serviceText, text } from './codec.ts';
import { datumChars, MESSAGE_CHARS_MAX } from './message-size.ts';

/** Datums in one page, give or take those of one instance. */
export const PAGE_DATUMS_MAX = 2_000;
/** Peers that read a snapshot at the same time; of more, the order is made anew for each page. */
export const READERS_MAX = 32;

/** The place after which a page goes on. */
export type Cursor = readonly [ServiceKey, InstanceKey];

export interface DatumPage {
  readonly datums: readonly Datum[];
  /** Null: that was the last one. */
  readonly next: Cursor | null;
}

export interface DatumSource {
  sharedServices(): Iterable<ServiceKey>;
  datums(service: ServiceKey): Iterable<Datum>;
}

/** The datums of some services, sorted by key, in pages that fit in a message however large a service is. */
export function datumPage(
  source: DatumSource,
  services: readonly ServiceKey[],
  after: Cursor | null,
  countMax = PAGE_DATUMS_MAX,
): DatumPage {
  const datums: Datum[] = [];
  let chars = 0;
  let last: Cursor | null = after;
  for (const service of services) {
    if (after !== null && service < after[0]) continue;
    for (const datum of sortedByKey(source.datums(service))) {
      if (after !== null && service === after[0] && datum.key <= after[1]) continue;
      // A verdict on a persistent instance stays with the ephemeral one of its key.
      const isSamePlace = last?.[0] === service && last[1] === datum.key;
      const isFull = datums.length >= countMax || chars >= MESSAGE_CHARS_MAX;
      if (isFull && !isSamePlace) return { datums, next: last };
      datums.push(datum);
      chars += datumChars(datum);
      last = [service, datum.key];
    }
  }
  return { datums, next: null };
}

/** Everything, page by page for each peer that asks; the order is made once for all pages of a reader. */
export class Snapshots {
  readonly #source: DatumSource;
  readonly #orders = new Map<string, readonly ServiceKey[]>();

  constructor(source: DatumSource) {
    this.#source = source;
  }

  page(reader: string, after: Cursor | null, countMax: number): DatumPage {
    const known = after === null ? undefined : this.#orders.get(reader);
    // What is registered meanwhile reaches the reader as a change, like everybody.
    const order = known ?? [...this.#source.sharedServices()].sort();
    const page = datumPage(this.#source, order, after, countMax);
    this.#orders.delete(reader);
    if (page.next !== null && this.#orders.size < READERS_MAX) this.#orders.set(reader, order);
    return page;
  }
}

export function decodeCursor(value: unknown): Cursor | null {
  if (value === null) return null;
  const [service, key] = list(value, 'a cursor', 2);
  return [serviceText(service), text(key, 'a key')];
}

function sortedByKey(datums: Iterable<Datum>): Datum[] {
  return [...datums].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}
