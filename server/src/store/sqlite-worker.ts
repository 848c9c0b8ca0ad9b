import type { DatabaseSync } from 'node:sqlite';
import { workerPort } from '@nacos-kube/core/host/node/worker.ts';
import { damageOf } from './sqlite-damage.ts';
import {
  COMMITTED,
  type SqliteAnswer,
  type SqliteCalls,
  type SqliteQuestion,
  type SqliteWorkerData,
} from './sqlite-messages.ts';
import { SqliteReads } from './sqlite-read.ts';
import { DamagedRowError } from './sqlite-row.ts';
import { failureOf, openDatabase } from './sqlite-schema.ts';
import { SqliteSearches } from './sqlite-search.ts';
import { SqliteWrites } from './sqlite-write.ts';
import { StoreError } from './store.ts';

/**
 * Answers one question after the other and never waits: whoever is told `busy` asks again. A reader says by itself when
 * something was committed, since asking each time would cost the main thread more than all else it does at rest.
 * The file is opened when first needed, and again after a failure that is not about locks.
 */
const port = workerPort<SqliteQuestion, SqliteAnswer | typeof COMMITTED>();
const data = port.data as SqliteWorkerData;

let opened:
  | {
      readonly database: DatabaseSync;
      readonly calls: Partial<SqliteCalls>;
      /** Another number whenever anybody has committed. */
      readonly dataVersion?: () => number;
    }
  | undefined;
let seenVersion: number | undefined;

port.onMessage((question) => port.post(answerTo(question)));
if (data.watchEveryMs !== undefined) port.every(data.watchEveryMs, watch);

function watch(): void {
  try {
    const version = opened?.dataVersion?.();
    if (version === undefined || version === seenVersion) return;
    seenVersion = version;
    port.post(COMMITTED);
  } catch (error) {
    // Followers ask anyway and meet the failure there.
    if (failureOf(error, data.path).kind !== 'busy') close();
  }
}

function answerTo({ id, call, args }: SqliteQuestion): SqliteAnswer {
  try {
    if (call === 'check') return { id, value: damageOf(data.path) };
    opened ??= open();
    const run = opened.calls[call] as ((...args: readonly unknown[]) => unknown) | undefined;
    if (run === undefined) throw new Error(`a ${data.role} of sqlite was asked for ${call}`);
    return { id, value: run(...args) };
  } catch (error) {
    if (error instanceof DamagedRowError) {
      return { id, failure: { kind: 'misconfigured', message: `sqlite file ${data.path}: ${error.message}` } };
    }
    if (error instanceof StoreError) return { id, failure: { kind: error.kind, message: error.message } };
    const failure = failureOf(error, data.path);
    if (failure.kind !== 'busy') close();
    return { id, failure };
  }
}

function open(): NonNullable<typeof opened> {
  const database = openDatabase(data);
  if (data.role === 'writer') {
    const writes = new SqliteWrites(database, data.changesKept);
    return { database, calls: { open: () => null, write: (group) => writes.apply(group) } };
  }
  const reads = new SqliteReads(database);
  const searches = new SqliteSearches(database);
  return {
    database,
    dataVersion: () => reads.dataVersion(),
    calls: {
      open: () => null,
      getConfig: (key) => reads.getConfig(key),
      scanConfigs: (limit, afterId) => reads.scanConfigs(limit, afterId),
      countConfigs: (namespaceId) => reads.countConfigs(namespaceId),
      getRecord: (kind, key) => reads.getRecord(kind, key),
      scanRecords: (kind, limit, after) => reads.scanRecords(kind, limit, after),
      revision: () => reads.revision(),
      changes: (from, limit) => reads.changes(from, limit),
      searchConfigs: (query) => searches.configs(query),
      getConfigsById: (ids) => searches.configsById(ids),
      getVariants: (key) => reads.getVariants(key),
      scanVariants: (limit, afterId) => reads.scanVariants(limit, afterId),
      searchHistory: (key, offset, limit) => searches.history(key, offset, limit),
      getHistory: (nid) => searches.getHistory(nid),
      scanHistory: (limit, afterNid) => reads.scanHistory(limit, afterNid),
      previousHistory: (configId) => searches.previousHistory(configId),
    },
  };
}

function close(): void {
  try {
    opened?.database.close();
  } catch {
    // What could not be closed is given up; the next question opens anew.
  }
  opened = undefined;
}
