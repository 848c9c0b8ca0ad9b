import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeSmallDisk, smallDiskMissing } from '../../../e2e/engines/small-disk.ts';
import { keyOf, writeOf } from './contract-tools.ts';
import { destroyPages, leavesOf } from './damage-for-tests.ts';
import { createTestHost } from './host-for-tests.ts';
import { createSqliteStore } from './sqlite.ts';
import { backupSqlite } from './sqlite-backup.ts';

test('a file whose structure is damaged is named, with what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-backup-'));
  const host = createTestHost();
  const path = join(folder, 'store.sqlite');
  const store = createSqliteStore(host, { path: join(folder, 'made') });
  try {
    await store.start();
    for (let i = 0; i < 200; i += 1) await store.putConfig(writeOf(`c.${i}`, 'x'.repeat(100)));
    await backupSqlite(host, join(folder, 'made'), path);
    await destroyPages(path, leavesOf('config', path).slice(1, 3));
    const message = /^sqlite file \S+\/store\.sqlite: it is damaged \(.*\)\. .*nacos-kube store rebuild/;
    await assert.rejects(backupSqlite(host, path, join(folder, 'copy.sqlite')), { kind: 'misconfigured', message });
    assert.ok(!(await readdir(folder)).some((name) => name.startsWith('copy')));
  } finally {
    await store.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a full disk below a copy is named, leaves nothing of it, and the store alone', {
  skip: smallDiskMissing(),
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nacos-kube-backup-'));
  const disk = await makeSmallDisk(1);
  const host = createTestHost();
  const path = join(folder, 'store.sqlite');
  const store = createSqliteStore(host, { path });
  try {
    await store.start();
    await store.putConfig(writeOf('large', 'x'.repeat(2_000_000)));
    const to = join(disk.path, 'copy.sqlite');
    const message = `sqlite file ${to}.part: the disk is full (database or disk is full)`;
    await assert.rejects(backupSqlite(host, path, to), { kind: 'read-only', message });
    assert.deepEqual(await readdir(disk.path), []);
    await store.putConfig(writeOf('later', 'x'));
    await backupSqlite(host, path, join(folder, 'copy.sqlite'));
    const copy = createSqliteStore(host, { path: join(folder, 'copy.sqlite') });
    await copy.start();
    assert.equal((await copy.getConfig(keyOf('later')))?.content, 'x');
    await copy.stop();
  } finally {
    await store.stop();
    await disk.remove();
    await rm(folder, { recursive: true });
  }
});
