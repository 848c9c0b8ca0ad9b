import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '@nacos-kube/core/host/host.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { ConfigCache } from './cache.ts';
import { DUMP_QUEUE_MAX, Dump } from './dump.ts';
import { checkDump } from './dump-check.ts';
import { dumpName, dumpPath } from './dump-file.ts';
import { UNSETTLED_MAX } from './dump-unsettled.ts';
import { createFakeHost } from './fake-host.ts';

test('a file that cannot be written holds up no other', async () => {
  const { host, dump, put } = setUp();
  const bad = dumpPath('data', dumpName('d0+g', { md5: contentMd5('text'), type: 'text' }));
  const { write } = host.disk;
  Object.assign(host.disk, {
    write: async (path: string, content: Uint8Array) => {
      if (path === bad) throw new DiskError('denied', path);
      return write(path, content);
    },
  });
  for (let i = 0; i < 20; i += 1) put(`d${i}`, 'text');
  await host.advance(1_000);
  assert.equal(dump.metrics().dumpQueue, 1);
  assert.equal(dump.metrics().dumpWrites, 19);
  assert.equal(dump.metrics().dumpFailing, 1);
  assert.equal(host.warnings.length, 1);
});

test('more changes than the queue takes are made up for by a check of the whole dump', async () => {
  const { host, dump, put, lost } = setUp();
  host.diskFault = 'full';
  for (let i = 0; i < DUMP_QUEUE_MAX + 10; i += 1) put(`d${i}`, 't');
  await host.advance(5_000);
  assert.equal(dump.metrics().dumpQueue, DUMP_QUEUE_MAX);
  assert.equal(lost.length, 0);
  host.diskFault = undefined;
  await host.advance(11_000);
  await dump.flush();
  assert.equal(dump.metrics().dumpQueue, 0);
  assert.equal(lost.length, 1);
});

test('a full dump waits for room in the queue, but not for a disk that fails', async () => {
  const { host, dump, put } = setUp();
  for (let i = 0; i < 2_000; i += 1) put(`d${i}`, 't');
  let isThrough = false;
  void dump.room().then(() => {
    isThrough = true;
  });
  await host.advance(50);
  assert.equal(isThrough, false);
  await dump.flush();
  assert.equal(isThrough, true);
  host.diskFault = 'full';
  for (let i = 0; i < 2_000; i += 1) put(`e${i}`, 't');
  const waiting = dump.room();
  await host.advance(1_000);
  await waiting;
  assert.ok(dump.metrics().dumpQueue > 1_000);
});

test('a content that left memory before its turn is taken from the store', async () => {
  const cache = new ConfigCache(4);
  const host = createFakeHost();
  const asked: string[] = [];
  const dump = new Dump(host, 'data', cache, async (config) => {
    asked.push(config.groupKey);
    return new TextEncoder().encode('1234');
  });
  dump.follow(() => undefined);
  for (const dataId of ['a', 'b']) {
    const row = { md5: contentMd5('1234'), type: 'text', modifiedMs: 0, revision: 1 } as const;
    cache.put({ ...row, key: { dataId, group: 'g', namespaceId: '' } }, new TextEncoder().encode('1234'));
  }
  await host.advance(1_000);
  assert.deepEqual(asked, ['a+g']);
  assert.equal(host.files.size, 2);
  const read = await dump.read(cache.get('a+g')!);
  assert.equal(new TextDecoder().decode(read), '1234');
});

test('at the stop everything queued is written, and a failing disk does not hold it up', async () => {
  const { host, dump, put } = setUp();
  put('d', 'text');
  await dump.stop();
  assert.equal(host.files.size, 1);
  host.diskFault = 'full';
  put('e', 'text');
  await dump.stop();
  assert.match(host.warnings.at(-1)!, /stays behind/);
});

test('all versions are removed, also one whose write failed after it stood there', async () => {
  const { host, cache, put } = setUp();
  const { write } = host.disk;
  put('d', 'one');
  await host.advance(1_000);
  let fails = true;
  Object.assign(host.disk, {
    write: async (path: string, content: Uint8Array) => {
      await write(path, content);
      if (!fails) return;
      fails = false;
      throw new DiskError('io', path);
    },
  });
  put('d', 'two');
  await host.advance(150);
  put('d', 'three');
  await host.advance(5_000);
  cache.remove('d+g');
  await host.advance(1_000);
  assert.deepEqual([...host.files.keys()], []);
});

test('a generation that cannot take its place holds up no publish, and is tried again each time later', async () => {
  const { host, dump, put, lost } = setUp();
  const tries: number[] = [];
  dump.follow(() => {
    tries.push(host.clock.monotonic());
    dump.noteUnfinished(new DiskError('full', 'whole'));
  });
  dump.noteUnfinished(new DiskError('full', 'whole'));
  const startMs = host.clock.monotonic();
  for (let i = 0; i < 70; i += 1) {
    put('d', `${i}`);
    await host.advance(1_000);
    assert.equal(dump.metrics().dumpQueue, 0);
  }
  assert.deepEqual(
    tries.map((ms) => ms - startMs),
    [10_000, 30_000, 70_000],
  );
  assert.equal(dump.metrics().dumpFailures, 4);
  dump.noteFinished();
  await host.advance(3_600_000);
  assert.equal(tries.length, 3);
  assert.equal(lost.length, 0);
});

