import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store/store.ts';

/** Publications within this time after a hint share the next one. */
export const HINT_PAUSE_MS = 50;

/**
 * Tells peers that the store has news, so that they need not wait for their next look at the feed. A hint may be
 * lost, late or repeated: what it stands for is in the feed (F9).
 */
export class PeerHints {
  readonly #host: Host;
  readonly #hintPeers: (revision: Revision) => Promise<void> | void;
  #untold: Revision | undefined;
  #pause: Timer | undefined;
  #sent = 0;
  #failed = 0;

  constructor(host: Host, hintPeers: (revision: Revision) => Promise<void> | void) {
    this.#host = host;
    this.#hintPeers = hintPeers;
  }

  changed(revision: Revision): void {
    this.#untold = Math.max(this.#untold ?? 0, revision);
    if (this.#pause === undefined) this.#send();
  }

  stop(): void {
    this.#pause?.cancel();
  }

  metrics() {
    return { hintsSent: this.#sent, hintsFailed: this.#failed };
  }

  #send(): void {
    if (this.#untold === undefined) return;
    this.#host.background('hint the peers', this.#tell(this.#untold));
    this.#untold = undefined;
    this.#sent += 1;
    this.#pause = this.#host.clock.after(HINT_PAUSE_MS, () => {
      this.#pause = undefined;
      this.#send();
    });
  }

  async #tell(revision: Revision): Promise<void> {
    try {
      await this.#hintPeers(revision);
    } catch (error) {
      this.#failed += 1;
      this.#host.log.area('config').debug('a hint to the peers failed', { revision, error });
    }
  }
}
