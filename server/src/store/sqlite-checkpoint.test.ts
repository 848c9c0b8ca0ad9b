import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileIdentity } from '@nacos-kube/core/host/node/file-identity.ts';
import { OpenFile } from '@nacos-kube/core/host/node/open-file.ts';
import { startWorker } from '@nacos-kube/core/host/node/worker.ts';
import {
  type CheckpointRequest,
  type CheckpointWorkerData,
  type PassOutcome,
  SqliteCheckpoints,
} from './sqlite-checkpoint.ts';
import { LogCopying, type LogState, logLook } from './sqlite-copying.ts';
import { SqliteIdentity } from './sqlite-identity.ts';
import type { LogTrouble } from './sqlite-messages.ts';
import { WalIndex } from './sqlite-wal-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
after(() => rmSync(folder, { recursive: true }));

const LIMITS = { pagesToCopy: 100, pagesOfRest: 20, pagesAfterFailure: 50, pagesToTell: 100_000, idleMs: 60_000 };
const FOR_MS = 20_000;
const ROWS = 10;

function openWal(context: TestContext, path: string) {
  const database = new DatabaseSync(path);
  context.after(() => database.isOpen && database.close());
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
  database.exec('CREATE TABLE t (n INTEGER, text TEXT)');
  const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
  let count = 0;
  const commit = (): void => {
    database.exec('BEGIN');
    for (let i = 0; i < ROWS; i++) insert.run(count++, 'x'.repeat(1_000));
    database.exec('COMMIT');
  };
  const identity = new SqliteIdentity(path);
  return { path, database, commit, rows: () => count, look: logLook(database), opened: identity.opened() };
}

function setUp(context: TestContext, name: string, limits = LIMITS, file?: string) {
  const writer = openWal(context, join(folder, `${name}.sqlite`));
  const told: LogTrouble[] = [];
  const checkpoints = new SqliteCheckpoints((trouble) => told.push(trouble), limits);
  const files = { ...writer.opened, ...(file !== undefined && { file }) };
  checkpoints.opened(writer.database, files);
  context.after(() => checkpoints.closed());
  const commit = (): LogState => {
    writer.commit();
    checkpoints.committed();
    return writer.look();
  };
  /** Also waits for the thread, which may be the last one that has the file. */
  const stop = async (): Promise<void> => {
    checkpoints.closed();
    while (!isWhole(writer.look())) {
      writer.database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
      await sleep(1);
    }
    writer.database.close();
  };
  return { ...writer, told, checkpoints, files, commit, stop };
}

function isWhole({ log, checkpointed }: LogState): boolean {
  return log === checkpointed;
}

/** How often the log began anew of itself, and how often the commit before that had copied all of it by itself. */
async function renewals(commit: () => LogState, wanted: number) {
  let [times, alone, last, copied, longest] = [0, 0, 0, 0, 0];
  for (const endsMs = performance.now() + FOR_MS; times < wanted && performance.now() < endsMs; ) {
    const { log, checkpointed } = commit();
    if (log < last) times += 1;
    if (copied === 0 && checkpointed === log) alone += 1;
    [last, copied, longest] = [log, checkpointed, Math.max(longest, log)];
    await sleep(0);
  }
  return { times, alone, longest };
}

