import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { dumpName, dumpPath, viewKey, writeDumpFile } from '../config/dump-file.ts';
import { keyOf, md5, writeOf } from '../store/contract-tools.ts';
import { destroyPages, leavesOf } from '../store/damage-for-tests.ts';
import { createTestHost } from '../store/host-for-tests.ts';
import { RecordCopy } from '../store/record-copy.ts';
import { createSqliteStore } from '../store/sqlite.ts';
import { backupSqlite } from '../store/sqlite-backup.ts';
import type { Store, StoredRecord } from '../store/store.ts';
import { rebuildSqlite } from './rebuild.ts';

const CONFIGS = 120;
const RECORDS = ['a', 'b', 'c'].map((key): StoredRecord => ({ kind: 'service', key, value: `{"of":"${key}"}` }));
const host = createTestHost();

describe('a damaged sqlite file', () => {
  let data: string;
  let path: string;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'nacos-kube-rebuild-'));
    path = join(data, 'store.sqlite');
    const made = createSqliteStore(host, { path: join(data, 'made') });
    await made.start();
    for (let i = 0; i < CONFIGS; i += 1) {
      await made.putConfig(writeOf(`c.${i}`, textOf(i), { appName: 'shop', tags: ['t'] }));
    }
    await made.putConfig(writeOf('removed', 'x'));
    await made.removeConfig(keyOf('removed'), { ip: '', user: null });
    await made.putRecords(RECORDS);
    await backupSqlite(host, join(data, 'made'), path);
    await made.stop();
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  /** As a node does behind what it serves. */
  async function makeCopies(): Promise<void> {
    for (let i = 0; i < CONFIGS; i += 1) await dump(`c.${i}`, textOf(i));
    await dump('removed', 'x');
    const copy = new RecordCopy(host, `${data}/records`, 'service');
    copy.follow(() => RECORDS);
    await copy.stop();
    await host.disk.write(`${data}/config/whole`, '{}');
  }

  async function dump(dataId: string, content: string): Promise<void> {
    const facts = { key: keyOf(dataId), md5: md5(content), type: 'text', modifiedMs: 1 } as const;
    const name = dumpName(viewKey(groupKey(keyOf(dataId)), undefined), facts);
    const bytes = writeDumpFile(facts, Buffer.from(content), { generation: 0, writtenMs: 0 });
    await host.disk.write(dumpPath(`${data}/config`, name), bytes);
  }

  async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const store = createSqliteStore(host, { path });
    try {
      await store.start();
      return await work(store);
    } finally {
      await store.stop();
    }
  }

  async function requireAll(): Promise<void> {
    await withStore(async (store) => {
      for (let i = 0; i < CONFIGS; i += 1) assert.equal((await store.getConfig(keyOf(`c.${i}`)))?.content, textOf(i));
      assert.deepEqual((await store.scanRecords('service', 10)).items, RECORDS);
    });
  }

  it('is left alone when it is whole', async () => {
    assert.equal(await rebuildSqlite({ host, path, data }), undefined);
    await requireAll();
  });

  it('of which pages were destroyed is made whole by the copies, and keeps what could be read', async () => {
    await makeCopies();
    await destroyPages(path, leavesOf('config', path).slice(3, 6));
    const rebuilt = (await rebuildSqlite({ host, path, data }))!;
    assert.ok(rebuilt.copied > 0 && rebuilt.salvaged > CONFIGS, JSON.stringify(rebuilt));
    await requireAll();
    await withStore(async (store) => {
      const { items } = await store.scanConfigs(1000);
      const facts = items.filter(({ appName, tags }) => appName === 'shop' && tags[0] === 't');
      assert.ok(facts.length > CONFIGS / 2, `${facts.length} kept their facts`);
      assert.ok(items.length - facts.length <= rebuilt.copied);
      assert.equal((await store.searchHistory(keyOf('removed'), 0, 10)).total, 2);
    });
    const names = await readdir(data);
    assert.ok(names.includes(rebuilt.aside!.slice(data.length + 1)), names.join());
    assert.deepEqual(
      names.filter((name) => /rebuil/.test(name)),
      [],
    );
  });

  it('tells of what something may be missing', async () => {
    await destroyPages(path, leavesOf('config', path).slice(3, 6));
    assert.deepEqual((await rebuildSqlite({ host, path, data }))!.lacking, ['config']);
    await makeCopies();
    await rm(path);
    const { lacking } = (await rebuildSqlite({ host, path, data }))!;
    assert.deepEqual(lacking, ['history', 'namespace', 'capacity', 'switch', 'instance']);
  });

  it('does not bring back what was removed, where the file tells', async () => {
    await makeCopies();
    await destroyPages(path, leavesOf('config_history', path).slice(0, 2));
    const rebuilt = (await rebuildSqlite({ host, path, data }))!;
    assert.equal(rebuilt.copied, 0);
    await requireAll();
    await withStore(async (store) => assert.equal(await store.getConfig(keyOf('removed')), undefined));
  });

  it('of which nothing can be read, or that is lost, is made of the copies alone', async () => {
    await makeCopies();
    await truncate(path, 100);
    const first = (await rebuildSqlite({ host, path, data }))!;
    assert.equal(first.salvaged, 0);
    await requireAll();
    await rm(path);
    const second = (await rebuildSqlite({ host, path, data }))!;
    assert.deepEqual([second.damage, second.aside], ['it is missing', undefined]);
    await requireAll();
  });

  it('is not touched when there is nothing to make it of', async () => {
    await truncate(path, 100);
    await assert.rejects(rebuildSqlite({ host, path, data }), { name: 'MoveError', message: /restore a backup/ });
    assert.equal((await stat(path)).size, 100);
    assert.deepEqual(
      (await readdir(data)).filter((name) => /rebuil|damaged/.test(name)),
      [],
    );
  });

  it('whose rebuild was broken off at the last step is not taken for an empty store', async () => {
    await host.disk.rename(path, `${path}.rebuilt`);
    await assert.rejects(
      withStore(async () => {}),
      /store\.sqlite\.rebuilt is there: a rebuild was broken off/,
    );
    // Made again it would have less: the damaged file is aside.
    await makeCopies();
    await assert.rejects(rebuildSqlite({ host, path, data }), { name: 'MoveError', message: /rename that file/ });
    await host.disk.rename(`${path}.rebuilt`, path);
    await requireAll();
    await withStore(async (store) => assert.equal((await store.searchHistory(keyOf('removed'), 0, 10)).total, 2));
  });
});

function textOf(i: number): string {
  return `${i} ${'x'.repeat(1500)}`;
}
