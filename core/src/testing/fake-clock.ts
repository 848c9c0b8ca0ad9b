import type { Clock, Timer } from '../host/host.ts';

/** Rounds of the microtask queue after which all that can go on without time has gone on. */
const SETTLE_ROUNDS = 100;

/** Time that stands still until a test lets it pass. */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #passedMs = 0;
  #order = 0;
  readonly #timers = new Map<number, { readonly dueMs: number; readonly run: () => void }>();

  /** 2026-01-31T10:00:00Z unless said otherwise. */
  constructor(startMs = 1_769_853_600_000) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#passedMs;
  }
  monotonic(): number {
    return this.#passedMs;
  }
  after(delayMs: number, run: () => void): Timer {
    const id = this.#order++;
    this.#timers.set(id, { dueMs: this.#passedMs + delayMs, run });
    return { cancel: () => void this.#timers.delete(id) };
  }
  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = () => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Lets time pass, timer by timer, with everything that follows from each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#passedMs + ms;
    for (await settle(); ; await settle()) {
      const next = [...this.#timers].sort(([a, { dueMs: x }], [b, { dueMs: y }]) => x - y || a - b)[0];
      if (next === undefined || next[1].dueMs > endMs) break;
      this.#timers.delete(next[0]);
      this.#passedMs = Math.max(this.#passedMs, next[1].dueMs);
      next[1].run();
    }
    this.#passedMs = endMs;
  }
}

/** Lets everything run that waits for no timer. */
export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round++) await Promise.resolve();
}
