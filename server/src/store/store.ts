import type { Config, ConfigKey, ConfigType, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';

/**
 * The central truth: configurations with their history, and small JSON records (persistent instances, service
 * metadata, namespaces, switches). Every write makes one change with its own revision; the feed of changes can be
 * resumed from any revision that is still kept. Consensus is left to the engine behind it.
 */
export interface Store {
  readonly kind: 'sqlite' | 'etcd' | 'mysql' | 'redis' | 'memory';
  /** Opens, makes or upgrades the schema. Rejects with `StoreError` naming what is wrong. */
  start(): Promise<void>;
  stop(): Promise<void>;

  /** Row, history and revision in one transaction; resolves once committed durably. */
  putConfig(write: ConfigWrite): Promise<ConfigWritten>;
  /** False when there was none; then there is no change either. */
  removeConfig(key: ConfigKey, by: Operator): Promise<boolean>;
  getConfig(key: ConfigKey): Promise<Config | undefined>;
  /** How many transactions this process has written in, of which several writes share one; left out: one for each. */
  transactions?(): number;
  /** How many of those are best asked for at once; unless told, so few that other calls do not wait for them. */
  readonly readsAtOnce?: number;
  /** All formal configurations in pages, in a fixed order; `after` is the `next` of the page before. */
  scanConfigs(limit: number, after?: string): Promise<Page<Config>>;
  countConfigs(namespaceId: string): Promise<number>;
  /**
   * Those that fit, in a fixed order, at most `CONFIGS_PER_SEARCH_MAX` of them, and how many fit in all. A page whose
   * contents are over `SEARCH_BYTES_MAX` is refused as `invalid`; so are texts no query needs (`checkConfigQuery`).
   */
  searchConfigs(query: ConfigQuery): Promise<Found<Config>>;
  /** By their ids, at most `CONFIGS_PER_SEARCH_MAX`, in the order of a search; those not there are left out. */
  getConfigs(ids: readonly string[]): Promise<readonly Config[]>;
  /**
   * All of them in one transaction, with history, at most `CONFIGS_PER_SEARCH_MAX`; those that are not there are left
   * out. Returns how many went.
   */
  removeConfigs(ids: readonly string[], by: Operator): Promise<number>;

  /** Row and revision in one transaction; variants have no history (spec/config.md 4.2). */
  putVariant(write: VariantWrite): Promise<Revision>;
  removeVariant(key: ConfigKey, variant: VariantId): Promise<boolean>;
  /** All variants of one configuration; the configuration itself may be absent. */
  getVariants(key: ConfigKey): Promise<readonly ConfigVariant[]>;
  scanVariants(limit: number, after?: string): Promise<Page<ConfigVariant>>;

  /** Past writes of one configuration, the newest first; their contents come one by one, by `getHistory`. */
  searchHistory(key: ConfigKey, offset: number, limit: number): Promise<Found<HistoryEntry>>;
  getHistory(nid: string): Promise<ConfigHistory | undefined>;
  /** The newest past write of the configuration with this id, never an `I`: that has no id of a configuration. */
  previousHistory(configId: string): Promise<ConfigHistory | undefined>;

  putRecord(record: StoredRecord): Promise<Revision>;
  /** Several records as one transaction; at most `RECORDS_PER_WRITE_MAX`. */
  putRecords(records: readonly StoredRecord[]): Promise<Revision>;
  removeRecord(kind: RecordKind, key: string): Promise<boolean>;
  getRecord(kind: RecordKind, key: string): Promise<StoredRecord | undefined>;
  scanRecords(kind: RecordKind, limit: number, after?: string): Promise<Page<StoredRecord>>;

  /**
   * Past writes of all configurations with their contents, in order of `nid`. This and `putMoved` are for moving whole
   * stores (`move/`); from and to an engine without them goes all but the past.
   */
  scanHistory?(limit: number, after?: string): Promise<Page<ConfigHistory>>;
  /**
   * Rows of another store as they stood there: with their times, with ids and nids where these are free. No past write
   * comes of it; the feed tells of configs and variants. Rows that are there already change nothing, so it may be
   * repeated after a failure. At most `MOVED_PER_WRITE_MAX`.
   */
  putMoved?(rows: readonly MovedRow[]): Promise<void>;

  /** The newest revision that a reader of the feed can rely on. */
  revision(): Promise<Revision>;
  /**
   * Changes after `from` in order of revision; `gap` when some of them are no longer kept. At most `limit`, with etcd also
   * the rest of what was written together with the last one, which has the same revision.
   */
  changes(from: Revision, limit: number): Promise<ChangePage>;
  /**
   * Cheap word that something may have changed, from this process or another (sqlite: the file's data version).
   * Engines without one never call; followers poll anyway.
   */
  onHint(run: () => void): void;
  /** Only of engines whose members elect one: what the member that is asked now knows of them. */
  raft?(): Promise<StoreRaft>;
}

export interface StoreRaft {
  /** `host:port`; undefined while none leads. */
  readonly leader: string | undefined;
  readonly members: readonly string[];
  readonly term: number;
  readonly index: number;
}

export type Revision = number;

export interface Page<T> {
  readonly items: readonly T[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
  /** Rows that were left out as they do not fit their checksum, in words. */
  readonly damaged?: readonly string[];
}

export type MovedRow =
  | { readonly what: 'config'; readonly row: Config }
  | { readonly what: 'variant'; readonly row: ConfigVariant }
  | { readonly what: 'history'; readonly row: ConfigHistory };

export const MOVED_PER_WRITE_MAX = 200;

export interface Found<T> {
  readonly items: readonly T[];
  /** Of all that fit, beyond this page too. */
  readonly total: number;
}

export interface ConfigQuery {
  readonly namespaceId: string;
  /** Undefined: any. */
  readonly dataId: TextQuery | undefined;
  readonly group: TextQuery | undefined;
  readonly appName: string | undefined;
  /** Has at least one of them; empty: any. */
  readonly tags: readonly string[];
  readonly offset: number;
  readonly limit: number;
}

/** `equals`: the text itself; `like`: `*` stands for any text, all else for itself. Upper and lower case differ. */
export type TextQuery = { readonly kind: 'equals' | 'like'; readonly text: string };

export const CONFIGS_PER_SEARCH_MAX = 500;

export interface Operator {
  readonly ip: string;
  readonly user: string | null;
}

export interface ConfigWrite extends ConfigKey {
  readonly content: string;
  /** Of the content; a store that has it made by another thread never reads this, and says it in its answer. */
  readonly md5: string;
  readonly type: ConfigType;
  /** Undefined keeps the old one, the empty text clears it. */
  readonly appName: string | undefined;
  readonly description: string | null;
  readonly use: string | null;
  readonly effect: string | null;
  readonly schema: string | null;
  /** Undefined keeps the old ones. */
  readonly tags: readonly string[] | undefined;
  readonly by: Operator;
  /** Extension: write only if the stored md5 is this one (empty: only if absent). */
  readonly expectedMd5?: string;
}

export interface VariantWrite extends ConfigKey {
  readonly variant: VariantId;
  readonly content: string;
  readonly md5: string;
  /** Undefined keeps the old one. */
  readonly appName: string | undefined;
  readonly betaIps: string;
  readonly by: Operator;
}

export type ConfigWritten =
  | { readonly outcome: 'written'; readonly revision: Revision; readonly md5?: string }
  /** `expectedMd5` did not fit; nothing was written. */
  | { readonly outcome: 'conflict' };

/**
 * `instance`: key `namespace##GROUP@@service##ip:port:cluster`; `service`: `namespace##GROUP@@service`; `namespace`: id,
 * and its value is a `Namespace` of the model, since engines on the 1.4 schema keep it in columns; `switch`: `switches`,
 * the one record of them; `capacity`: `group:` or `tenant:` and its name, and its value is a `CapacityLimits` as JSON,
 * kept in columns by the same engines.
 */
export type RecordKind = 'instance' | 'service' | 'namespace' | 'switch' | 'capacity';

/** Of the configurations of a group, a namespace or (group with the empty name) the cluster; 0: as the settings say. */
export interface CapacityLimits {
  readonly quota: number;
  readonly maxSize: number;
  readonly maxAggrCount: number;
  readonly maxAggrSize: number;
}

export interface StoredRecord {
  readonly kind: RecordKind;
  readonly key: string;
  /** A JSON document. */
  readonly value: string;
}

/** Etcd compares two keys of each, so that a late write comes behind nothing newer, and takes 128 compares. */
export const RECORDS_PER_WRITE_MAX = 60;
export const RECORD_KEY_BYTES_MAX = 700;
export const RECORD_VALUE_BYTES_MAX = 256 * 1024;

export interface Change {
  readonly revision: Revision;
  readonly what: ChangedThing;
  readonly removed: boolean;
}
export type ChangedThing =
  | { readonly kind: 'config' | 'variant'; readonly key: ConfigKey }
  | { readonly kind: RecordKind; readonly key: string };

export type ChangePage =
  /** `upTo` is where to go on from: the last revision looked at, also when nothing changed. */
  | { readonly gap: false; readonly changes: readonly Change[]; readonly upTo: Revision }
  /** Read everything again, then go on from `upTo`. */
  | { readonly gap: true; readonly upTo: Revision };

export type StoreErrorKind =
  /** Cannot be reached or does not answer in time: try later. */
  | 'unavailable'
  /** Reached, but writes are refused: a replica, a full disk, a read-only file. */
  | 'read-only'
  /** What was asked breaks a bound of the store. */
  | 'invalid'
  /** Wrong credentials, schema, version: waiting does not help. */
  | 'misconfigured'
  /** What stands there is not what was written, while the rest can be read: somebody has to mend it. */
  | 'damaged';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly kind: StoreErrorKind;
  /**
   * Why, for whoever made the call: it names no hosts and no users. Where it is missing the message of what is `invalid`
   * names none either, and that of others is not for callers.
   */
  readonly because: string | undefined;
  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions & { readonly because?: string }) {
    super(message, options);
    this.kind = kind;
    this.because = options?.because;
  }
}

/** Of a row alone: whoever reads many goes on with the others. */
export function isDamaged(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'damaged';
}