test('a file that cannot be synced keeps the generation from its place, and is written again', async () => {
  const { host, dump, cache, put } = setUp();
  await checkDump(host, dump, cache);
  put('d', 'text');
  await host.advance(1_000);
  const { sync } = host.disk;
  let failures = 1;
  Object.assign(host.disk, {
    sync: async (path: string) => {
      if (failures-- > 0) throw new DiskError('io', path);
      return sync(path);
    },
  });
  await checkDump(host, dump, cache);
  assert.equal(await dump.generation(), 1);
  assert.equal(dump.metrics().dumpWrites, 1);
  await checkDump(host, dump, cache);
  assert.equal(await dump.generation(), 2);
  assert.equal(dump.metrics().dumpWrites, 2);
});

test('its figures say which generation a start would find, since when, and what is not on the platter', async () => {
  const { host, dump, cache, put } = setUp();
  const figures = () => {
    const { dumpGeneration, dumpAgeSeconds, dumpUnsettled } = dump.metrics();
    return [dumpGeneration, dumpAgeSeconds, dumpUnsettled];
  };
  assert.deepEqual(figures(), [0, -1, 0]);
  await checkDump(host, dump, cache);
  assert.deepEqual(figures(), [1, 0, 0]);
  put('d', 'text');
  await host.advance(30_000);
  assert.deepEqual(figures(), [1, 30, 1]);
  await host.advance(60_000);
  assert.deepEqual(figures(), [1, 90, 0]);
  const later = new Dump(host, 'data', cache, async () => undefined);
  await checkDump(host, later, cache);
  assert.equal(later.metrics().dumpGeneration, 2);
});

test('a generation counts once its files and all folders that lead to them are synced', async () => {
  const { host, cache, put } = setUp();
  put('d', 'text');
  const dump = new Dump(host, 'folder/data', cache, async () => undefined);
  const done: string[] = [];
  const { write } = host.disk;
  Object.assign(host.disk, {
    sync: async (path: string) => void done.push(path),
    write: async (path: string, content: Uint8Array) => {
      if (path.endsWith('/whole')) done.push('whole');
      return write(path, content);
    },
  });
  await checkDump(host, dump, cache);
  const file = dumpPath('folder/data', dumpName('d+g', { md5: contentMd5('text'), type: 'text' }));
  assert.equal(done.pop(), 'whole');
  assert.deepEqual(done.sort(), ['folder', file.slice(0, 'folder/data/00'.length), file].sort());
});

test('what is published is synced at once where too much waits for it', async () => {
  const { host, dump, put } = setUp();
  for (let i = 0; i <= UNSETTLED_MAX; i += 1) dump.unsettled.note(`k${i}`, 'name', []);
  put('d', 'text');
  const { write } = host.disk;
  const synced: unknown[] = [];
  Object.assign(host.disk, {
    write: async (path: string, content: Uint8Array, options: unknown) => {
      synced.push(options);
      return write(path, content);
    },
  });
  await host.advance(150);
  assert.deepEqual(synced, [{ sync: true }]);
});

test('what a full dump that began later made up for is not made up for again', async () => {
  const { host, dump, cache, put, lost } = setUp();
  for (let i = 0; i < DUMP_QUEUE_MAX + 10; i += 1) put(`d${i}`, 't');
  assert.equal(dump.losses, 10);
  let isChecked = false;
  void checkDump(host, dump, cache).then(() => {
    isChecked = true;
  });
  for (let i = 0; i < 10_000 && !isChecked; i += 1) await host.advance(10);
  assert.equal(dump.metrics().dumpWrites, DUMP_QUEUE_MAX + 10);
  assert.deepEqual(lost, []);
});

test('what the queue had no room for during a full dump keeps the generation from its place', async () => {
  const { host, dump, cache, put } = setUp();
  put('d', 'text');
  await host.advance(1_000);
  await checkDump(host, dump, cache);
  const { write } = host.disk;
  let marks = 0;
  let changes = 0;
  Object.assign(host.disk, {
    write: async (path: string, content: Uint8Array) => {
      if (path.endsWith('/whole')) marks += 1;
      else for (; changes < DUMP_QUEUE_MAX + 2; changes += 1) put(`d${changes}`, 't');
      return write(path, content);
    },
  });
  host.files.clear();
  await checkDump(host, dump, cache);
  assert.ok(dump.losses > 0);
  assert.equal(marks, 0);
});

function setUp() {
  const host = createFakeHost();
  const cache = new ConfigCache();
  const dump = new Dump(host, 'data', cache, async () => undefined);
  const lost: string[] = [];
  dump.follow(() => lost.push('lost'));
  const put = (dataId: string, content: string) => {
    const row = { md5: contentMd5(content), type: 'text', modifiedMs: 0, revision: 1 } as const;
    cache.put({ ...row, key: { dataId, group: 'g', namespaceId: '' } }, new TextEncoder().encode(content));
  };
  return { host, cache, dump, put, lost };
}
