import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '@nacos-kube/core/host/host.ts';
import { dumpName, dumpPath } from './dump-file.ts';
import { SETTLE_MS, UNSETTLED_MAX, Unsettled } from './dump-unsettled.ts';
import { createFakeHost } from './fake-host.ts';

test('a file that cannot be synced holds up no other', async () => {
  const { host, unsettled, failures, file, note } = setUp();
  for (let i = 0; i < 40; i += 1) await note(`k${i}`);
  const { sync } = host.disk;
  const bad = dumpPath('data', file('k0', 'new'));
  Object.assign(host.disk, {
    sync: async (path: string) => {
      if (path === bad) throw new DiskError('io', path);
      return sync(path);
    },
  });
  await host.advance(SETTLE_MS);
  assert.equal(unsettled.size, 1);
  assert.equal(failures.length, 1);
  assert.equal(host.files.size, 41);
});

test('a file whose sync failed counts for nothing until it is written again, whatever the next sync says', async () => {
  const { host, unsettled, file, note } = setUp();
  await note('k');
  const { sync } = host.disk;
  let isFailing = true;
  const syncOrFail = async (path: string) => {
    if (isFailing) throw new DiskError('io', path);
    return sync(path);
  };
  Object.assign(host.disk, { sync: syncOrFail });
  await assert.rejects(unsettled.settleRest(), { kind: 'io' });
  isFailing = false;
  assert.ok(unsettled.isSuspect('k', file('k', 'new')));
  await assert.rejects(unsettled.settleRest(), { kind: 'io' });
  await host.advance(3 * SETTLE_MS);
  assert.equal(host.files.size, 2, 'the older text stays meanwhile');
  await unsettled.discard('k', [file('k', 'old')]);
  await unsettled.settleRest();
  assert.equal(unsettled.size, 0);
});

test('names that went are synced, and tried again when that fails', async () => {
  const { host, unsettled, failures, file, note } = setUp();
  await note('other');
  const synced: string[] = [];
  let isFailing = true;
  const sync = async (path: string) => {
    if (isFailing) throw new DiskError('io', path);
    synced.push(path);
  };
  unsettled.noteRemoved('k');
  const leaf = dumpPath('data', file('k', 'new')).split('/').slice(0, -1).join('/');
  Object.assign(host.disk, { sync });
  await host.advance(SETTLE_MS);
  assert.equal(failures.length, 2);
  isFailing = false;
  await host.advance(SETTLE_MS);
  assert.ok(synced.includes(leaf));
  synced.length = 0;
  await host.advance(SETTLE_MS);
  assert.deepEqual(synced, []);
});

test('a file that cannot be removed holds up no other, and is left to the next full dump', async () => {
  const { host, unsettled, failures, file, note } = setUp();
  for (let i = 0; i < 40; i += 1) await note(`k${i}`);
  const { remove } = host.disk;
  const bad = dumpPath('data', file('k0', 'old'));
  Object.assign(host.disk, {
    remove: async (path: string) => {
      if (path === bad) throw new DiskError('denied', path);
      return remove(path);
    },
  });
  await host.advance(SETTLE_MS);
  assert.equal(unsettled.size, 0);
  assert.equal(failures.length, 1);
  assert.equal(host.files.size, 41);
});

test('where the newest file is lost the one before it stays, and none is made', async () => {
  const { host, unsettled, file, note } = setUp();
  await note('k');
  host.files.delete(dumpPath('data', file('k', 'new')));
  await host.advance(SETTLE_MS);
  assert.equal(unsettled.size, 0);
  assert.deepEqual([...host.files.keys()], [dumpPath('data', file('k', 'old'))]);
});

test('the newest is synced before another goes', async () => {
  const { host, file, note } = setUp();
  await note('k');
  const done: string[] = [];
  const { remove } = host.disk;
  Object.assign(host.disk, {
    sync: async (path: string) => void done.push(`sync ${path}`),
    remove: async (path: string) => {
      done.push(`remove ${path}`);
      return remove(path);
    },
  });
  await host.advance(SETTLE_MS);
  const [newest, old] = [dumpPath('data', file('k', 'new')), dumpPath('data', file('k', 'old'))];
  const leaf = newest.slice(0, newest.lastIndexOf('/'));
  assert.deepEqual(done, [`sync ${newest}`, `remove ${old}`, `sync ${leaf}`]);
});

test('more than there is room for is told, and settled in one run', async () => {
  const { host, unsettled, note, alone } = setUp();
  for (let i = 0; i < UNSETTLED_MAX; i += 1) await note(`k${i}`);
  assert.ok(unsettled.isFull);
  await host.advance(SETTLE_MS);
  for (let turn = 0; unsettled.size > 0 && turn < UNSETTLED_MAX; turn += 1) await host.advance(1);
  assert.equal(unsettled.size, 0);
  assert.equal(alone.most, 1);
});

function setUp() {
  const host = createFakeHost();
  const failures: DiskError[] = [];
  const alone = { now: 0, most: 0 };
  const unsettled = new Unsettled(host, 'data', {
    async alone(work) {
      alone.now += 1;
      alone.most = Math.max(alone.most, alone.now);
      await work();
      alone.now -= 1;
    },
    failed: (error) => failures.push(error),
  });
  const file = (key: string, text: string) => dumpName(key, { md5: text, type: 'text' });
  const note = async (key: string) => {
    for (const text of ['old', 'new']) host.files.set(dumpPath('data', file(key, text)), new Uint8Array());
    await unsettled.note(key, file(key, 'new'), [file(key, 'old')]);
  };
  return { host, unsettled, failures, alone, file, note };
}
