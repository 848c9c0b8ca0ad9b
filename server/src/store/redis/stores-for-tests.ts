import { HISTORY_PER_SEARCH_MAX } from '../bounds.ts';
import { keyOf, md5, writeOf } from '../contract-tools.ts';
import { createTestHost, type TestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createRedisStore } from './redis.ts';
import type { RedisLimits, RedisSettings } from './settings.ts';

const { clock } = createTestHost();

type More = Partial<RedisSettings & RedisLimits>;

/** Stores of one test file, which are stopped together. */
export class TestStores {
  readonly hosts: TestHost[] = [];
  readonly #stores: Store[] = [];
  readonly #writers: TestWriters[] = [];
  #prefixes = 0;

  /** Data of its own on a server that tests share. */
  newPrefix(): string {
    this.#prefixes += 1;
    return `test${this.#prefixes}:`;
  }

  async open(addresses: readonly string[], more: More = {}): Promise<Store & { readonly host: TestHost }> {
    const host = createTestHost();
    const store = createRedisStore(host, { ...SETTINGS, addresses, ...more });
    this.hosts.push(host);
    this.#stores.push(store);
    await store.start();
    return Object.assign(store, { host });
  }

  openOn(
    server: { readonly place: string; readonly password: string | undefined },
    more: More = {},
  ): ReturnType<TestStores['open']> {
    return this.open([server.place], { password: server.password, ...more });
  }

  /** Writers of numbers that go up, each to a configuration of its own. */
  startWriters(store: Store, count: number): TestWriters {
    const writers = new TestWriters(store, count);
    this.#writers.push(writers);
    return writers;
  }

  async stopWriters(): Promise<void> {
    for (const writers of this.#writers) await writers.end();
  }

  async stop(): Promise<void> {
    await this.stopWriters();
    for (const store of this.#stores) await store.stop();
  }

  /** What no outage explains. */
  faults(): readonly string[] {
    return this.hosts.flatMap((host) => host.lines).filter((line) => /background|TypeError|user_script/.test(line));
  }
}

export const SETTINGS: RedisSettings = {
  ...{ mode: 'single', addresses: [], master: 'mymaster', database: 0, prefix: 'nacos-kube:' },
  ...{ user: undefined, password: undefined, tls: undefined, allowsLoss: false },
};

const AFTER_FAILURE_MS = 50;

export class TestWriters {
  readonly #store: Store;
  readonly #acknowledged = new Map<string, number[]>();
  readonly #writing: Promise<void>[];
  #isRunning = true;
  /** Acknowledged writes. */
  total = 0;
  lastFailure: unknown;

  constructor(store: Store, count: number) {
    this.#store = store;
    this.#writing = Array.from({ length: count }, (_, i) => this.#write(`writer.${i}`));
  }

  async end(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#writing);
  }

  /** Of the acknowledged writes those that are neither what stands nor past; also where later ones have hidden that. */
  async lost(store = this.#store): Promise<readonly string[]> {
    const lost: string[] = [];
    for (const [dataId, acknowledged] of this.#acknowledged) {
      const written = new Set([(await store.getConfig(keyOf(dataId)))?.md5]);
      for (let offset = 0, total = 1; offset < total; offset += HISTORY_PER_SEARCH_MAX) {
        const found = await store.searchHistory(keyOf(dataId), offset, HISTORY_PER_SEARCH_MAX);
        for (const { md5 } of found.items) written.add(md5);
        total = found.total;
      }
      for (const n of acknowledged) if (!written.has(md5(`${n}`))) lost.push(`${dataId}: ${n}`);
    }
    return lost;
  }

  async #write(dataId: string): Promise<void> {
    const acknowledged: number[] = [];
    this.#acknowledged.set(dataId, acknowledged);
    for (let n = 0; this.#isRunning; n += 1) {
      try {
        await this.#store.putConfig(writeOf(dataId, `${n}`));
        acknowledged.push(n);
        this.total += 1;
      } catch (error) {
        this.lastFailure = error;
        await clock.sleep(AFTER_FAILURE_MS);
      }
    }
  }
}
