import { Recent } from './recent.ts';

/** Values are put in so many times the bound before it is asked what keeping them was good for. */
const TRIED = 3;
/** Found less often than this for each one that was put in: not worth it. */
const USEFUL_SHARE = 0.25;
/** Then nothing is kept for so many questions, as a multiple of the bound. */
const RESTED = 128;

/**
 * What was made for keys that come again and again, of at most `2 * max` of them. Where more keys than that take turns
 * none is found again, and keeping them is nothing but work for the collector: then it forgets all, and tries again later.
 */
export class Repeats<T> {
  readonly #max: number;
  #recent: Recent<T>;
  #found = 0;
  #put = 0;
  #restsFor = 0;

  constructor(max: number) {
    this.#max = max;
    this.#recent = new Recent(max);
  }

  get size(): number {
    return this.#recent.size;
  }

  get(key: string): T | undefined {
    if (this.#restsFor > 0) {
      this.#restsFor--;
      return undefined;
    }
    const value = this.#recent.get(key);
    if (value !== undefined) this.#found++;
    return value;
  }

  set(key: string, value: T): void {
    if (this.#restsFor > 0) return;
    this.#recent.set(key, value);
    if (++this.#put < TRIED * this.#max) return;
    if (this.#found < USEFUL_SHARE * this.#put) {
      this.#recent = new Recent(this.#max);
      this.#restsFor = RESTED * this.#max;
    }
    this.#found = 0;
    this.#put = 0;
  }
}
