import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { AskedTogether } from '../asked-together.ts';
import {
  CHANGES_PER_PAGE_MAX,
  checkConfigQuery,
  checkConfigWrite,
  checkIds,
  checkMoved,
  checkRecordKey,
  checkRecords,
  checkVariantWrite,
  HISTORY_KEPT_DAYS,
  HISTORY_PER_SEARCH_MAX,
  ITEMS_PER_PAGE_MAX,
  isId,
  pageOffset,
  pageSize,
  pageStart,
} from '../bounds.ts';
import { type ConfigHistory, type HistoryEntry, variantText } from '../history.ts';
import { OwnChanges } from '../own-changes.ts';
import {
  type Change,
  type ChangePage,
  CONFIGS_PER_SEARCH_MAX,
  type ConfigQuery,
  type ConfigWrite,
  type ConfigWritten,
  type Found,
  type MovedRow,
  type Operator,
  type Page,
  type RecordKind,
  type Revision,
  type Store,
  type StoredRecord,
  StoreError,
  type VariantWrite,
} from '../store.ts';
import { RedisCalls } from './calls.ts';
import { Keeping } from './keeping.ts';
import { RedisLink } from './link.ts';
import { RedisLocator } from './locate.ts';
import * as reads from './read-scripts.ts';
import * as rows from './rows.ts';
import { configsOf, searchConfigs } from './search.ts';
import { ServerCheck } from './server-check.ts';
import { placeOf, type RedisLimits, type RedisSettings } from './settings.ts';
import { ChangeWatch } from './watch.ts';
import * as writes from './write-scripts.ts';

export function createRedisStore(host: Host, settings: RedisSettings & RedisLimits): Store {
  return new RedisStore(host, settings);
}

/** How soon a fail-over is noticed that left the old master's connections alone. */
const MASTER_EVERY_MS = 1000;
const FORGET_EVERY_MS = 10 * 60 * 1000;
const FORGOTTEN_AT_ONCE = 200;
/** What is beyond them is left to the next time. */
const FORGET_BATCHES_MAX = 2500;
/** So that no page of small rows holds Redis up for more than a few milliseconds. */
const ROWS_PER_STEP_MAX = 250;
/** One script, which holds Redis up for about a millisecond. */
const READS_AT_ONCE = 64;
const DAY_MS = 24 * 60 * 60 * 1000;

/** On Redis with an append-only file: each write is one script, each change an entry of a stream. */
class RedisStore implements Store {
  readonly kind = 'redis';
  readonly readsAtOnce = READS_AT_ONCE;
  readonly #host: Host;
  readonly #settings: RedisSettings & RedisLimits;
  readonly #place: string;
  readonly #locator: RedisLocator;
  readonly #links: readonly RedisLink[];
  readonly #calls: RedisCalls;
  readonly #watch: ChangeWatch;
  readonly #configReads: AskedTogether<ConfigKey, Config | undefined>;
  readonly #own = new OwnChanges(() => this.#hint());
  readonly #hintReaders: (() => void)[] = [];
  #timers: Timer[] = [];
  #isLooking = false;