/** Of the database without its log. */
function assertWhole(path: string, rows: number): void {
  const copy = `${path}-copy`;
  copyFileSync(path, copy);
  const found = new DatabaseSync(copy, { readOnly: true });
  assert.deepEqual({ ...found.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  const wanted = { count: rows, last: rows - 1 };
  assert.deepEqual({ ...found.prepare('SELECT count(*) AS count, max(n) AS last FROM t').get() }, wanted);
  found.close();
}

/** All that was written to the database since. */
function lose(path: string, before: Buffer): void {
  OpenFile.at(path)!.write(0, Buffer.concat([before, Buffer.alloc(statSync(path).size - before.length)]));
}

test('a log that is always being written begins anew all the same, and all of it is in the database', async (t) => {
  const { path, commit, stop, rows, told } = setUp(t, 'busy');
  const { times, alone } = await renewals(commit, 6);
  assert.equal(times, 6);
  // Also where the thread was through with all of it just before it was looked at.
  assert.ok(alone < times, `${alone} of them without the thread`);
  await stop();
  assertWhole(path, rows());
  assert.deepEqual(told, []);
});

test('while somebody reads what is older the log grows, with a look now and then; then it begins anew', async (t) => {
  const { path, commit } = setUp(t, 'read');
  commit();
  const reader = new DatabaseSync(path, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM t').get();
  for (const endsMs = performance.now() + FOR_MS; commit().log < 600 && performance.now() < endsMs; ) await sleep(0);
  const { log, checkpointed } = commit();
  assert.ok(log >= 600 && checkpointed < 100, `${checkpointed} of ${log} pages are copied`);
  reader.exec('COMMIT');
  assert.equal((await renewals(commit, 1)).times, 1);
  reader.close();
});

test('readers that are there at nearly each commit keep the log from beginning anew for a while only', async (t) => {
  const { path, commit } = setUp(t, 'readers', { ...LIMITS, pagesAfterFailure: 500 });
  const reader = new DatabaseSync(path, { readOnly: true });
  const read = reader.prepare('SELECT count(*) FROM t');
  let count = 0;
  const among = (): LogState => {
    // Of seven commits six find it reading what the one before them wrote.
    if (reader.isTransaction) reader.exec('COMMIT');
    if (count++ % 7 > 0) {
      reader.exec('BEGIN');
      read.get();
    }
    return commit();
  };
  const { times, longest } = await renewals(among, 4);
  assert.equal(times, 4);
  assert.ok(longest < 500, `the log has had ${longest} pages`);
  reader.close();
});

test('what a disk failed to take is copied once more', (t) => {
  const { path, database, commit, rows, look } = openWal(t, join(folder, 'lost.sqlite'));
  commit();
  database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  const before = readFileSync(path);
  for (let i = 0; i < 20; i++) commit();
  let failures = 1;
  const file = OpenFile.at(path)!;
  const copying = new LogCopying(database, 'RESTART', WalIndex.of(path)!, () => {
    if (failures-- <= 0) return file.sync();
    // What the kernel could not write back is gone, and it says so once.
    lose(path, before);
    throw new Error('EIO: i/o error, fdatasync');
  });
  assert.throws(() => copying.copy(), /EIO/);
  assert.equal(look().checkpointed, 0, 'nothing counts as copied');
  for (let i = 0; i < 3; i++) commit();
  const whole = copying.copy();
  assert.equal(whole.checkpointed, whole.log);
  assertWhole(path, rows());
  // The log begins anew, and nothing of it is needed.
  commit();
  assert.ok(look().log < whole.log);
  copying.copy();
  assertWhole(path, rows());
});

test('when the thread fails the writer copies, and tries the thread again after a while', async (t) => {
  const { path, commit, stop, rows, told, checkpoints, database, opened } = setUp(t, 'alone', LIMITS, 'another');
  assert.equal((await renewals(commit, 40)).times, 40);
  assert.deepEqual(
    told.map(({ of }) => of),
    ['thread'],
  );
  assert.match(`${told[0]?.why}`, /replaced by another file/);
  checkpoints.closed();
  checkpoints.opened(database, opened);
  await renewals(commit, 40);
  assert.deepEqual(told.slice(1), [{ of: 'thread', why: undefined }]);
  await stop();
  assertWhole(path, rows());
});

test('a log that somebody keeps from being copied is told of, once', async (t) => {
  const { path, commit, told } = setUp(t, 'told', { ...LIMITS, pagesToTell: 300 });
  commit();
  const reader = new DatabaseSync(path, { readOnly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM t').get();
  for (const endsMs = performance.now() + FOR_MS; commit().log < 600 && performance.now() < endsMs; ) await sleep(0);
  reader.exec('COMMIT');
  reader.close();
  await renewals(commit, 1);
  assert.match(`${told[0]?.why}`, /^it has 3\d\d pages$/);
  assert.deepEqual(told.slice(1), [{ of: 'length', why: undefined }]);
});

test('what was copied before the writer opened the file counts no more: who was told that it failed may be gone', (t) => {
  const { path, database, commit, rows, look, opened } = openWal(t, join(folder, 'opened.sqlite'));
  const before = readFileSync(path);
  for (let i = 0; i < 20; i++) commit();
  database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  lose(path, before);
  const checkpoints = new SqliteCheckpoints(() => {}, { ...LIMITS, pagesOfRest: 10_000 });
  t.after(() => checkpoints.closed());
  checkpoints.opened(database, opened);
  assert.equal(look().checkpointed, 0);
  commit();
  checkpoints.committed();
  assert.ok(isWhole(look()));
  assertWhole(path, rows());
});

test('of a link the file that it leads to is copied to, with the log beside that', async (t) => {
  const link = join(folder, 'link.sqlite');
  mkdirSync(join(folder, 'linked'));
  symlinkSync(join(folder, 'linked', 'to.sqlite'), link);
  const { commit, look, database, opened } = openWal(t, link);
  assert.equal(opened.log, fileIdentity(join(folder, 'linked', 'to.sqlite-wal')));
  const told: LogTrouble[] = [];
  const checkpoints = new SqliteCheckpoints((trouble) => told.push(trouble), LIMITS);
  t.after(() => checkpoints.closed());
  checkpoints.opened(database, opened);
  const go = (): LogState => {
    commit();
    checkpoints.committed();
    return look();
  };
  assert.equal((await renewals(go, 2)).times, 2);
  assert.ok(checkpoints.hasThread);
  assert.deepEqual(told, []);
});

test('who ends the checkpoints waits for the pass that is under way', async (t) => {
  const { commit, look, checkpoints } = setUp(t, 'end');
  while (!checkpoints.hasThread) commit();
  await checkpoints.end();
  const ended = look();
  assert.ok(ended.checkpointed > 0);
  await sleep(50);
  assert.deepEqual(look(), ended);
});

test('the thread ends when it has nothing to do, and is there again when it has', async (t) => {
  const { commit, checkpoints, told } = setUp(t, 'idle', { ...LIMITS, idleMs: 50 });
  assert.equal((await renewals(commit, 2)).times, 2);
  for (const endsMs = performance.now() + FOR_MS; checkpoints.hasThread && performance.now() < endsMs; )
    await sleep(20);
  assert.equal(checkpoints.hasThread, false);
  const { times, alone } = await renewals(commit, 3);
  assert.equal(times, 3);
  assert.ok(alone < times, `${alone} of them without the thread`);
  assert.deepEqual(told, []);
});

for (const { what, put, outcome } of [
  {
    what: 'nothing',
    put: ({ path }: { path: string }) => renameSync(path, `${path}-moved`),
    outcome: /unable to open database file/,
  },
  {
    what: 'another file',
    put({ path }: { path: string }) {
      renameSync(path, `${path}-moved`);
      const other = new DatabaseSync(`${path}-other`);
      other.exec('PRAGMA journal_mode = WAL; CREATE TABLE restored (n INTEGER)');
      other.close();
      renameSync(`${path}-other`, path);
    },
    outcome: /it was replaced by another file/,
  },
  {
    what: 'another log',
    put({ path }: { path: string }) {
      const log = readFileSync(`${path}-wal`);
      rmSync(`${path}-wal`);
      writeFileSync(`${path}-wal-other`, log);
      renameSync(`${path}-wal-other`, `${path}-wal`);
    },
    outcome: /its log was replaced by another file/,
  },
]) {
  test(`the thread leaves the files alone when ${what} took the place of the writer's`, async (t) => {
    const { path, commit, opened } = openWal(t, join(folder, `${what.replace(' ', '-')}.sqlite`));
    for (let i = 0; i < 5; i++) commit();
    put({ path });
    const bytes = () => [path, `${path}-wal`].map((name) => (existsSync(name) ? readFileSync(name) : null));
    const before = bytes();
    const module = new URL('./sqlite-checkpoint-worker.ts', import.meta.url);
    const thread = startWorker<CheckpointRequest, PassOutcome>(module, {
      ...{ opened, descriptors: [], idleMs: 60_000 },
    } satisfies CheckpointWorkerData);
    t.after(() => thread.stop());
    const ended = Promise.withResolvers<PassOutcome>();
    thread.onMessage(ended.resolve);
    thread.onExit(ended.reject);
    thread.post('copy');
    const found = await ended.promise;
    assert.equal(found.outcome, 'failed');
    assert.match(found.outcome === 'failed' ? found.why : '', outcome);
    await thread.stop();
    assert.deepEqual(bytes(), before);
  });
}
