import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { FeedDelivery, type FeedReader, type FeedSubscription } from './feed-delivery.ts';
import type { ChangePage, Revision, Store } from './store.ts';

export const FOLLOW_PERIOD_MS = 2000;
export const FOLLOW_PAGE_CHANGES = 500;
/** How long after a failure the store is asked again, doubled each time. */
const OUTAGE_WAIT_MS = 500;
const OUTAGE_WAIT_MS_MAX = 5000;
/** A revision that a peer names may not be readable at once; it is asked for this often, this long. */
const HINT_RETRY_MS = 100;
const HINT_RETRIES_MAX = 20;
export const STALE_AFTER_MS = 10_000;

export interface FollowerSettings {
  /** For tests that show what polling is for; a follower that never polls misses what no hint tells. */
  readonly periodMs?: number;
}

export interface FollowerMetrics {
  readonly revision: Revision;
  /** Revisions known to exist that a reader of this process has not applied yet. */
  readonly behind: number;
  /** How long ago the feed was last read to its end; undefined before the first time. */
  readonly quietForMs: number | undefined;
  readonly failures: number;
  readonly gaps: number;
}

/**
 * The one reader of the store's feed in this process (F9): from the revision it has, on a hint, else every 2 s.
 * Readers of single kinds subscribe; each has its own place and its own retries, so one that fails holds up no other.
 *
 * States: unplaced (no revision yet) > placed. A failed read changes neither; it is repeated, ever more slowly. A gap
 * moves the place to the end of the feed and has every reader read everything anew.
 */
export class Follower implements Part {
  readonly name = 'feed';
  readonly #host: Host;
  readonly #log: Log;
  readonly #store: Store;
  readonly #periodMs: number;
  readonly #deliveries = new Set<FeedDelivery>();
  #position: Revision | undefined;
  #hinted: Revision = 0;
  #hintRetries = 0;
  #isReading = false;
  #lookAgain = false;
  #failuresInRow = 0;
  #failures = 0;
  #gaps = 0;
  #lastEndMs: number | undefined;
  #notBeforeMs = 0;
  #isRunning = false;
  #poll: Timer | undefined;
  #soon: Timer | undefined;

