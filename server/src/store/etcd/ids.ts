import type { Random } from '@nacos-kube/core/host/host.ts';
import { isId } from '../bounds.ts';
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
    const id = firstIdAt(seenRevision, floor) + this.#next;
    if (!Number.isSafeInteger(id)) throw new StoreError('misconfigured', `etcd has no ids left at ${seenRevision}`);
    return String(id);
  }

  /** Each higher than the one before. */
  inOrder(seenRevision: number, floor: number, count: number): readonly string[] {
    if (this.#next + count >= IDS_PER_REVISION) this.#next = 0;
    return Array.from({ length: count }, () => this.next(seenRevision, floor));
  }
}

export function firstIdAt(seenRevision: number, floor: number): number {
  return floor + seenRevision * IDS_PER_REVISION;
}

/** Those of others may be larger, and name nothing here. */
export function isOurs(id: string): boolean {
  return isId(id) && Number.isSafeInteger(Number(id));
}

const ID_KEPT_MAX = 2 ** 52;

/** Whether a row that is moved here keeps its id: ids of ours go on from the highest, and need room above it. */
export function isKept(id: string): boolean {
  return isOurs(id) && Number(id) <= ID_KEPT_MAX;
}
