import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNodeDisk } from './disk.ts';
import { FileThread, TASKS_WORTH_A_THREAD } from './file-thread.ts';
import { createLog } from './log.ts';

const log = createLog({ process: 'test', level: 'off', format: 'text', now: () => 0, write: () => {} });
const disk = createNodeDisk(log);
const root = await mkdtemp(join(tmpdir(), 'nacos-kube-disk-'));
after(() => rm(root, { recursive: true, force: true }));
const text = async (path: string) => Buffer.from(await disk.read(path)).toString();

test('a write makes directories, replaces the file as a whole and leaves nothing else behind', async () => {
  const path = join(root, 'a/b/config');
  await disk.write(path, 'one', { sync: true, mode: 0o600 });
  await disk.write(path, new TextEncoder().encode('two'), { sync: true, mode: 0o600 });
  assert.equal(await text(path), 'two');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await disk.list(join(root, 'a/b')), ['config']);
});

test('a write that fails takes its temporary file away and says what failed', async () => {
  const path = join(root, 'taken');
  await disk.makeDirectory(join(path, 'child'));
  await assert.rejects(disk.write(path, 'x'), { name: 'DiskError', kind: 'io' });
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.includes('.tmp')),
    [],
  );
});

test('what is missing is told, or fine, as each call promises', async () => {
  const nowhere = join(root, 'nowhere');
  await assert.rejects(disk.read(nowhere), { name: 'DiskError', kind: 'missing' });
  await assert.rejects(disk.rename(nowhere, join(root, 'x')), { kind: 'missing' });
  assert.deepEqual(await disk.list(nowhere), []);
  assert.equal(await disk.stat(nowhere), undefined);
  await disk.remove(nowhere);
});

test('a disk that is full is told as such', { skip: process.platform !== 'linux' }, async () => {
  const file = await disk.append('/dev/full');
  await assert.rejects(file.write('x'), { name: 'DiskError', kind: 'full' });
  await file.close();
});

test('appends land in the order in which they were asked for', async () => {
  const path = join(root, 'journal/log');
  const file = await disk.append(path);
  await Promise.all(['a', 'b', 'c', 'd'].map((letter) => file.write(letter.repeat(3))));
  await file.sync();
  await file.close();
  const again = await disk.append(path);
  await again.write('e');
  await again.close();
  await assert.rejects(again.write('f'), { name: 'DiskError', kind: 'io' });
  assert.equal(await text(path), 'aaabbbcccddde');
  assert.equal((await disk.stat(path))?.bytes, 13);
});

test('what is asked for together comes to the same as one by one', async () => {
  const at = (n: number) => join(root, 'together', `${n % 3}`, `file${n}`);
  await disk.makeDirectory(at(7));
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  const writes = await Promise.allSettled(
    numbers.map((n) => disk.write(at(n), `text ${n}`, { mode: 0o600, sync: n % 2 === 0 })),
  );
  assert.deepEqual(
    writes.flatMap((write, n) => (write.status === 'rejected' ? [[n, write.reason.name, write.reason.kind]] : [])),
    [[7, 'DiskError', 'io']],
  );
  assert.equal(await text(at(8)), 'text 8');
  assert.equal((await stat(at(8))).mode & 0o777, 0o600);
  const lists = await Promise.all(numbers.map((n) => disk.list(join(root, 'together', `${n}`))));
  assert.deepEqual(
    lists.map((names) => names.length),
    numbers.map((n) => (n < 3 ? 10 : 0)),
  );
  assert.deepEqual(lists[0], lists[0]!.toSorted());
  await Promise.all(numbers.map((n) => disk.remove(at(n))));
  await Promise.all(numbers.map((n) => disk.remove(at(n))));
  assert.deepEqual(await readdir(join(root, 'together', '1')), []);
});

test('files and directories are synced, one by one and together', async () => {
  const at = (n: number) => join(root, 'synced', `${n}`);
  for (let n = 0; n < 2 * TASKS_WORTH_A_THREAD; n += 1) await disk.write(at(n), 'text');
  await disk.sync(at(0));
  await disk.sync(join(root, 'synced'));
  await Promise.all(Array.from({ length: 2 * TASKS_WORTH_A_THREAD }, (_, n) => disk.sync(at(n))));
  await assert.rejects(disk.sync(at(99)), { name: 'DiskError', kind: 'missing' });
  const outcomes = await Promise.allSettled(
    Array.from({ length: TASKS_WORTH_A_THREAD }, (_, n) => disk.sync(at(n + 99))),
  );
  for (const outcome of outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason.kind, 'missing');
});

test('what the thread for files leaves undone is done without it', async () => {
  const thread = new FileThread(new URL('data:text/javascript,throw new Error("broken")'));
  const ask = () => thread.ask({ do: 'list', path: root }, async () => ['alone']);
  for (const _ of ['it breaks', 'it is not tried again at once']) {
    const outcomes = await Promise.all(Array.from({ length: TASKS_WORTH_A_THREAD }, ask));
    assert.ok(outcomes.every((outcome) => Array.isArray(outcome) && outcome[0] === 'alone'));
  }
});

test('names are listed in order, and a directory is removed whole', async () => {
  for (const name of ['b', 'a', 'c']) await disk.write(join(root, 'many', name), name);
  assert.deepEqual(await disk.list(join(root, 'many')), ['a', 'b', 'c']);
  await disk.remove(join(root, 'many'));
  assert.deepEqual(await disk.list(join(root, 'many')), []);
});

/** Waits for the watch itself to speak; a watch that never does fails by the runner's own time. */
function nextReport(directory: string): { reported: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = disk.watch(directory, resolve);
  return { reported: promise, cancel: () => timer.cancel() };
}

test('a watch reports a new file', async () => {
  const directory = join(root, 'watched');
  await disk.makeDirectory(directory);
  const watch = nextReport(directory);
  await disk.write(join(directory, 'x'), '1');
  await watch.reported;
  watch.cancel();
});

test('a watch reports the swap of a mounted ConfigMap', async () => {
  const directory = join(root, 'mounted');
  for (const generation of ['g1', 'g2']) await disk.write(join(directory, generation, 'cluster.conf'), generation);
  await symlink('g1', join(directory, '..data'));
  await symlink('..data/cluster.conf', join(directory, 'cluster.conf'));
  const watch = nextReport(directory);
  await symlink('g2', join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  await watch.reported;
  assert.equal(await text(join(directory, 'cluster.conf')), 'g2');
  watch.cancel();
});

test('a watch on a directory that is made later reports what comes into it', async () => {
  const directory = join(root, 'later');
  const watch = nextReport(directory);
  await disk.makeDirectory(directory);
  await writeFile(join(directory, 'x'), '1');
  await watch.reported;
  watch.cancel();
});
