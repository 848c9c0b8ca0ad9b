/**
 * The ceiling of publishes: the node's own transaction (a row looked up and written, the old text into the history, a
 * change noted; WAL and FULL, so one fsync for each group) in one thread that does nothing else: no HTTP, no messages
 * between threads, no cache, no dump. `node bench/bare-sqlite.ts`: JSON on stdin and stdout.
 */
import { join } from 'node:path';
import { openDatabase } from '../server/src/store/sqlite-schema.ts';
import { SqliteWrites } from '../server/src/store/sqlite-write.ts';
import { cpuSeconds } from './machine.ts';
import { contentOf, TEXTS } from './rows.ts';

export interface StoreOrder {
  readonly folder: string;
  readonly durationMs: number;
  /** Publishes that share a transaction. */
  readonly group: number;
  /** Publishes that are in the file before: the more there are, the longer the next one takes. */
  readonly past: number;
}

export interface StoreResult {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

const CONFIGS = 2_000;
const CHANGES_KEPT = 1_000_000;
const FILLED_AT_ONCE = 500;

function run({ folder, durationMs, group, past }: StoreOrder): StoreResult {
  const data = { path: join(folder, 'alone.sqlite'), role: 'writer', changesKept: CHANGES_KEPT } as const;
  const database = openDatabase(data);
  const writes = new SqliteWrites(database, CHANGES_KEPT);
  let count = 0;
  const writeGroup = (length: number): void => {
    const commands = Array.from({ length }, () => {
      const dataId = `publish-${count % CONFIGS}`;
      const content = contentOf(`${count++ % TEXTS}-${dataId}`);
      const write = {
        dataId,
        group: 'DEFAULT_GROUP',
        namespaceId: '',
        content,
        type: 'text',
        appName: undefined,
        description: null,
        use: null,
        effect: null,
        schema: null,
        tags: undefined,
        by: { ip: '127.0.0.1', user: null },
      } as const;
      return { op: 'put-config', write, nowMs: Date.now() } as const;
    });
    writes.apply(commands);
  };
  while (count < Math.max(past, CONFIGS)) writeGroup(FILLED_AT_ONCE);
  count = 0;
  const cpuBefore = cpuSeconds(process.pid);
  const startedMs = performance.now();
  while (performance.now() - startedMs < durationMs) writeGroup(group);
  const elapsedS = (performance.now() - startedMs) / 1_000;
  const cpu = cpuSeconds(process.pid) - cpuBefore;
  database.close();
  return { perSecond: count / elapsedS, perCpuSecond: count / cpu };
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(run(JSON.parse(Buffer.concat(chunks).toString()) as StoreOrder)));
