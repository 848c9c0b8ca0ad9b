import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
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
  pageOffset,
  pageSize,
  pageStart,
} from '../bounds.ts';
import type { ConfigHistory, HistoryEntry } from '../history.ts';
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
  type StoreRaft,
  type VariantWrite,
} from '../store.ts';
import { Blobs } from './blobs.ts';
import { EtcdClient } from './client.ts';
import { ConfigReads } from './config-reads.ts';
import * as configs from './configs.ts';
import type { EtcdContext } from './context.ts';
import { storeErrorOf } from './failure.ts';
import { EtcdFeed } from './feed.ts';
import { Housekeeping } from './housekeeping.ts';
import { Ids, isOurs } from './ids.ts';
import { Keys } from './keys.ts';
import { Known } from './known.ts';
import { getKey, isAbsent, put } from './kv.ts';
import { putMoved } from './moved.ts';
import * as past from './past.ts';
import { readRaft } from './raft.ts';
import * as reads from './reads.ts';
import * as records from './records.ts';
import type { EtcdSettings } from './settings.ts';
import { Room, Slots, Turns } from './turns.ts';
import { DamagedValueError } from './values.ts';
import * as variants from './variants.ts';

export interface EtcdOptions {
  readonly changesKept?: number;
  readonly historyKeptDays?: number;
  readonly housekeepingMs?: number;
  readonly historyEveryMs?: number;
}

export function createEtcdStore(
  host: Host,
  settings: EtcdSettings,
  options: EtcdOptions = {},
): Required<Omit<Store, 'transactions'>> {
  return new EtcdStore(host, settings, options);
}

const LAYOUT = '1';
/** Within the time to live of the lock. */
const HOUSEKEEPING_MS = 10_000;
const HISTORY_EVERY_MS = 10 * 60 * 1000;
/** Read together they are two requests, and bring no more than one of them may. */
const READS_AT_ONCE = 64;

class EtcdStore implements Required<Omit<Store, 'transactions'>> {
  readonly kind = 'etcd';
  readonly readsAtOnce = READS_AT_ONCE;
  readonly #client: EtcdClient;
  readonly #etcd: EtcdContext;
  readonly #configReads: ConfigReads;
  readonly #feed: EtcdFeed;
  readonly #housekeeping: Housekeeping;

