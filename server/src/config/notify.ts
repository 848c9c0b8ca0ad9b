import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store/store.ts';

/** Publications within this time after a hint share the next one. */
export const HINT_PAUSE_MS = 50;
/** A peer that cannot be told, or is not well, is tried again after this long times the square of the attempts. */
export const HINT_RETRY_MS = 500;
/** Then it is left to find out by itself, which it does all the time. */
export const HINT_ATTEMPTS_MAX = 6;

/** The other members, as far as hints go. */
export interface HintedPeers {
  listed(): readonly string[];
  isHealthy(peer: string): boolean;
  /** Rejects when the peer did not take it. */
  hint(peer: string, revision: Revision): Promise<void>;
}

export const NO_PEERS: HintedPeers = { listed: () => [], isHealthy: () => false, hint: async () => {} };

/** What one peer has not been told; any number of revisions are one hint. */
interface Untold {
  revision: Revision;
  attempts: number;
}

/**
 * Tells peers that the store has news, so that they need not wait for their next look at the feed. A hint may be
 * lost, late or repeated: what it stands for is in the feed (F9). Each is traced in the log of `notify`, and counted:
 * ok, error, delayed (the peer is not well now) or given up.
 *
 * For each peer: idle > sending > resting (`HINT_PAUSE_MS`) > idle, or after a failure waiting, ever longer.
 */
export class PeerHints {
  readonly #host: Host;
  readonly #log: Log;
  readonly #peers: HintedPeers;
  readonly #untold = new Map<string, Untold>();
  /** Peers that are being told, rest or wait. */
  readonly #timers = new Map<string, Timer | 'sending'>();
  readonly #failing = new Set<string>();
  #isStopped = false;
  #sent = 0;
  #failed = 0;
  #delayed = 0;
  #givenUp = 0;

  constructor(host: Host, peers: HintedPeers) {
    this.#host = host;
    this.#log = host.log.area('notify');
    this.#peers = peers;
  }

  changed(revision: Revision): void {
    const listed = this.#peers.listed();
    for (const peer of this.#untold.keys()) if (!listed.includes(peer)) this.#untold.delete(peer);
    for (const peer of this.#failing) if (!listed.includes(peer)) this.#failing.delete(peer);
    for (const peer of listed) {
      const untold = this.#untold.get(peer);
      if (untold === undefined) this.#untold.set(peer, { revision, attempts: 0 });
      else untold.revision = Math.max(untold.revision, revision);
      if (!this.#timers.has(peer)) this.#tell(peer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) if (timer !== 'sending') timer.cancel();
    this.#timers.clear();
    this.#untold.clear();
  }

  metrics() {
    return {
      hintsSent: this.#sent,
      hintsFailed: this.#failed,
      hintsDelayed: this.#delayed,
      hintsGivenUp: this.#givenUp,
      hintsWaiting: this.#untold.size,
    };
  }

  #tell(peer: string): void {
    const untold = this.#untold.get(peer);
    if (untold === undefined || this.#isStopped) return;
    if (!this.#peers.listed().includes(peer)) {
      this.#untold.delete(peer);
      return;
    }
    if (!this.#peers.isHealthy(peer)) {
      this.#delayed += 1;
      this.#log.debug('notify delayed', { peer, revision: untold.revision, attempt: untold.attempts + 1 });
      this.#again(peer, untold);
      return;
    }
    this.#untold.delete(peer);
    this.#timers.set(peer, 'sending');
    this.#host.background('hint a peer', this.#send(peer, untold));
  }

  async #send(peer: string, told: Untold): Promise<void> {
    const { revision } = told;
    const startMs = this.#host.clock.monotonic();
    const tookMs = () => Math.round(this.#host.clock.monotonic() - startMs);
    this.#sent += 1;
    try {
      await this.#peers.hint(peer, revision);
      this.#failing.delete(peer);
      this.#log.debug('notify ok', { peer, revision, tookMs: tookMs() });
      this.#in(peer, HINT_PAUSE_MS);
    } catch (error) {
      this.#failed += 1;
      // Once per outage: the attempts after it say the same.
      const level = this.#failing.has(peer) ? 'debug' : 'info';
      this.#failing.add(peer);
      this.#log[level]('notify error', { peer, revision, tookMs: tookMs(), error });
      // What came meanwhile goes with it.
      const newer = this.#untold.get(peer)?.revision ?? 0;
      this.#again(peer, { revision: Math.max(revision, newer), attempts: told.attempts });
    }
  }

  #again(peer: string, { revision, attempts }: Untold): void {
    if (attempts + 1 >= HINT_ATTEMPTS_MAX) {
      this.#givenUp += 1;
      this.#log.debug('notify given up, the peer finds it in the feed', { peer, revision });
      this.#untold.delete(peer);
      this.#timers.delete(peer);
      return;
    }
    this.#untold.set(peer, { revision, attempts: attempts + 1 });
    this.#in(peer, HINT_RETRY_MS * (attempts + 1) ** 2);
  }

  #in(peer: string, delayMs: number): void {
    if (this.#isStopped) return;
    const timer = this.#host.clock.after(delayMs, () => {
      this.#timers.delete(peer);
      this.#tell(peer);
    });
    this.#timers.set(peer, timer);
  }
}
