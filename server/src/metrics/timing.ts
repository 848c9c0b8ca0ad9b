/** How long a thing took, each time, as a timer of the reference counts it. */
export class Timing {
  count = 0;
  seconds = 0;
  secondsMax = 0;
  readonly #now: () => number;

  /** `now`: monotonic, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  async measure<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#now();
    try {
      return await work();
    } finally {
      const seconds = (this.#now() - startedMs) / 1_000;
      this.count++;
      this.seconds += seconds;
      this.secondsMax = Math.max(this.secondsMax, seconds);
    }
  }
}