  constructor(host: Host, settings: RedisSettings & RedisLimits) {
    this.#host = host;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#locator = new RedisLocator(host, settings);
    const check = new ServerCheck(host, settings);
    const link = (isTelling: boolean) => new RedisLink(host, settings, this.#locator, check, isTelling);
    const [forReads, forWrites, forHints] = [link(false), link(true), link(false)];
    this.#links = [forReads, forWrites, forHints];
    const keeping = new Keeping(host, settings, check, this.#locator);
    this.#calls = new RedisCalls(host, settings, forReads, forWrites, keeping);
    forWrites.onReady(async ({ address }) => this.#leaveOthers(`${address.host}:${address.port}`));
    this.#configReads = new AskedTogether<ConfigKey, Config | undefined>(READS_AT_ONCE, (keys) =>
      this.#readConfigs(keys),
    );
    this.#watch = new ChangeWatch(host, forHints, this.#calls, () => this.#hint());
  }

  async start(): Promise<void> {
    const [forReads, forWrites] = this.#links as [RedisLink, RedisLink];
    forWrites.open();
    forReads.open();
    try {
      await this.#calls.join();
    } catch (error) {
      forReads.close();
      forWrites.close();
      this.#locator.close();
      throw error;
    }
    const { clock } = this.#host;
    const every = (periodMs: number, what: string, work: () => Promise<void>) =>
      clock.every(periodMs, () => this.#host.background(what, work()));
    this.#timers = [
      every(this.#settings.forgetEveryMs ?? FORGET_EVERY_MS, 'redis history', () => this.#forgetHistory()),
    ];
    if (this.#settings.mode === 'sentinel') {
      this.#timers.push(every(MASTER_EVERY_MS, 'redis master', () => this.#lookForMaster()));
    }
    if (this.#hintReaders.length > 0) this.#watch.start();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#watch.stop();
    for (const link of this.#links) link.close();
    this.#locator.close();
  }

  async putConfig(write: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(write);
    const { namespaceId, content, md5, by, appName, tags, expectedMd5 } = write;
    this.#own.began();
    try {
      const revision = await this.#calls.write<Revision>(writes.PUT_CONFIG, [
        ...[rows.nameOf(write), namespaceId, content, md5, rows.configFacts(write), JSON.stringify(by)],
        ...[given(appName), given(tags && JSON.stringify([...new Set(tags)])), given(expectedMd5)],
      ]);
      if (revision === 0) return { outcome: 'conflict' };
      this.#own.note(revision, write);
      return { outcome: 'written', revision };
    } finally {
      this.#own.ended();
    }
  }

  async removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    const args = [rows.nameOf(key), JSON.stringify(by)];
    return (await this.#calls.write<Revision>(writes.REMOVE_CONFIG, args)) !== 0;
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#configReads.get(key);
  }

  scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    return this.#scan(['configs', 'c', 't'], limit, after, rows.readConfig);
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#calls.read(reads.COUNT_CONFIGS, [namespaceId]);
  }

  async searchConfigs(query: ConfigQuery): Promise<Found<Config>> {
    checkConfigQuery(query);
    const offset = pageOffset(query.offset);
    const limit = pageSize(query.limit, CONFIGS_PER_SEARCH_MAX);
    return searchConfigs(this.#host.clock, this.#calls, { ...query, offset, limit }, this.#readOrReport);
  }

  async getConfigs(ids: readonly string[]): Promise<readonly Config[]> {
    return configsOf(this.#calls, inOrder(checkIds(ids)), this.#readOrReport);
  }

  async removeConfigs(ids: readonly string[], by: Operator): Promise<number> {
    return this.#calls.write(writes.REMOVE_CONFIGS, [JSON.stringify(by), ...inOrder(checkIds(ids))]);
  }

  async putVariant(write: VariantWrite): Promise<Revision> {
    checkVariantWrite(write);
    const { namespaceId, content, md5, variant, appName } = write;
    return this.#calls.write(writes.PUT_VARIANT, [
      ...[rows.nameOf(write), namespaceId, content, md5, rows.variantFacts(write), variantText(variant)],
      given(appName),
    ]);
  }

  async removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean> {
    const args = [rows.nameOf(key), variantText(variant)];
    return (await this.#calls.write<Revision>(writes.REMOVE_VARIANT, args)) !== 0;
  }

  async getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]> {
    const variants: ConfigVariant[] = [];
    for (let after = '0'; after !== ''; ) {
      const args = [rows.nameOf(key), after];
      const [last, ...page] = await this.#calls.read<[string, ...rows.Row[]]>(reads.GET_VARIANTS, args);
      for (const row of page) variants.push(this.#sound(() => rows.readVariant(row)));
      after = last;
    }
    return variants;
  }

  scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>> {
    return this.#scan(['variants', 'v', 'w'], limit, after, rows.readVariant);
  }

  async searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>> {
    const args = [rows.nameOf(key), pageOffset(offset), pageSize(limit, HISTORY_PER_SEARCH_MAX)];
    const [total, ...past] = await this.#calls.read<[number, ...rows.PastFields[]]>(reads.SEARCH_HISTORY, args);
    const entries = past.map((fields) => this.#readOrReport(() => rows.readHistoryEntry(fields)));
    return { items: entries.filter((entry) => entry !== undefined), total };
  }

  async getHistory(nid: string): Promise<ConfigHistory | undefined> {
    return isId(nid) ? this.#pastWrite([nid, '']) : undefined;
  }

  async previousHistory(configId: string): Promise<ConfigHistory | undefined> {
    return isId(configId) ? this.#pastWrite(['', configId]) : undefined;
  }

  async scanHistory(limit: number, after?: string): Promise<Page<ConfigHistory>> {
    const args = [pageStart(after), pageSize(limit, ROWS_PER_STEP_MAX)];
    return this.#pageOf(await this.#calls.read<[string, ...rows.Row[]]>(reads.SCAN_HISTORY, args), rows.readHistory);
  }

  async putMoved(moved: readonly MovedRow[]): Promise<void> {
    checkMoved(moved);
    for (const some of rows.movedInSteps(moved)) {
      await this.#calls.write(writes.PUT_MOVED, some);
    }
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(records: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(records);
    if (records.length === 0) return this.revision();
    const args = records.flatMap((record) => [record.kind, record.key, rows.storedRecord(record)]);
    return this.#calls.write(writes.PUT_RECORDS, args);
  }

  async removeRecord(kind: RecordKind, key: string): Promise<boolean> {
    checkRecordKey(key);
    return (await this.#calls.write<Revision>(writes.REMOVE_RECORD, [kind, key])) !== 0;
  }

  async getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
    const stored = await this.#calls.read<string | null>(reads.GET_RECORD, [kind, key]);
    return stored === null ? undefined : this.#sound(() => rows.readRecord(kind, key, stored));
  }

  async scanRecords(kind: RecordKind, limit: number, after = ''): Promise<Page<StoredRecord>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const [last, ...found] = await this.#calls.read<string[]>(reads.SCAN_RECORDS, [kind, after, size]);
    const items: StoredRecord[] = [];
    const damaged: string[] = [];
    for (let i = 0; i < found.length; i += 2) {
      const record = this.#readOrReport(() => rows.readRecord(kind, found[i]!, found[i + 1]!), damaged);
      if (record !== undefined) items.push(record);
    }
    return { items, next: last === '' ? undefined : last, ...(damaged.length > 0 && { damaged }) };
  }

  async revision(): Promise<Revision> {
    return Number(await this.#calls.read<string>(reads.REVISION, []));
  }

  /**
   * A revision that was ever told has its entry in the stream. One without it was trimmed, or was lost by a server that
   * failed: those after a loss begin beyond all that can have been told before.
   */
  async changes(from: Revision, limit: number): Promise<ChangePage> {
    const size = pageSize(limit, CHANGES_PER_PAGE_MAX);
    if (!Number.isSafeInteger(from) || from < 0) return { gap: true, upTo: await this.revision() };
    const page = await this.#own.page(from, size, (behind, most) => this.#readChanges(behind, most));
    this.#watch.reached(page.upTo);
    return page;
  }

  async #readChanges(from: Revision, limit: number): Promise<ChangePage> {
    const changes: Change[] = [];
    for (let upTo = from; ; ) {
      const wanted = limit - changes.length;
      const args = [String(upTo), wanted + 1];
      const [revision, entries] = await this.#calls.read<[string, rows.ChangeEntry[]]>(reads.CHANGES, args);
      const newest = Number(revision);
      const [first, ...later] = entries;
      if (first === undefined ? upTo !== newest : rows.revisionOf(first[0]) !== upTo)
        return { gap: true, upTo: newest };
      for (const entry of later) {
        const change = rows.readChange(entry);
        if (change !== undefined) changes.push(change);
      }
      if (later.length > 0) upTo = rows.revisionOf(later.at(-1)![0]);
      if (changes.length === limit || later.length < wanted) return { gap: false, changes, upTo };
    }
  }

  #hint(): void {
    for (const run of this.#hintReaders) run();
  }

  onHint(run: () => void): void {
    this.#hintReaders.push(run);
    if (this.#timers.length > 0) this.#watch.start();
  }

  async #scan<T>(
    names: readonly [index: string, kind: string, contents: string],
    limit: number,
    after: string | undefined,
    read: (row: rows.Row) => T,
  ): Promise<Page<T>> {
    const args = [...names, pageStart(after), pageSize(limit, ROWS_PER_STEP_MAX)];
    return this.#pageOf(await this.#calls.read<[string, ...rows.Row[]]>(reads.SCAN, args), read);
  }

  #pageOf<T>([last, ...found]: readonly [string, ...rows.Row[]], read: (row: rows.Row) => T): Page<T> {
    const damaged: string[] = [];
    const items = found.map((row) => this.#readOrReport(() => read(row), damaged)).filter((item) => item !== undefined);
    return { items, next: last === '' ? undefined : last, ...(damaged.length > 0 && { damaged }) };
  }

  async #pastWrite(args: readonly string[]): Promise<ConfigHistory | undefined> {
    const past = await this.#calls.read<[rows.PastFields, string | null] | null>(reads.GET_HISTORY, args);
    return past === null ? undefined : this.#sound(() => rows.readHistory(past));
  }

  async #readConfigs(keys: readonly ConfigKey[]): Promise<readonly (Config | undefined | Error)[]> {
    const found = await this.#calls.read<(rows.Row | null)[]>(reads.GET_CONFIGS, keys.map(rows.nameOf));
    return found.map((row) => {
      try {
        return row === null ? undefined : this.#sound(() => rows.readConfig(row));
      } catch (error) {
        return error as Error;
      }
    });
  }

  #sound<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof rows.DamagedRowError || cause instanceof SyntaxError)) throw cause;
      throw new StoreError('damaged', `${this.#place}: ${cause.message}`, { cause });
    }
  }

