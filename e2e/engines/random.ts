/** Numbers from a seed, so that a run that failed can be drawn again; when what happens is the machine's. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e37_79b9 + 0x7f4a_7c15) >>> 0;
  }

  /** Uniform in [0, bound). */
  int(bound: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
}
