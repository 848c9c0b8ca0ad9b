import type { PushDriver } from '../push/driver.ts';

/** Of the packets that nobody has acknowledged yet, as many are shown. */
export const PACKETS_SHOWN_MAX = 100;

/** How pushes fare, counted since somebody last asked to start anew; the metrics go on counting. */
export class PushState {
  readonly #push: PushDriver;
  #sentBefore = 0;
  #failedBefore = 0;

  constructor(push: PushDriver) {
    this.#push = push;
  }

  describe({ detail, reset }: { readonly detail: boolean; readonly reset: boolean }) {
    const { counts, awaitingCount } = this.#push.hub;
    const total = counts.sent - this.#sentBefore;
    // What was sent before a new start and is lost after it is no failure of what was sent since.
    const failed = Math.min(total, counts.failed - this.#failedBefore + awaitingCount);
    const succeed = total - failed;
    const described = {
      ...{ succeed, total, ratio: total === 0 ? 0 : Math.fround(succeed / total) },
      ...(detail && { data: this.#packets() }),
      reset,
    };
    if (reset) {
      this.#sentBefore = counts.sent;
      this.#failedBefore = counts.failed;
    }
    return described;
  }

  #packets(): string[] {
    const awaited = this.#push.unacknowledged(PACKETS_SHOWN_MAX);
    return awaited.map(({ data, sequence }) => JSON.stringify({ type: 'dom', data, lastRefTime: sequence }));
  }
}
