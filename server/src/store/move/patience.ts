import type { Host } from '@nacos-kube/core/host/host.ts';
import { StoreError } from '../store.ts';
import { MoveStoppedError } from './move-error.ts';

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5_000;
/** So soon who waits is heard when it is told to stop. */
const STOP_LOOK_MS = 250;
/** An engine that is away for longer ends the move, which can be gone on with. */
export const PATIENCE_MS = 60_000;

/** Asks an engine again that is away for a moment. */
export class Patience {
  readonly #host: Host;
  readonly #patienceMs: number;
  readonly #isStopped: () => boolean;

  constructor(host: Host, patienceMs = PATIENCE_MS, isStopped = () => false) {
    this.#host = host;
    this.#patienceMs = patienceMs;
    this.#isStopped = isStopped;
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    const until = this.#host.clock.monotonic() + this.#patienceMs;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(WAIT_MS_MAX, waitMs * 2)) {
      try {
        return await work();
      } catch (error) {
        const isAway = error instanceof StoreError && error.kind === 'unavailable';
        const leftMs = until - this.#host.clock.monotonic();
        if (!isAway || leftMs <= 0) throw error;
        if (!this.#isStopped()) {
          this.#host.log.warn('a store does not answer, trying again', { leftMs: Math.round(leftMs), error });
        }
      }
      for (let leftMs = waitMs; leftMs > 0; leftMs -= STOP_LOOK_MS) {
        if (this.#isStopped())
          throw new MoveStoppedError('stopped: a store did not answer; the same command may be given again');
        await this.#host.clock.sleep(Math.min(leftMs, STOP_LOOK_MS));
      }
    }
  }
}
