import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { AskedTogether } from './asked-together.ts';
import {
  CHANGES_KEPT,
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
} from './bounds.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';
import { HOLD_MS, MysqlFeed } from './mysql-feed.ts';
import { MysqlForeign } from './mysql-foreign.ts';
import { MysqlGroups } from './mysql-group.ts';
import * as moved from './mysql-moved.ts';
import { MysqlPool } from './mysql-pool.ts';
import * as read from './mysql-read.ts';
import * as records from './mysql-records.ts';
import { makeSchema, schemaWarning } from './mysql-schema.ts';
import * as search from './mysql-search.ts';
import type { MysqlSession } from './mysql-session.ts';
import { type MysqlSettings, readParameters } from './mysql-settings.ts';
import * as variants from './mysql-variants.ts';
import * as write from './mysql-write.ts';
import {
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
} from './store.ts';

export function createMysqlStore(host: Host, settings: MysqlSettings): Store {
  return new MysqlStore(host, settings);
}

const LOOK_EVERY_MS = 2000;
/** Read together they are three statements of one connection. */
const READS_AT_ONCE = 64;
/** A change that cannot be told yet is looked for again after so long. */
const WAIT_MS = 20;
const WAITS_MAX = HOLD_MS / WAIT_MS + 5;
const FORGET_EVERY_MS = 10 * 60 * 1000;
const HISTORY_FORGOTTEN_AT_ONCE = 1000;
/** What is beyond them is left to the next time. */
const HISTORY_BATCHES_MAX = 500;
const HISTORY_LOCK = `CONCAT(DATABASE(), '.nk_history')`;

/** On the schema of Nacos 1.4, shared with whoever else uses it; what is ours alone is in tables `nk_*`. */
class MysqlStore implements Store {
  readonly kind = 'mysql';
  readonly readsAtOnce = READS_AT_ONCE;
  readonly #host: Host;
  readonly #settings: MysqlSettings;
  readonly #pool: MysqlPool;
  readonly #groups: MysqlGroups;
  readonly #feed: MysqlFeed;
  readonly #foreign: MysqlForeign;
  readonly #configReads: AskedTogether<ConfigKey, Config | undefined>;
  readonly #hintReaders: (() => void)[] = [];
  #timers: Timer[] = [];
  #hinting: Timer | undefined;
  #isLooking = false;
  #failuresInRow = 0;

