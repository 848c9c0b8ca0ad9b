import { FORWARD_TIMEOUT_MS } from './forward.ts';

/** After so long a new normal counts: clocks are set. */
export const NORMAL_MS = 30_000;

interface Travel {
  /** The shortest of this period and of the one before it. */
  shortestMs: number;
  beforeMs: number;
  sinceMs: number;
}

/**
 * Which calls of a peer arrive when it has given them up. What a cut link held back is sent again when it heals, and a
 * process that was stopped finds what came meanwhile: an operation carried out then would undo what its client did
 * since. Clocks may differ, so a call is late by how much longer it took than others of that peer seemed to take.
 */
export class Lateness {
  readonly #travels = new Map<string, Travel>();
  /** Calls that were late. */
  count = 0;

  /** To be told of each call, so that the usual is known. `sentMs` by the peer's wall clock, `nowMs` by the own one. */
  isLate(peer: string, sentMs: number, nowMs: number): boolean {
    const tookMs = nowMs - sentMs;
    const travel = this.#travels.get(peer) ?? { shortestMs: tookMs, beforeMs: tookMs, sinceMs: nowMs };
    this.#travels.set(peer, travel);
    if (Math.abs(nowMs - travel.sinceMs) > NORMAL_MS) {
      travel.beforeMs = travel.shortestMs;
      travel.shortestMs = tookMs;
      travel.sinceMs = nowMs;
    }
    travel.shortestMs = Math.min(travel.shortestMs, tookMs);
    const isLate = tookMs - Math.min(travel.shortestMs, travel.beforeMs) > FORWARD_TIMEOUT_MS;
    if (isLate) this.count++;
    return isLate;
  }

  /** Peers that are members no more are forgotten. */
  keep(peers: readonly string[]): void {
    for (const peer of this.#travels.keys()) if (!peers.includes(peer)) this.#travels.delete(peer);
  }
}
