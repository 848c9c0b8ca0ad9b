export interface Queued {
  /** The bucket that a queue holds it in, in seconds; the queue's own note. */
  queuedFor: number | undefined;
}

/**
 * No bucket lies further ahead, so what is dropped before its time is held for this long at most, and there are no more
 * buckets than seconds in it.
 */
export const HORIZON_S = 60;

/**
 * Things that fall due, ordered by time in buckets of a second. Postponing costs nothing: whoever keeps a thing alive
 * only changes its deadline, and the queue looks at it again when the old one comes round.
 */
export class DueQueue<T extends Queued> {
  readonly #deadlineOf: (thing: T) => number | undefined;
  readonly #buckets = new Map<number, T[]>();
  #hand = -1;

  /** `deadlineOf` gives the deadline a thing has now, in monotonic ms; undefined drops it from the queue. */
  constructor(deadlineOf: (thing: T) => number | undefined) {
    this.#deadlineOf = deadlineOf;
  }

  get bucketCount(): number {
    return this.#buckets.size;
  }

  /** A thing stands in one bucket at a time; adding it again matters only when its deadline has come closer. */
  add(thing: T): void {
    const deadline = this.#deadlineOf(thing);
    if (deadline === undefined) return;
    // Never behind the hand of the clock: that bucket would not be looked at again.
    const second = Math.min(Math.max(Math.ceil(deadline / 1000), this.#hand + 1), this.#hand + HORIZON_S);
    if (thing.queuedFor !== undefined && thing.queuedFor <= second) return;
    thing.queuedFor = second;
    const bucket = this.#buckets.get(second);
    if (bucket === undefined) this.#buckets.set(second, [thing]);
    else bucket.push(thing);
  }

  /** Takes out what is due at `nowMs`; what was postponed goes back in by itself. */
  take(nowMs: number): T[] {
    const due: T[] = [];
    this.#hand = Math.floor(nowMs / 1000);
    const passed = [...this.#buckets.keys()].filter((bucket) => bucket <= this.#hand).sort((a, b) => a - b);
    for (const second of passed) {
      const things = this.#buckets.get(second) ?? [];
      this.#buckets.delete(second);
      for (const thing of things) {
        if (thing.queuedFor !== second) continue;
        thing.queuedFor = undefined;
        const deadline = this.#deadlineOf(thing);
        if (deadline !== undefined && deadline <= nowMs) due.push(thing);
        else this.add(thing);
      }
    }
    return due;
  }
}
