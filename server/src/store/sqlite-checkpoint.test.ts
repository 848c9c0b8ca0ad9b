import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteCheckpoints } from './sqlite-checkpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
after(() => rmSync(folder, { recursive: true }));

const LIMITS = { pagesToCopy: 100, pagesOfRest: 0, pagesAfterFailure: 50, pagesAtMost: 100_000 };
const FOR_MS = 10_000;

function setUp(context: TestContext, name: string) {
  const path = join(folder, `${name}.sqlite`);
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER, text TEXT)');
  const checkpoints = new SqliteCheckpoints(database, path, LIMITS);
  const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
  const look = database.prepare('PRAGMA wal_checkpoint(NOOP)');
  let count = 0;
  const commit = (): { log: number; checkpointed: number } => {
    database.exec('BEGIN');
    for (let i = 0; i < 10; i++) insert.run(count++, 'x'.repeat(1_000));
    database.exec('COMMIT');
    checkpoints.committed();
    return look.get() as { log: number; checkpointed: number };
  };
  const stop = async () => {
    await checkpoints.close();
    if (database.isOpen) database.close();
  };
  context.after(stop);
  return { path, commit, stop, rows: () => count };
}

/** How often the log began anew, and how often the commit before that had copied all of it by itself. */
async function renewals(commit: () => { log: number; checkpointed: number }, wanted: number) {
  let [times, alone, last, copied] = [0, 0, 0, 0];
  for (const endsMs = performance.now() + FOR_MS; times < wanted && performance.now() < endsMs; ) {
    const { log, checkpointed } = commit();
    if (log < last) times += 1;
    if (copied === 0 && checkpointed === log) alone += 1;
    [last, copied] = [log, checkpointed];
    await sleep(0);
  }
  return { times, alone };
}

test('a log that is always being written begins anew all the same, and all of it is in the database', async (t) => {
  const { path, commit, stop, rows } = setUp(t, 'busy');
  const { times, alone } = await renewals(commit, 6);
  assert.equal(times, 6);
  // Also where the thread was through with all of it just before it was looked at.
  assert.ok(alone < times, `${alone} of them without the thread`);
  await stop();
  const found = new DatabaseSync(path, { readOnly: true });
  assert.deepEqual(
    { ...found.prepare('SELECT count(*) AS count, max(n) AS last FROM t').get() },
    {
      count: rows(),
      last: rows() - 1,
    },
  );
  assert.deepEqual({ ...found.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  found.close();
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

test('without the thread sqlite does it, later', async (t) => {
  const { path } = setUp(t, 'alone');
  const other = new DatabaseSync(path);
  const checkpoints = new SqliteCheckpoints(other, path);
  assert.deepEqual({ ...other.prepare('PRAGMA wal_autocheckpoint').get() }, { wal_autocheckpoint: 24_000 });
  await checkpoints.close();
  other.close();
});