  readonly #readOrReport = <T>(read: () => T, damaged?: string[]): T | undefined => {
    try {
      return this.#sound(read);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const what = (error.cause as Error).message;
      damaged?.push(what);
      this.#host.log.error('a damaged row is left out', { place: this.#place, what });
      return undefined;
    }
  };

  async #lookForMaster(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const { host, port } = await this.#locator.find();
      this.#leaveOthers(`${host}:${port}`);
    } catch {
      // Without Sentinels the master is the one that is known.
    } finally {
      this.#isLooking = false;
    }
  }

  #leaveOthers(master: string): void {
    for (const link of this.#links) {
      if (link.address === undefined || link.address === master) continue;
      this.#host.log.info('another Redis is the master now', { master, before: link.address });
      link.drop();
    }
  }

  /** Every node does it: what one has removed, the others do not find. */
  async #forgetHistory(): Promise<void> {
    const keptMs = (this.#settings.historyKeptDays ?? HISTORY_KEPT_DAYS) * DAY_MS;
    try {
      for (let batch = 0; batch < FORGET_BATCHES_MAX; batch += 1) {
        const forgotten = await this.#calls.write<number>(writes.FORGET, [keptMs, FORGOTTEN_AT_ONCE]);
        if (forgotten < FORGOTTEN_AT_ONCE) return;
      }
    } catch (error) {
      if (this.#timers.length === 0) return; // Stopped meanwhile, which is no fault.
      this.#host.log.warn('past writes that are old could not be removed, trying again later', { error });
    }
  }
}

/** Of a value that may be left out: `=` and the value, or nothing. */
function given(value: string | undefined): string {
  return value === undefined ? '' : `=${value}`;
}

function inOrder(ids: readonly string[]): readonly string[] {
  return [...ids].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}
