import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { type Store, StoreError } from './store.ts';

const RETRY_MS = 2_000;

/** Opens the store. One that does not answer yet is no reason not to start (F12, F18); one that never will is. */
export class StorePart implements Part {
  readonly name = 'store';
  readonly #host: Host;
  readonly #store: Store;
  #retry: Timer | undefined;
  #isStopped = false;
  #failures = 0;

  constructor(host: Host, store: Store) {
    this.#host = host;
    this.#store = store;
  }

  async start(): Promise<void> {
    try {
      await this.#store.start();
      if (this.#failures > 0) this.#host.log.info('the store is open', { failures: this.#failures });
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'unavailable') throw error;
      if (this.#failures === 0) this.#host.log.warn('the store does not answer, trying again', { error });
      this.#failures++;
      this.#again();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.cancel();
    await this.#store.stop();
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#retry = this.#host.clock.after(RETRY_MS, () => this.#host.background('open the store', this.start()));
  }
}
