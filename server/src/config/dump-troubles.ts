import type { Clock, Log } from '@nacos-kube/core/host/host.ts';

const WARN_EVERY_MS = 60_000;

/** What goes wrong with the dump's disk: all of it is counted, and told once a minute (F14). */
export class DumpTroubles {
  failures = 0;
  damaged = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  failed(message: string, error: unknown, waiting: number): void {
    this.failures += 1;
    this.#warn(message, { error, failures: this.failures, waiting });
  }

  isDamaged(file: string): void {
    this.damaged += 1;
    this.#warn('a damaged file of the dump is not used', { file });
  }

  #warn(message: string, facts: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#warnedMs = nowMs;
    this.#log.warn(message, facts);
  }
}
