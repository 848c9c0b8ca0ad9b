import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '@nacos-kube/core/host/host.ts';
import { dumpName, dumpPath } from './dump-file.ts';
import { SETTLE_MS, SUPERSEDED_MAX, Superseded } from './dump-superseded.ts';
import { createFakeHost } from './fake-host.ts';

test('a file that cannot be synced holds up no other', async () => {
  const { host, superseded, failures, file, note } = setUp();
  for (let i = 0; i < 40; i += 1) await note(`k${i}`);
  const { append } = host.disk;
  const bad = dumpPath('data', file('k0', 'new'));
  Object.assign(host.disk, {
    append: async (path: string) => {
      if (path === bad) throw new DiskError('io', path);
      return append(path);
    },
  });
  await host.advance(SETTLE_MS);
  assert.equal(superseded.size, 1);
  assert.equal(failures.length, 1);
  assert.equal(host.files.size, 41);
});

test('a file that cannot be removed holds up no other, and is left to the next full dump', async () => {
  const { host, superseded, failures, file, note } = setUp();
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
  assert.equal(superseded.size, 0);
  assert.equal(failures.length, 1);
  assert.equal(host.files.size, 41);
});

test('where the newest file is lost the one before it stays, and none is made', async () => {
  const { host, superseded, file, note } = setUp();
  await note('k');
  host.files.delete(dumpPath('data', file('k', 'new')));
  await host.advance(SETTLE_MS);
  assert.equal(superseded.size, 0);
  assert.deepEqual([...host.files.keys()], [dumpPath('data', file('k', 'old'))]);
});

test('the newest is synced before another goes', async () => {
  const { host, file, note } = setUp();
  await note('k');
  const done: string[] = [];
  const { append, remove } = host.disk;
  Object.assign(host.disk, {
    append: async (path: string) => ({ ...(await append(path)), sync: async () => void done.push(`sync ${path}`) }),
    remove: async (path: string) => {
      done.push(`remove ${path}`);
      return remove(path);
    },
  });
  await host.advance(SETTLE_MS);
  const [newest, old] = [dumpPath('data', file('k', 'new')), dumpPath('data', file('k', 'old'))];
  assert.deepEqual(done, [`sync ${newest}`, `remove ${old}`]);
});

test('more than there is room for are settled at once, in one run, and the rest is left to the next full dump', async () => {
  const { host, superseded, note, alone } = setUp();
  for (let i = 0; i < SUPERSEDED_MAX + 20; i += 1) await note(`k${i}`);
  assert.equal(superseded.size, SUPERSEDED_MAX);
  await host.advance(1);
  assert.ok(superseded.size < SUPERSEDED_MAX);
  for (let i = 0; i < 1_000; i += 1) await note(`more${i}`);
  await host.advance(1);
  assert.equal(alone.most, 1);
});

function setUp() {
  const host = createFakeHost();
  const failures: DiskError[] = [];
  const alone = { now: 0, most: 0 };
  const superseded = new Superseded(host, 'data', {
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
    await superseded.note(key, file(key, 'new'), [file(key, 'old')]);
  };
  return { host, superseded, failures, alone, file, note };
}
