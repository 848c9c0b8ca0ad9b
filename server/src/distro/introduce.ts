import type { Datum } from '../naming/datum.ts';
import type { Place } from './sync.ts';

/** Instances that wait to be introduced to one owner; of more, the client is told to register again. */
export const INTRODUCED_MAX = 2_000;
/** The second time with what was stamped anew because the owner knew of a verdict. */
const TURNS = 2;

export interface IntroduceOptions {
  readonly datumsOf: (place: Place) => readonly Datum[];
  readonly tell: (peer: string, datums: readonly Datum[]) => Promise<void>;
}

interface Queue {
  places: Place[];
  /** Of those that wait. */
  next: Promise<boolean> | undefined;
  last: Promise<boolean>;
}

/**
 * Tells an owner of instances that it does not know, or not so well as this member: after a cut beats and writes come to
 * it before the digests do. What the owner knows better stays, so nobody is brought back who was taken away.
 */
export class Introductions {
  readonly #options: IntroduceOptions;
  readonly #queues = new Map<string, Queue>();
  /** Instances that owners were told of. */
  count = 0;

  constructor(options: IntroduceOptions) {
    this.#options = options;
  }

  /**
   * True when the owner was told; those that come while it is being told go together. `all`: also of one that was taken
   * away here.
   */
  async introduce(owner: string, place: Place, what: 'live' | 'all' = 'live'): Promise<boolean> {
    if (what === 'live' && !this.#isLive(place)) return false;
    let queue = this.#queues.get(owner);
    if (queue === undefined) {
      queue = { places: [], next: undefined, last: Promise.resolve(true) };
      this.#queues.set(owner, queue);
    }
    if (queue.places.length >= INTRODUCED_MAX) return false;
    queue.places.push(place);
    queue.next ??= this.#turn(owner, queue);
    return queue.next;
  }

  #turn(owner: string, queue: Queue): Promise<boolean> {
    const turn = queue.last.then(async () => {
      const places = queue.places.splice(0);
      queue.next = undefined;
      const isTold = await this.#tell(owner, places);
      if (queue.next === undefined) this.#queues.delete(owner);
      return isTold;
    });
    queue.last = turn;
    return turn;
  }

  async #tell(owner: string, places: readonly Place[]): Promise<boolean> {
    let untold = places;
    try {
      for (let turn = 0; turn < TURNS && untold.length > 0; turn++) {
        const told = untold.map((place) => ({ place, datums: this.#options.datumsOf(place) }));
        await this.#options.tell(
          owner,
          told.flatMap(({ datums }) => datums),
        );
        untold = told
          .filter(({ place, datums }) => !isSame(datums, this.#options.datumsOf(place)))
          .map((one) => one.place);
      }
      this.count += places.length;
      return true;
    } catch {
      // Whoever asked hears that the owner does not know the instance, as before.
      return false;
    }
  }

  #isLive(place: Place): boolean {
    return this.#options.datumsOf(place).some(({ kind }) => kind === 'live' || kind === 'unhealthy');
  }
}

function isSame(before: readonly Datum[], after: readonly Datum[]): boolean {
  const stampsOf = (datums: readonly Datum[]) => JSON.stringify(datums.map(({ stamp }) => stamp));
  return stampsOf(before) === stampsOf(after);
}
