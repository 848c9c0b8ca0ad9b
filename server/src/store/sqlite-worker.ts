import type { DatabaseSync } from 'node:sqlite';
import { workerPort } from '@nacos-kube/core/host/node/worker.ts';
import { SqliteCheckpoints } from './sqlite-checkpoint.ts';
import { damageOf } from './sqlite-damage.ts';
import { MovedFileError, SqliteIdentity } from './sqlite-identity.ts';
import {
  COMMITTED,
  END,
  type LogTrouble,
  type SqliteAnswer,
  type SqliteCalls,
  type SqliteFailure,
  type SqliteQuestion,
  type SqliteWorkerData,
  type WriteCommand,
  type WriteOutcome,
} from './sqlite-messages.ts';
import { type PackedResults, packResults, unpackWrites } from './sqlite-packed.ts';
import { SqliteReads } from './sqlite-read.ts';
import { DamagedRowError } from './sqlite-row.ts';
import { failureOf, openDatabase } from './sqlite-schema.ts';
import { SqliteSearches } from './sqlite-search.ts';
import { CommandError, SqliteWrites } from './sqlite-write.ts';
import { StoreError } from './store.ts';

/**
 * Answers one question after the other and never waits: whoever is told `busy` asks again. A reader says by itself when
 * something was committed, since asking each time would cost the main thread more than all else it does at rest.
 * The file is opened when first needed, and again after a failure that is not about locks.
 */
const port = workerPort<SqliteQuestion | typeof END, SqliteAnswer | typeof COMMITTED | LogTrouble>();
const data = port.data as SqliteWorkerData;

let opened:
  | {
      readonly database: DatabaseSync;
      readonly calls: Partial<SqliteCalls>;
      readonly writes?: SqliteWrites;
      /** Another number whenever anybody has committed. */
      readonly dataVersion?: () => number;
    }
  | undefined;
let seenVersion: number | undefined;
const identity = new SqliteIdentity(data.path);
const checkpoints = new SqliteCheckpoints((trouble) => port.post(trouble));
/** Whoever follows a file that nobody else has any more would never hear of it. */
const CALLS_OF_FOLLOWERS: ReadonlySet<keyof SqliteCalls> = new Set(['revision', 'changes'] as const);

/** Of so many writes a transaction is long enough: other processes wait for its end. */
const WRITES_PER_TRANSACTION = 256;

/** The groups of a round that follow one which met a lock meet it too. */
let refused: { readonly round: number; readonly failure: SqliteFailure } | undefined;

port.onMessage((message) => {
  const other = message !== END && message.call === 'write' ? writeAll(message) : message;
  if (other === END) void end();
  else if (other !== undefined) port.post(answerTo(other));
});
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
    if (CALLS_OF_FOLLOWERS.has(call)) identity.require();
    const run = opened.calls[call] as ((...args: readonly unknown[]) => unknown) | undefined;
    if (run === undefined) throw new Error(`a ${data.role} of sqlite was asked for ${call}`);
    return { id, value: run(...args) };
  } catch (error) {
    return { id, failure: failed(error) };
  }
}

function failed(error: unknown): SqliteFailure {
  if (error instanceof DamagedRowError) {
    return { kind: 'damaged', message: `sqlite file ${data.path}: ${error.message}` };
  }
  if (error instanceof StoreError) return { kind: error.kind, message: error.message };
  const failure = failureOf(error, data.path);
  if (failure.kind !== 'busy' && !(error instanceof MovedFileError)) close();
  return failure;
}

/** Together with the groups that came meanwhile, so that they share the fsync; returns what came and is none. */
function writeAll(first: SqliteQuestion): SqliteQuestion | typeof END | undefined {
  const groups: { readonly id: number; readonly commands: readonly WriteCommand[] }[] = [];
  let count = 0;
  let [next, round]: [SqliteQuestion | typeof END | undefined, number] = [first, 0];
  while (next !== undefined && next !== END && next.call === 'write') {
    const [ofRound, packed] = next.args as Parameters<SqliteCalls['write']>;
    round = ofRound;
    const commands = unpackWrites(packed);
    groups.push({ id: next.id, commands });
    count += commands.length;
    next = count < WRITES_PER_TRANSACTION ? port.take() : undefined;
  }
  const outcome = round === refused?.round ? refused.failure : written(groups.flatMap(({ commands }) => commands));
  if ('kind' in outcome) {
    if (outcome.kind === 'busy') refused = { round, failure: outcome };
    for (const { id } of groups) port.post({ id, failure: outcome });
    return next;
  }
  let start = 0;
  for (const { id, commands } of groups) {
    const results = packResults(outcome.slice(start, start + commands.length));
    port.post({ id, value: { transactions: start === 0 ? 1 : 0, results } satisfies PackedResults });
    start += commands.length;
  }
  checkpoints.committed();
  return next;
}

/**
 * Who shares a transaction does not suffer for what is wrong with the write of another: it is made again without the one
 * at which it failed, and so ends, as each time there is one less. Any other failure is that of all.
 */
function written(commands: readonly WriteCommand[]): readonly WriteOutcome[] | SqliteFailure {
  const refusals = new Map<WriteCommand, SqliteFailure>();
  for (;;) {
    try {
      const results = apply(commands.filter((command) => !refusals.has(command))).values();
      return commands.map((command) => {
        const failure = refusals.get(command);
        return failure === undefined ? results.next().value! : { outcome: 'refused', failure };
      });
    } catch (error) {
      const failure = failed(error instanceof CommandError ? error.cause : error);
      if (!(error instanceof CommandError) || failure.kind === 'busy') return failure;
      refusals.set(error.command, failure);
    }
  }
}

function apply(commands: readonly WriteCommand[]): readonly WriteOutcome[] {
  opened ??= open();
  if (opened.writes === undefined) throw new Error(`a ${data.role} of sqlite was asked to write`);
  identity.require();
  return commands.length === 0 ? [] : opened.writes.apply(commands);
}

function open(): NonNullable<typeof opened> {
  identity.require();
  const database = openDatabase(data);
  const files = identity.opened();
  if (data.role === 'writer') {
    checkpoints.opened(database, files);
    return { database, calls: { open: () => null }, writes: new SqliteWrites(database, data.changesKept) };
  }
  const reads = new SqliteReads(database);
  const searches = new SqliteSearches(database);
  return {
    database,
    dataVersion: () => reads.dataVersion(),
    calls: {
      open: () => null,
      getConfigs: (keys) => reads.getConfigs(keys),
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
    checkpoints.closed();
    opened?.database.close();
  } catch {
    // What could not be closed is given up; the next question opens anew.
  }
  opened = undefined;
  identity.closed();
}

/** Were it cut instead, sqlite would close the file without knowing what became of the last pass over its log. */
async function end(): Promise<void> {
  await checkpoints.end();
  close();
  port.close();
}
