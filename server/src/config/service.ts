import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';
import type { Route } from '@nacos-kube/core/http/route.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { FeedSubscription } from '../store/feed-delivery.ts';
import type { Follower } from '../store/follow.ts';
import type { Revision, Store } from '../store/store.ts';
import type { ConfigAccess } from './access.ts';
import { ConfigCache } from './cache.ts';
import { Capacity, type CapacitySettings } from './capacity.ts';
import { CONTENT_CACHE_BYTES_MAX } from './contents.ts';
import { Dump } from './dump.ts';
import { checkDump, loadDump } from './dump-check.ts';
import { ConfigFollower } from './follow.ts';
import { POLL_BOUNDS, type PollBounds } from './long-poll.ts';
import { MetaConfigs } from './meta.ts';
import { NamespaceCounts } from './namespace-counts.ts';
import { type HintedPeers, PeerHints } from './notify.ts';
import { PollDriver } from './poll-driver.ts';
import { Publisher } from './publish.ts';
import { Reader } from './read.ts';
import { configRoutes } from './routes.ts';
import { RowReader } from './rows.ts';
import { VariantRowReader } from './variant-rows.ts';
import type { CachedView } from './view.ts';

export const FULL_DUMP_PERIOD_MS = 6 * 3_600_000;
/** Nodes that started together do not read everything together. */
const FULL_DUMP_JITTER = 0.1;
const FULL_DUMP_RETRY_MS = 300_000;

export interface ConfigSettings {
  readonly dumpDirectory: string;
  /** Who is told that the store has news. */
  readonly peers: HintedPeers;
  readonly contentCacheBytesMax?: number;
  readonly polls?: PollBounds;
  readonly capacity?: CapacitySettings;
}

export interface ConfigService extends Part {
  readonly routes: readonly Route[];
  readonly access: ConfigAccess;
  /** Why what is served may be older than the store; undefined when it is not. */
  staleReason(): string | undefined;
  /** Configurations of a namespace; the empty text is the public one. */
  countIn(namespaceId: string): number;
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
  readonly access: ConfigAccess;
  readonly #host: Host;
  readonly #log: Log;
  readonly #follower: Follower;
  readonly #cache: ConfigCache;
  readonly #counts: NamespaceCounts;
  readonly #rows: RowReader;
  readonly #variantRows: VariantRowReader;
  readonly #capacity: Capacity;
  readonly #dump: Dump;
  readonly #hints: PeerHints;
  readonly #polls: PollDriver;
  readonly #publisher: Publisher;
  readonly #reader: Reader;
  #state: 'empty' | 'dumped' | 'whole' = 'empty';
  #subscription: FeedSubscription | undefined;
  #capacitySubscription: FeedSubscription | undefined;
  #fullDump: Timer | undefined;
  #isChecking = false;
  #checkAgain = false;
  #isStopped = false;

  constructor(host: Host, store: Store, follower: Follower, settings: ConfigSettings) {
    this.#host = host;
    this.#log = host.log.area('config');
    this.#follower = follower;
    this.#cache = new ConfigCache(settings.contentCacheBytesMax ?? CONTENT_CACHE_BYTES_MAX);
    this.#counts = new NamespaceCounts(this.#cache.changes);
    const cache = this.#cache;
    const rows = new RowReader(host, store, cache);
    const variantRows = new VariantRowReader(host, store, cache.variants);
    const meta = new MetaConfigs(this.#log, cache);
    const capacity = new Capacity(this.#log, store, cache, settings.capacity);
    this.#rows = rows;
    this.#variantRows = variantRows;
    this.#capacity = capacity;
    const dump = new Dump(host, settings.dumpDirectory, cache, (view) => this.#contentFromStore(view));
    this.#dump = dump;
    const hints = new PeerHints(host, settings.peers);
    this.#hints = hints;
    const knowsAll = () => this.#state === 'whole';
    const reader = new Reader({ cache, dump, rows, variantRows, knowsAll });
    this.#reader = reader;
    const polls = new PollDriver({
      ...{ host, cache, bounds: settings.polls ?? POLL_BOUNDS },
      changed: (listening, viewer) => reader.changed(listening, viewer),
    });
    this.#polls = polls;
    const publisher = new Publisher({ host, store, cache, rows, variantRows, hints, meta, capacity });
    this.#publisher = publisher;
    this.access = {
      ...{ publisher, capacity },
      listeners: (key) => polls.listeners(key),
      listenersOfIp: (clientIp) => polls.listenersOfIp(clientIp),
      readAllAgain: () => this.#readAgainIn(0),
    };
    this.routes = configRoutes({ publisher, reader, variantRows, polls, meta, log: this.#log });
  }

  /** Waits for the first full read, but not for a store that does not answer. */
  async start(): Promise<void> {
    const readAll = (revision: Revision) => this.#readAll(revision);
    const reader = new ConfigFollower(this.#cache, this.#rows, this.#variantRows, readAll);
    this.#subscription = this.#follower.subscribe(reader);
    this.#capacitySubscription = this.#follower.subscribe(this.#capacity);
    if ((await this.#subscription.attempted) === 'read') return;
    const { wasWhole, configs } = await loadDump(this.#dump, this.#cache, () => this.#isWhole());
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
    this.#capacitySubscription?.end();
    this.#fullDump?.cancel();
    this.#hints.stop();
    await this.#dump.stop();
  }

  countIn(namespaceId: string): number {
    return this.#counts.of(namespaceId);
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      configs: this.#cache.size,
      variants: this.#cache.variants.count,
      contentBytes: this.#cache.contentBytes,
      rowsSkipped: this.#rows.skipped + this.#variantRows.skipped,
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
    await this.#rows.readAll(revision, () => this.#loadDamaged());
    await this.#variantRows.readAll();
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

  /** A row that is damaged in the store is served from this node's copy, which must not go as if the row were gone. */
  async #loadDamaged(): Promise<void> {
    if (this.#isWhole()) return;
    const { configs } = await loadDump(this.#dump, this.#cache, () => false);
    this.#log.warn('rows are damaged in the store: those that the last dump has are served from it', { configs });
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

  async #contentFromStore(view: CachedView): Promise<Uint8Array | undefined> {
    if ('variant' in view) return this.#variantRows.contentOf(view);
    const row = await this.#rows.read(view.key, 0);
    return row?.config.md5 === view.md5 ? row.content : undefined;
  }
}
