import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5_000;
/** An engine that is away for longer ends the move, which can be gone on with. */
export const PATIENCE_MS = 60_000;

/** Asks an engine again that is away for a moment. */
export class Patience {
  readonly #host: Host;
  readonly #patienceMs: number;

  constructor(host: Host, patienceMs = PATIENCE_MS) {
    this.#host = host;
    this.#patienceMs = patienceMs;
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    const until = this.#host.clock.monotonic() + this.#patienceMs;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(WAIT_MS_MAX, waitMs * 2)) {
      try {
        return await work();
      } catch (error) {
        const isAway = error instanceof StoreError && error.kind === 'unavailable';
        if (!isAway || this.#host.clock.monotonic() >= until) throw error;
        this.#host.log.warn('a store does not answer, trying again', { error });
      }
      await this.#host.clock.sleep(waitMs);
    }
  }
}