  constructor(host: Host, store: Store, settings: FollowerSettings = {}) {
    this.#host = host;
    this.#log = host.log.area('feed');
    this.#store = store;
    this.#periodMs = settings.periodMs ?? FOLLOW_PERIOD_MS;
    store.onHint(() => this.#look());
  }

  /** Never waits for the store: a node starts without it (F18). */
  start(): void {
    this.#isRunning = true;
    this.#poll = this.#host.clock.every(this.#periodMs, () => this.#look());
    this.#look();
  }

  stop(): void {
    this.#isRunning = false;
    this.#poll?.cancel();
    this.#soon?.cancel();
    for (const delivery of this.#deliveries) delivery.end();
    this.#deliveries.clear();
  }

  /**
   * Has the reader told of everything, in the order of the feed: first by a `reread`, then by changes from there on.
   * A change may be told more than once.
   */
  subscribe(reader: FeedReader): FeedSubscription {
    const delivery = new FeedDelivery(this.#host, this.#log, reader, () => this.#deliveries.delete(delivery));
    this.#deliveries.add(delivery);
    if (this.#position !== undefined) delivery.rereadFrom(this.#position);
    else if (this.#failuresInRow > 0) delivery.storeFailed();
    return delivery;
  }

  /** Word from a peer that the store has this revision; without one: that something may have changed. */
  hinted(revision?: Revision): void {
    if (revision !== undefined) {
      if (this.#position !== undefined && revision <= this.#position) return;
      this.#hinted = Math.max(this.#hinted, revision);
      this.#hintRetries = HINT_RETRIES_MAX;
    }
    this.#look();
  }

  /** Why what the readers have may be older than the store; undefined when the feed is being read. */
  staleReason(): string | undefined {
    const quietMs = this.#quietForMs();
    if (quietMs === undefined) return 'the store has not answered yet';
    return quietMs < STALE_AFTER_MS ? undefined : `the store has not answered for ${Math.round(quietMs / 1000)} s`;
  }

  metrics(): FollowerMetrics {
    const revision = this.#position ?? 0;
    const applied = [...this.#deliveries].map((delivery) => delivery.revision ?? 0);
    return {
      revision,
      behind: Math.max(this.#hinted, revision) - Math.min(revision, ...applied),
      quietForMs: this.#quietForMs(),
      failures: this.#failures,
      gaps: this.#gaps,
    };
  }

  #quietForMs(): number | undefined {
    return this.#lastEndMs === undefined ? undefined : this.#host.clock.monotonic() - this.#lastEndMs;
  }

  #look(): void {
    if (!this.#isRunning) return;
    if (this.#isReading) {
      this.#lookAgain = true;
      return;
    }
    // While the store is out, hints and polls must not make the waits between attempts shorter.
    if (this.#host.clock.monotonic() < this.#notBeforeMs) return;
    this.#isReading = true;
    this.#host.background('read the feed', this.#readToEnd());
  }

  async #readToEnd(): Promise<void> {
    try {
      let isMore = true;
      while (this.#isRunning && (isMore || this.#lookAgain)) {
        this.#lookAgain = false;
        isMore = await this.#readPage();
      }
      if (this.#failuresInRow > 0) this.#log.info('the store answers again', { failures: this.#failuresInRow });
      this.#failuresInRow = 0;
      this.#lastEndMs = this.#host.clock.monotonic();
      this.#retryHint();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isReading = false;
    }
  }

  /** True when there may be more. */
  async #readPage(): Promise<boolean> {
    if (this.#position === undefined) {
      this.#position = await this.#store.revision();
      this.#rereadAll(this.#position);
      return true;
    }
    const from = this.#position;
    const page = await this.#store.changes(from, FOLLOW_PAGE_CHANGES);
    if (!this.#isRunning) return false;
    this.#position = page.upTo;
    if (page.gap || page.upTo < from) {
      this.#gaps += 1;
      this.#log.warn('the feed has a gap: reading everything again', { from, upTo: page.upTo });
      // Also when revisions went back, as after a restored database: what a hint said before means nothing now.
      this.#hinted = 0;
      this.#rereadAll(page.upTo);
      return true;
    }
    this.#deliver(page);
    return page.changes.length >= FOLLOW_PAGE_CHANGES;
  }

  #deliver(page: Extract<ChangePage, { gap: false }>): void {
    for (const delivery of this.#deliveries) delivery.take(page.changes, page.upTo);
  }

  #rereadAll(revision: Revision): void {
    for (const delivery of this.#deliveries) delivery.rereadFrom(revision);
  }

  #retryHint(): void {
    if (this.#hinted <= (this.#position ?? 0)) return;
    if (this.#hintRetries === 0) this.#hinted = 0;
    else {
      this.#hintRetries -= 1;
      this.#lookIn(HINT_RETRY_MS);
    }
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    this.#failuresInRow += 1;
    const doubled = OUTAGE_WAIT_MS * 2 ** Math.min(this.#failuresInRow - 1, 10);
    const waitMs = Math.round(Math.min(doubled, OUTAGE_WAIT_MS_MAX) * (0.75 + this.#host.random.float() / 4));
    this.#notBeforeMs = this.#host.clock.monotonic() + waitMs;
    if (this.#failuresInRow === 1) this.#log.warn('the feed cannot be read, trying again', { error });
    if (this.#position === undefined) for (const delivery of this.#deliveries) delivery.storeFailed();
    this.#lookIn(waitMs);
  }

  #lookIn(delayMs: number): void {
    this.#soon?.cancel();
    if (!this.#isRunning) return;
    this.#soon = this.#host.clock.after(delayMs, () => {
      this.#notBeforeMs = 0;
      this.#look();
    });
  }
}
