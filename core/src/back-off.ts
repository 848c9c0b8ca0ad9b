import type { Random } from './host/host.ts';

/** Delays that double up to a bound, each with up to a fifth added or taken so that many do not come back at once. */
export class BackOff {
  readonly #random: Random;
  readonly #firstMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(random: Random, firstMs: number, maxMs: number) {
    this.#random = random;
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  nextMs(): number {
    return Math.round(doubledMs(this.#failures++, this.#firstMs, this.#maxMs) * (0.8 + 0.4 * this.#random.float()));
  }

  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** What is waited after so many failures before this one, without spread. */
export function doubledMs(failuresBefore: number, firstMs: number, maxMs: number): number {
  // 2 ** 40 times anything is beyond every bound; it only keeps the number finite.
  return Math.min(maxMs, firstMs * 2 ** Math.min(failuresBefore, 40));
}
