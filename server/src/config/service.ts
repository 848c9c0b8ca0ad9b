import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { FeedSubscription } from '../store/feed-delivery.ts';
import type { Follower } from '../store/follow.ts';
import type { Revision, Store } from '../store/store.ts';
import { type CachedConfig, CONTENT_CACHE_BYTES_MAX, ConfigCache } from './cache.ts';
import { Dump } from './dump.ts';
import { checkDump, loadDump } from './dump-check.ts';
import { ConfigFollower } from './follow.ts';
import { POLL_BOUNDS, type PollBounds } from './long-poll.ts';
import { PeerHints } from './notify.ts';
import { PollDriver } from './poll-driver.ts';
import { Publisher } from './publish.ts';
import { Reader } from './read.ts';
import { configRoutes } from './routes.ts';
import { RowReader } from './rows.ts';

export const FULL_DUMP_PERIOD_MS = 6 * 3_600_000;
/** Nodes that started together do not read everything together. */
const FULL_DUMP_JITTER = 0.1;
const FULL_DUMP_RETRY_MS = 300_000;

export interface ConfigSettings {
  readonly dumpDirectory: string;
  /** Tells peers that the store has this revision; failures are nothing to act on. */
  readonly hintPeers: (revision: Revision) => Promise<void> | void;
  readonly contentCacheBytesMax?: number;
  readonly polls?: PollBounds;
}

export interface ConfigService extends Part {
  readonly routes: readonly Route[];
  /** Why what is served may be older than the store; undefined when it is not. */
  staleReason(): string | undefined;
  metrics(): Readonly<Record<string, number>>;
}

export function createConfigService(
  host: Host,
  store: Store,
  follower: Follower,
  settings: ConfigSettings,
): ConfigService {
  return new Service(host, store, follower, settings);
}

/**
 * Puts the parts of configuration together and knows what the cache is worth. States: empty > dumped (this node's
 * last dump, when the store is out of reach at the start, F12) > whole (every row was read); from then on the feed
 * keeps it, and every 6 h all is read and checked again.
 */
class Service implements ConfigService {
  readonly name = 'config';
  readonly routes: readonly Route[];
  readonly #host: Host;
  readonly #log: Log;
  readonly #follower: Follower;
  readonly #cache: ConfigCache;
  readonly #rows: RowReader;
  readonly #dump: Dump;
  readonly #hints: PeerHints;
  readonly #polls: PollDriver;
  readonly #publisher: Publisher;
  readonly #reader: Reader;
  #state: 'empty' | 'dumped' | 'whole' = 'empty';
  #subscription: FeedSubscription | undefined;
  #fullDump: Timer | undefined;
  #isChecking = false;
  #checkAgain = false;
  #isStopped = false;

  constructor(host: Host, store: Store, follower: Follower, settings: ConfigSettings) {
    this.#host = host;
    this.#log = host.log.area('config');
    this.#follower = follower;
    this.#cache = new ConfigCache(settings.contentCacheBytesMax ?? CONTENT_CACHE_BYTES_MAX);
    this.#rows = new RowReader(host, store, this.#cache);
    this.#dump = new Dump(host, settings.dumpDirectory, this.#cache, (config) => this.#contentFromStore(config));
    this.#hints = new PeerHints(host, settings.hintPeers);
    this.#polls = new PollDriver(host, this.#cache, settings.polls ?? POLL_BOUNDS);
    this.#publisher = new Publisher(host, store, this.#cache, this.#rows, this.#hints);
    this.#reader = new Reader(this.#cache, this.#dump, this.#rows, () => this.#state === 'whole');
    this.routes = configRoutes({
      publisher: this.#publisher,
      reader: this.#reader,
      polls: this.#polls,
      log: this.#log,
    });
  }

  /** Waits for the first full read, but not for a store that does not answer. */
  async start(): Promise<void> {
    const reader = new ConfigFollower(this.#cache, this.#rows, (revision) => this.#readAll(revision));
    this.#subscription = this.#follower.subscribe(reader);
    if ((await this.#subscription.attempted) === 'read') return;
    const { wasWhole, configs } = await loadDump(this.#host, this.#dump, this.#cache, () => this.#isWhole());
    if (this.#isWhole()) return;
    if (wasWhole || configs > 0) this.#state = 'dumped';
    this.#log.warn('the store does not answer: serving the last dump until it does', { configs, wasWhole });
  }

  notReadyReason(): string | undefined {
    return this.#state === 'empty' ? 'the store cannot be reached and there is no dump to serve from' : undefined;
  }

  staleReason(): string | undefined {
    switch (this.#state) {
      case 'empty':
        return 'nothing was read from the store yet';
      case 'dumped':
        return 'serving the last dump, the store has not answered since the start';
      case 'whole':
        return this.#follower.staleReason();
    }
  }

  drain(): void {
    this.#polls.drain();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#polls.drain();
    this.#subscription?.end();
    this.#fullDump?.cancel();
    this.#hints.stop();
    await this.#dump.stop();
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      configs: this.#cache.size,
      contentBytes: this.#cache.contentBytes,
      rowsSkipped: this.#rows.skipped,
      stale: this.staleReason() === undefined ? 0 : 1,
      ...this.#polls.metrics(),
      ...this.#dump.metrics(),
      ...this.#publisher.metrics(),
      ...this.#reader.metrics(),
      ...this.#hints.metrics(),
    };
  }

  /** A call, since the state changes behind awaits where a comparison would be taken as settled. */
  #isWhole(): boolean {
    return this.#state === 'whole';
  }

  /** At the start, or behind a gap in the feed; changes wait until it is done. */
  async #readAll(revision: Revision): Promise<void> {
    await this.#rows.readAll(revision, () => this.#dump.room());
    if (this.#state !== 'whole') {
      this.#state = 'whole';
      // Until now what was not known passed for unchanged; now clients can compare.
      this.#polls.release();
      this.#dump.follow(() => this.#check());
    }
    this.#check();
    const periodMs = FULL_DUMP_PERIOD_MS * (1 - FULL_DUMP_JITTER * this.#host.random.float());
    this.#readAgainIn(periodMs);
  }

  #readAgainIn(delayMs: number): void {
    this.#fullDump?.cancel();
    if (this.#isStopped) return;
    this.#fullDump = this.#host.clock.after(delayMs, () => {
      this.#host.background('read all configs again', this.#readAgain());
    });
  }

  /** Beside the feed, which goes on: it finds what the feed cannot tell, such as rows changed by hand. */
  async #readAgain(): Promise<void> {
    try {
      await this.#readAll(this.#subscription?.revision ?? 0);
    } catch (error) {
      this.#log.warn('the regular full read failed, it is repeated', { error, inMs: FULL_DUMP_RETRY_MS });
      this.#readAgainIn(FULL_DUMP_RETRY_MS);
    }
  }

  #check(): void {
    this.#checkAgain = true;
    if (!this.#isChecking) this.#host.background('check the dump', this.#checkDump());
  }

  async #checkDump(): Promise<void> {
    this.#isChecking = true;
    try {
      while (this.#checkAgain) {
        this.#checkAgain = false;
        await checkDump(this.#host, this.#dump, this.#cache);
      }
    } finally {
      this.#isChecking = false;
    }
  }

  async #contentFromStore(config: CachedConfig): Promise<Uint8Array | undefined> {
    const row = await this.#rows.read(config.key, 0);
    return row?.config.md5 === config.md5 ? row.content : undefined;
  }
}
