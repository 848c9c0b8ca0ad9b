import type { Config, ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import type { ConfigHistory, HistoryEntry } from './history.ts';
import type { PackedResults, PackedWrites } from './sqlite-packed.ts';
import type { PackedConfigs, PackedKeys } from './sqlite-packed-reads.ts';
import type { ChangeColumns } from './sqlite-row.ts';
import type {
  ConfigQuery,
  ConfigWrite,
  Found,
  MovedRow,
  Operator,
  Page,
  RecordKind,
  Revision,
  StoredRecord,
  StoreErrorKind,
  VariantWrite,
} from './store.ts';

/** Handed to a worker when it starts. A reader can write nothing, by the mode its file is opened in. */
export interface SqliteWorkerData {
  readonly path: string;
  readonly role: 'writer' | 'reader';
  readonly changesKept: number;
  /** A reader looks this often whether anybody has committed, and says so with `COMMITTED`; left out: never. */
  readonly watchEveryMs?: number;
}

/** Said by a reader that watches, unasked. */
export const COMMITTED = 'committed';

/** Said to a writer in place of a question, as the last one: it closes the file and ends. */
export const END = 'end';

/** Said by a writer, unasked. `why`: undefined when it is over. */
export interface LogTrouble {
  /**
   * `log`: it cannot be moved into the database; `length`: nor for long, as somebody is in the way; `thread`: the one that
   * does it cannot, and the writer does it.
   */
  readonly of: 'log' | 'length' | 'thread';
  readonly why: string | undefined;
}

export type WriteCommand =
  /** The thread that writes makes the md5: the one that asks has more to do. */
  | { readonly op: 'put-config'; readonly write: Omit<ConfigWrite, 'md5'>; readonly nowMs: number }
  | { readonly op: 'remove-config'; readonly key: ConfigKey; readonly by: Operator; readonly nowMs: number }
  | { readonly op: 'remove-configs'; readonly ids: readonly number[]; readonly by: Operator; readonly nowMs: number }
  | { readonly op: 'put-variant'; readonly write: VariantWrite; readonly nowMs: number }
  | { readonly op: 'remove-variant'; readonly key: ConfigKey; readonly variant: VariantId }
  | { readonly op: 'put-moved'; readonly rows: readonly MovedRow[] }
  | { readonly op: 'put-records'; readonly records: readonly StoredRecord[] }
  | { readonly op: 'remove-record'; readonly kind: RecordKind; readonly key: string };

export type WriteResult =
  /** `changes`: how many there are of it, the last of which made the revision; `md5`: of what was put as a config. */
  | { readonly outcome: 'written'; readonly revision: Revision; readonly changes: number; readonly md5?: string }
  | { readonly outcome: 'conflict' | 'absent' };

/** `refused`: the others of its transaction were carried out without it. */
export type WriteOutcome = WriteResult | { readonly outcome: 'refused'; readonly failure: SqliteFailure };

/** What a worker can be asked, with its answer. */
export interface SqliteCalls {
  /** Of a reader, before it opens: what is wrong with the structure of the file, null when nothing is. */
  check(): string | null;
  /** Opens the file, makes or upgrades the schema. */
  open(): null;
  /**
   * All commands in one transaction, which other groups that are here already share. Once one is told `busy`, so are all
   * of its round: what was asked for later is never done before it.
   */
  write(round: number, group: PackedWrites): PackedResults;
  /** Of the first of these keys, as many as one message should bring. */
  getConfigs(keys: PackedKeys): PackedConfigs;
  scanConfigs(limit: number, afterId: number): ScannedConfigs;
  countConfigs(namespaceId: string): number;
  searchConfigs(query: ConfigQuery): FoundConfigs;
  getConfigsById(ids: readonly number[]): FoundConfigs;
  getVariants(key: ConfigKey): readonly ConfigVariant[];
  scanVariants(limit: number, afterId: number): ScannedVariants;
  searchHistory(key: ConfigKey, offset: number, limit: number): Found<HistoryEntry>;
  getHistory(nid: number): ConfigHistory | undefined;
  scanHistory(limit: number, afterNid: number): ScannedHistory;
  previousHistory(configId: number): ConfigHistory | undefined;
  getRecord(kind: RecordKind, key: string): StoredRecord | undefined;
  scanRecords(kind: RecordKind, limit: number, after: string): ScannedRecords;
  revision(): Revision;
  changes(from: Revision, limit: number): ChangedRows;
}

/** Rows that do not fit their checksum are left out of the page and named. */
export interface ScannedConfigs extends Page<Config> {
  readonly damaged: readonly string[];
}
export type ChangedRows =
  | { readonly gap: false; readonly columns: ChangeColumns }
  | { readonly gap: true; readonly upTo: Revision };
export interface ScannedVariants extends Page<ConfigVariant> {
  readonly damaged: readonly string[];
}
export interface ScannedHistory extends Page<ConfigHistory> {
  readonly damaged: readonly string[];
}

export interface FoundConfigs extends Found<Config> {
  readonly damaged: readonly string[];
}
export interface ScannedRecords extends Page<StoredRecord> {
  readonly damaged: readonly string[];
}

export interface SqliteQuestion {
  readonly id: number;
  readonly call: keyof SqliteCalls;
  readonly args: readonly unknown[];
}

export type SqliteAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: SqliteFailure };

export interface SqliteFailure {
  /** `busy`: another process holds the file just now, nothing was done; ask again. */
  readonly kind: StoreErrorKind | 'busy';
  readonly message: string;
  /** For whoever made the call. */
  readonly because?: string;
}
