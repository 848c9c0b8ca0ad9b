import type { Random } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';

/** How many ids a revision can give; more writers at once than that find an id taken and ask again. */
const IDS_PER_REVISION = 1024;

/**
 * Ids of configurations and past writes: made of the revision that a write has seen, so they ascend with the writes of
 * one configuration without a counter that all writers would queue for. The transaction checks that an id is free.
 * The floor is what ids of rows that were moved here have taken.
 */
export class Ids {
  #next: number;

  constructor(random: Random) {
    this.#next = random.int(IDS_PER_REVISION);
  }

  next(seenRevision: number, floor: number): string {
    this.#next = (this.#next + 1) % IDS_PER_REVISION;
    const id = floor + seenRevision * IDS_PER_REVISION + this.#next;
    if (!Number.isSafeInteger(id)) throw new StoreError('misconfigured', `etcd has no ids left at ${seenRevision}`);
    return String(id);
  }
}