  constructor(host: Host, settings: MysqlSettings) {
    readParameters(settings.parameters);
    this.#host = host;
    this.#settings = settings;
    this.#pool = new MysqlPool(host, settings);
    this.#groups = new MysqlGroups(host, this.#pool);
    this.#feed = new MysqlFeed(host.clock);
    this.#foreign = new MysqlForeign(host.clock, (what) => this.#report([what]));
    this.#configReads = new AskedTogether<ConfigKey, Config | undefined>(READS_AT_ONCE, (keys) =>
      this.#pool.read((session) => read.getSoundConfigs(session, keys)),
    );
  }

  async start(): Promise<void> {
    this.#pool.open();
    try {
      const warning = await this.#pool.read(async (session) => {
        await makeSchema(session, this.#pool.place);
        return schemaWarning(session);
      });
      if (warning !== undefined) this.#host.log.warn(warning, { place: this.#pool.place });
    } catch (error) {
      this.#pool.close();
      throw error;
    }
    const { clock } = this.#host;
    this.#timers = [
      clock.every(this.#settings.lookEveryMs ?? LOOK_EVERY_MS, () => this.#host.background('mysql look', this.#look())),
      clock.every(this.#settings.forgetEveryMs ?? FORGET_EVERY_MS, () =>
        this.#host.background('mysql history', this.#forgetHistory()),
      ),
    ];
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) timer.cancel();
    this.#hinting?.cancel();
    this.#pool.close();
  }

  transactions(): number {
    return this.#pool.transactions;
  }

  async putConfig(config: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(config);
    refusePadded(config);
    return this.#groups.put(config);
  }

  async removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    if (isPadded(key)) return false;
    return this.#pool.transact((session) => write.removeConfig(session, key, by));
  }

  async getConfig(key: ConfigKey): Promise<Config | undefined> {
    return isPadded(key) ? undefined : this.#configReads.get(key);
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    if (after !== undefined && !isId(after)) throw new StoreError('invalid', `no page starts after ${after}`);
    return this.#scan((session) => read.scanConfigs(session, size, after ?? '0'));
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#pool.read((session) => read.countConfigs(session, namespaceId));
  }

  async searchConfigs(query: ConfigQuery): Promise<Found<Config>> {
    checkConfigQuery(query);
    const offset = pageOffset(query.offset);
    const limit = pageSize(query.limit, CONFIGS_PER_SEARCH_MAX);
    const found = await this.#pool.read((session) => search.searchConfigs(session, { ...query, offset, limit }));
    this.#report(found.damaged);
    return { items: found.items, total: found.total };
  }

  async getConfigs(ids: readonly string[]): Promise<readonly Config[]> {
    const checked = checkIds(ids);
    const { items, damaged } = await this.#pool.read((session) => search.getConfigs(session, checked));
    this.#report(damaged);
    return items;
  }

  async removeConfigs(ids: readonly string[], by: Operator): Promise<number> {
    const checked = checkIds(ids);
    return this.#pool.transact((session) => write.removeConfigs(session, checked, by));
  }

  async putVariant(variant: VariantWrite): Promise<Revision> {
    checkVariantWrite(variant);
    refusePadded(variant, variant.variant);
    return this.#pool.transact((session) => variants.putVariant(session, variant));
  }

  async removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean> {
    if (isPadded(key, variant)) return false;
    return this.#pool.transact((session) => variants.removeVariant(session, key, variant));
  }

  async getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]> {
    if (isPadded(key)) return [];
    return this.#pool.read((session) => variants.getVariants(session, key));
  }

  async scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    return this.#scan((session) => variants.scanVariants(session, size, after ?? 'beta:0'));
  }

  async searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>> {
    const start = pageOffset(offset);
    const size = pageSize(limit, HISTORY_PER_SEARCH_MAX);
    if (isPadded(key)) return { items: [], total: 0 };
    const found = await this.#pool.read((session) => search.searchHistory(session, key, start, size));
    this.#report(found.damaged);
    return { items: found.items, total: found.total };
  }

  async getHistory(nid: string): Promise<ConfigHistory | undefined> {
    return isId(nid) ? this.#pool.read((session) => search.getHistory(session, nid)) : undefined;
  }

  async previousHistory(configId: string): Promise<ConfigHistory | undefined> {
    return isId(configId) ? this.#pool.read((session) => search.previousHistory(session, configId)) : undefined;
  }

  async scanHistory(limit: number, after?: string): Promise<Page<ConfigHistory>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    if (after !== undefined && !isId(after)) throw new StoreError('invalid', `no page starts after ${after}`);
    return this.#scan((session) => moved.scanHistory(session, size, after ?? '0'));
  }

  async putMoved(rows: readonly MovedRow[]): Promise<void> {
    checkMoved(rows);
    for (const { what, row } of rows) refusePadded(row, what === 'variant' ? row.variant : undefined);
    await this.#pool.transact((session) => moved.putMoved(session, rows));
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(written: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(written);
    if (written.length === 0) return this.revision();
    return this.#pool.transact((session) => records.putRecords(session, written));
  }

  async removeRecord(kind: RecordKind, key: string): Promise<boolean> {
    checkRecordKey(key);
    return this.#pool.transact((session) => records.removeRecord(session, kind, key));
  }

  getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
    return this.#pool.read((session) => records.getRecord(session, kind, key));
  }

  async scanRecords(kind: RecordKind, limit: number, after = ''): Promise<Page<StoredRecord>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    return this.#scan((session) => records.scanRecords(session, kind, size, after));
  }

  async #scan<T>(read: (session: MysqlSession) => Promise<Page<T>>): Promise<Page<T>> {
    const { items, next, damaged = [] } = await this.#pool.read(read);
    this.#report(damaged);
    return { items, next, ...(damaged.length > 0 && { damaged }) };
  }

  #report(damaged: readonly string[]): void {
    for (const what of damaged) {
      this.#host.log.error('a damaged row is left out', { place: this.#pool.place, what });
    }
  }

  revision(): Promise<Revision> {
    return this.#pool.read((session) => this.#feed.revision(session));
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    const size = pageSize(limit, CHANGES_PER_PAGE_MAX);
    for (let waits = 0; ; waits += 1) {
      const { page, waits: isMore } = await this.#pool.read((session) => this.#feed.changes(session, from, size));
      if (!isMore || page.gap) return page;
      if (page.changes.length > 0 || waits >= WAITS_MAX) {
        // The reader has what there is; it is called back for the rest.
        this.#hintIn(WAIT_MS);
        return page;
      }
      await this.#host.clock.sleep(WAIT_MS);
    }
  }

  /** Called only for what this process finds out by itself; other nodes' writes come by polling. */
  onHint(run: () => void): void {
    this.#hintReaders.push(run);
  }

  #hintIn(delayMs: number): void {
    if (this.#hinting !== undefined || this.#hintReaders.length === 0) return;
    this.#hinting = this.#host.clock.after(delayMs, () => {
      this.#hinting = undefined;
      for (const run of this.#hintReaders) run();
    });
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const isAny = await this.#pool.read(async (session) => {
        const isLate = await this.#feed.retellLate(session);
        await this.#feed.forget(session, this.#settings.changesKept ?? CHANGES_KEPT);
        return (await this.#foreign.look(session)) || isLate;
      });
      if (isAny) this.#hintIn(0);
      this.#failuresInRow = 0;
    } catch (error) {
      // It was stopped meanwhile.
      if (this.#timers.length === 0) return;
      this.#failuresInRow += 1;
      if (this.#failuresInRow === 1) this.#host.log.warn('cannot look for changes that others made', { error });
    } finally {
      this.#isLooking = false;
    }
  }

  async #forgetHistory(): Promise<void> {
    try {
      for (let batch = 0; batch < HISTORY_BATCHES_MAX; batch += 1) {
        const forgotten = await this.#pool.read((session) => this.#forgetBatch(session));
        if (forgotten < HISTORY_FORGOTTEN_AT_ONCE) return;
      }
    } catch (error) {
      if (this.#timers.length === 0) return; // Stopped meanwhile, which is no fault.
      this.#host.log.warn('past writes that are old could not be removed, trying again later', { error });
    }
  }

  /** A transaction of its own for each batch, and one node at a time, so that publishes hardly notice. */
  async #forgetBatch(session: MysqlSession): Promise<number> {
    const lock = await session.row(`SELECT GET_LOCK(${HISTORY_LOCK}, 0) AS got`);
    if (Number(lock?.['got']) !== 1) return 0;
    try {
      const days = this.#settings.historyKeptDays ?? HISTORY_KEPT_DAYS;
      const { met } = await session.change(
        `DELETE FROM his_config_info WHERE gmt_modified < NOW() - INTERVAL ? DAY LIMIT ${HISTORY_FORGOTTEN_AT_ONCE}`,
        [days],
      );
      return met;
    } finally {
      if (!session.isBroken) await session.row(`SELECT RELEASE_LOCK(${HISTORY_LOCK}) AS released`);
    }
  }
}

/** The comparison of the 1.4 tables pads with blanks, so such a name would meet another's row. */
function isPadded(key: ConfigKey, variant?: VariantId): boolean {
  const names = [key.dataId, key.group, key.namespaceId, variant?.kind === 'tag' ? variant.tag : ''];
  return names.some((name) => name.endsWith(' '));
}

function refusePadded(key: ConfigKey, variant?: VariantId): void {
  if (isPadded(key, variant)) throw new StoreError('invalid', 'MySQL cannot tell names apart that end in a blank');
}
