import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';

/** Whoever spreads traffic by readiness needs a moment to see that there is none. */
export const LINGER_LEAST_MS = 1_000;

export interface FarewellDeeds {
  readonly answerHeld: () => void;
  /** Moves callers away; resolves when they are gone, or after this time. */
  readonly retire: (lingerMs: number) => Promise<void>;
}

/**
 * The first turn of a drain: clients move to other members while this one still is a whole member, so that nobody is
 * answered by one that is told nothing any more. Started before members and Distro, which say goodbye after it.
 */
export class Farewell implements Part {
  readonly name = 'farewell';
  readonly #host: Host;
  readonly #deeds: FarewellDeeds;
  /** How long clients are given; set before the drain, none where all ends at once. */
  lingerMs = 0;

  constructor(host: Host, deeds: FarewellDeeds) {
    this.#host = host;
    this.#deeds = deeds;
  }

  async drain(): Promise<void> {
    const { lingerMs } = this;
    const retired = this.#deeds.retire(lingerMs);
    this.#deeds.answerHeld();
    await Promise.all([retired, lingerMs === 0 ? undefined : this.#host.clock.sleep(LINGER_LEAST_MS)]);
  }
}
