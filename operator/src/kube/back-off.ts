import type { Random } from '@nacos-kube/core/host/host.ts';

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
    // 2 ** 40 times anything is beyond every bound; it only keeps the number finite.
    const plainMs = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#failures++, 40));
    return Math.round(plainMs * (0.8 + 0.4 * this.#random.float()));
  }

  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }
}
