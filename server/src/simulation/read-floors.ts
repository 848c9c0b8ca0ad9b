import type { SimulatedCluster } from './cluster.ts';

/** What a node served for so long is in the copy on its disk. */
const COPIED_MS = 5_000;

interface Raised {
  readonly life: number;
  readonly atMs: number;
  readonly place: number;
}

/**
 * How far the reads of a node have come: what it serves never goes back. A life that began without the store knows what
 * its disk holds, so it may be as old as that.
 */
export class ReadFloors {
  readonly #cluster: SimulatedCluster;
  /** `node key` to the places that were reached, each higher than the one before. */
  readonly #raised = new Map<string, Raised[]>();
  readonly #distrusted = new Set<string>();
  #isStoreSound = true;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  /** The disk of this node takes nothing for a while. */
  distrustDisk(name: string): void {
    this.#distrusted.add(name);
  }

  /** From now on a node may have started without the store. */
  distrustStore(): void {
    this.#isStoreSound = false;
  }

  /** -1 when nothing is known. */
  of(name: string, key: string): number {
    const raised = this.#raised.get(`${name} ${key}`) ?? [];
    const node = this.#cluster.node(name);
    const last = raised.at(-1);
    if (last === undefined || node === undefined) return -1;
    if (this.#isStoreSound || last.life === node.startedMs) return last.place;
    const { earlier } = node;
    if (earlier === undefined || earlier.startedMs !== last.life || this.#distrusted.has(name)) return -1;
    return raised.findLast(({ atMs }) => atMs <= earlier.endedMs - COPIED_MS)?.place ?? -1;
  }

  raise(name: string, key: string, place: number, atMs: number): void {
    const life = this.#cluster.node(name)?.startedMs;
    if (life === undefined) return;
    const id = `${name} ${key}`;
    const raised = this.#raised.get(id) ?? [];
    const last = raised.at(-1);
    if (last !== undefined && last.life === life && last.place >= place) return;
    // What an earlier life had is no floor of this one.
    this.#raised.set(id, [...(last?.life === life ? raised : []), { life, atMs, place }]);
  }
}