  constructor(host: Host, settings: EtcdSettings, options: EtcdOptions) {
    if (settings.endpoints.length === 0) throw new StoreError('misconfigured', 'etcd: no endpoint is set');
    const { changesKept = CHANGES_KEPT } = options;
    const client = new EtcdClient(host, settings);
    const keys = new Keys(settings.prefix);
    this.#client = client;
    const room = new Room();
    const [blobs, ids, known] = [new Blobs(host, client, keys, room), new Ids(host.random), new Known()];
    this.#etcd = { host, client, keys, blobs, ids, known, turns: new Turns(room), slots: new Slots(room) };
    this.#configReads = new ConfigReads(this.#etcd);
    this.#feed = new EtcdFeed(host, client, keys, changesKept, () => known.forgetAll());
    this.#housekeeping = new Housekeeping(this.#etcd, {
      changesKept,
      historyKeptDays: options.historyKeptDays ?? HISTORY_KEPT_DAYS,
      everyMs: options.housekeepingMs ?? HOUSEKEEPING_MS,
      historyEveryMs: options.historyEveryMs ?? HISTORY_EVERY_MS,
    });
  }

  async start(): Promise<void> {
    this.#client.open();
    try {
      await this.#call(() => this.#checkLayout());
      await this.#call(() => this.#feed.start());
    } catch (error) {
      this.#client.close();
      throw error;
    }
    this.#housekeeping.start();
  }

  async stop(): Promise<void> {
    this.#feed.stop();
    if (this.#client.isOpen) await this.#housekeeping.stop();
    this.#client.close();
  }

  async putConfig(write: ConfigWrite): Promise<ConfigWritten> {
    checkConfigWrite(write);
    return this.#write(() => configs.putConfig(this.#etcd, write));
  }

  removeConfig(key: ConfigKey, by: Operator): Promise<boolean> {
    return this.#write(() => configs.removeConfig(this.#etcd, key, by));
  }

  getConfig(key: ConfigKey): Promise<Config | undefined> {
    return this.#call(() => this.#configReads.get(key));
  }

  async scanConfigs(limit: number, after?: string): Promise<Page<Config>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => reads.scanConfigs(this.#etcd, size, String(start)));
  }

  countConfigs(namespaceId: string): Promise<number> {
    return this.#call(() => reads.countConfigs(this.#etcd, namespaceId));
  }

  async searchConfigs(query: ConfigQuery): Promise<Found<Config>> {
    checkConfigQuery(query);
    const offset = pageOffset(query.offset);
    const limit = pageSize(query.limit, CONFIGS_PER_SEARCH_MAX);
    return this.#call(() => reads.searchConfigs(this.#etcd, { ...query, offset, limit }));
  }

  async getConfigs(ids: readonly string[]): Promise<readonly Config[]> {
    const checked = checkIds(ids).filter(isOurs);
    return checked.length === 0 ? [] : this.#call(() => reads.getConfigs(this.#etcd, checked));
  }

  async removeConfigs(ids: readonly string[], by: Operator): Promise<number> {
    const checked = [...checkIds(ids)].filter(isOurs).sort((one, other) => Number(one) - Number(other));
    return checked.length === 0 ? 0 : this.#write(() => configs.removeConfigs(this.#etcd, checked, by));
  }

  async putVariant(write: VariantWrite): Promise<Revision> {
    checkVariantWrite(write);
    return this.#write(() => variants.putVariant(this.#etcd, write));
  }

  removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean> {
    return this.#write(() => variants.removeVariant(this.#etcd, key, variant));
  }

  getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]> {
    return this.#call(() => variants.getVariants(this.#etcd, key));
  }

  async scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    return this.#call(() => variants.scanVariants(this.#etcd, size, after));
  }

  async searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>> {
    const start = pageOffset(offset);
    const size = pageSize(limit, HISTORY_PER_SEARCH_MAX);
    return this.#call(() => past.searchHistory(this.#etcd, key, start, size));
  }

  async getHistory(nid: string): Promise<ConfigHistory | undefined> {
    return isOurs(nid) ? this.#call(() => past.getHistory(this.#etcd, nid)) : undefined;
  }

  async previousHistory(configId: string): Promise<ConfigHistory | undefined> {
    return isOurs(configId) ? this.#call(() => past.previousHistory(this.#etcd, configId)) : undefined;
  }

  async scanHistory(limit: number, after?: string): Promise<Page<ConfigHistory>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    const start = pageStart(after);
    return this.#call(() => past.scanHistory(this.#etcd, size, String(start)));
  }

  async putMoved(rows: readonly MovedRow[]): Promise<void> {
    checkMoved(rows);
    return this.#write(() => putMoved(this.#etcd, rows));
  }

  putRecord(record: StoredRecord): Promise<Revision> {
    return this.putRecords([record]);
  }

  async putRecords(written: readonly StoredRecord[]): Promise<Revision> {
    checkRecords(written);
    if (written.length === 0) return this.revision();
    return this.#write(() => records.putRecords(this.#etcd, written));
  }

  async removeRecord(kind: RecordKind, key: string): Promise<boolean> {
    checkRecordKey(key);
    return this.#write(() => records.removeRecord(this.#etcd, kind, key));
  }

  getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
    return this.#call(() => records.getRecord(this.#etcd, kind, key));
  }

  async scanRecords(kind: RecordKind, limit: number, after = ''): Promise<Page<StoredRecord>> {
    const size = pageSize(limit, ITEMS_PER_PAGE_MAX);
    return this.#call(() => records.scanRecords(this.#etcd, kind, size, after));
  }

  revision(): Promise<Revision> {
    return this.#call(() => this.#feed.revision());
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    const size = pageSize(limit, CHANGES_PER_PAGE_MAX);
    return this.#call(() => this.#feed.changes(from, size));
  }

  onHint(run: () => void): void {
    this.#feed.onHint(run);
  }

  raft(): Promise<StoreRaft> {
    return this.#call(() => readRaft(this.#client));
  }

  /** Nothing is written when all is there, so that a store with a full database can be opened. */
  async #checkLayout(): Promise<void> {
    const { client, keys } = this.#etcd;
    const patience = client.patience();
    const found = (await getKey(client, patience, keys.version)).kvs[0]?.value.toString();
    if (found === LAYOUT) return;
    if (found !== undefined) {
      const message = `${client.place}: the data below ${keys.prefix} have layout ${found}, this program knows ${LAYOUT}`;
      throw new StoreError('misconfigured', message);
    }
    const success = [put(keys.version, Buffer.from(LAYOUT))];
    await client.repeat('KV/Txn', { compare: [isAbsent(keys.version)], success }, patience);
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    return this.#mapped(work, false);
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    return this.#mapped(work, true);
  }

  async #mapped<T>(work: () => Promise<T>, isWrite: boolean): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof DamagedValueError) {
        throw new StoreError('damaged', `${this.#client.place}: ${error.message}`, { cause: error });
      }
      throw storeErrorOf(error, isWrite);
    }
  }
}
