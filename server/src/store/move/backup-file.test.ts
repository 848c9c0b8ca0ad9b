import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTestHost } from '../host-for-tests.ts';
import { createMemoryDatabase, createMemoryStore } from '../memory.ts';
import { writeBackup } from './backup.ts';
import { BackupSource, checkBackup } from './backup-source.ts';
import { copyStore } from './copy.ts';
import { Patience } from './patience.ts';
import { Progress } from './progress.ts';
import { fillStore, rowsOf } from './store-for-tests.ts';
import { StoreSource } from './store-source.ts';
import { StoreTarget } from './store-target.ts';

const host = createTestHost();
let folder: string;
let path: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nacos-kube-backup-'));
  path = join(folder, 'store.backup');
});
after(() => rm(folder, { recursive: true, force: true }));

const isStopped = () => false;
const patience = new Patience(host, 0);

async function memoryStore() {
  const store = createMemoryStore(host, createMemoryDatabase());
  await store.start();
  return store;
}

async function backedUp() {
  const store = await memoryStore();
  await fillStore(store);
  const source = new StoreSource(store, 'memory', patience);
  const progress = new Progress(host.clock, () => {});
  const rows = await writeBackup({ host, source, kind: 'memory', path, progress, isStopped });
  return { store, rows };
}

test('a backup is restored as it was, ids, times and past writes included', async () => {
  const { store, rows } = await backedUp();
  const facts = await checkBackup(path);
  assert.equal(facts.rows, rows);
  assert.equal(facts.header.kind, 'memory');
  const restored = await memoryStore();
  const target = new StoreTarget(restored, 'restored', patience);
  const progress = new Progress(host.clock, () => {});
  const statePath = join(folder, 'state');
  const source = new BackupSource(path, facts);
  const result = await copyStore({ host, source, target, statePath, isIntoExisting: false, progress, isStopped });
  assert.deepEqual(result, { wrong: [], compared: rows });
  assert.deepEqual(await rowsOf(restored), await rowsOf(store));
});

test('a restore that was stopped goes on with the same backup only, not with another of the same name', async () => {
  await backedUp();
  const restored = await memoryStore();
  const statePath = join(folder, 'other-state');
  const restore = async (isStopped: () => boolean) => {
    const target = new StoreTarget(restored, 'restored', patience);
    const source = new BackupSource(path, await checkBackup(path));
    const progress = new Progress(host.clock, () => {});
    return copyStore({ host, source, target, statePath, isIntoExisting: true, progress, isStopped });
  };
  let pages = 0;
  const onceCopied = () => ++pages > 1;
  await assert.rejects(restore(onceCopied), { name: 'MoveStoppedError' });
  const bytes = await readFile(path);
  const { store } = await backedUp();
  const refusal =
    /other-state is the state of a copy from another backup .*store\.backup, which was replaced since: remove/;
  await assert.rejects(restore(isStopped), { name: 'MoveError', message: refusal });
  // One of an earlier release does not tell which it was.
  const { identity: _, ...earlier } = JSON.parse(await readFile(statePath, 'utf8')) as Record<string, unknown>;
  await writeFile(path, bytes);
  const state = await readFile(statePath);
  await writeFile(statePath, JSON.stringify(earlier));
  await assert.rejects(restore(isStopped), { name: 'MoveError', message: refusal });
  await writeFile(statePath, state);
  assert.deepEqual((await restore(isStopped)).wrong, []);
  assert.equal((await rowsOf(restored)).length, (await rowsOf(store)).length);
});

test('what came while it was written is in it, and what went is not', async () => {
  const store = await memoryStore();
  await fillStore(store, 500);
  const plain = new StoreSource(store, 'memory', patience);
  const source = Object.assign(Object.create(plain) as StoreSource, {
    async *pages(cursor?: string) {
      let isFirst = cursor === undefined;
      for await (const page of plain.pages(cursor)) {
        yield page;
        if (!isFirst || !page.rows.some(({ what }) => what === 'config')) continue;
        isFirst = false;
        await store.removeConfig({ dataId: 'c.0', group: 'g', namespaceId: '' }, { ip: '', user: null });
        await store.removeVariant({ dataId: 'c.1', group: 'g', namespaceId: '' }, { kind: 'beta' });
        await store.removeRecord('service', 'public##DEFAULT_GROUP@@demo');
      }
    },
    place: 'memory',
    revision: () => plain.revision(),
    changes: (from: number) => plain.changes(from),
  });
  const progress = new Progress(host.clock, () => {});
  await writeBackup({ host, source, kind: 'memory', path, progress, isStopped });
  const restored = await memoryStore();
  const target = new StoreTarget(restored, 'restored', patience);
  const result = await copyStore({
    ...{
      host,
      source: new BackupSource(path, await checkBackup(path)),
      target,
      statePath: join(folder, 'state'),
      isIntoExisting: false,
    },
    ...{ progress, isStopped },
  });
  assert.deepEqual(result.wrong, []);
  const present = (rows: readonly unknown[]) => rows.filter((row) => (row as { what: string }).what !== 'history');
  assert.deepEqual(present(await rowsOf(restored)), present(await rowsOf(store)));
});

test('a backup that is damaged anywhere is refused', async () => {
  await backedUp();
  const whole = await readFile(path);
  const refused = async (bytes: Uint8Array, what: string) => {
    await writeFile(path, bytes);
    await assert.rejects(checkBackup(path), { name: 'MoveError' }, what);
  };
  for (let at = 0; at < whole.length; at += 7) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0x04;
    await refused(bytes, `a bit was flipped at ${at}`);
  }
  for (let length = 0; length < whole.length; length += 97)
    await refused(whole.subarray(0, length), `cut at ${length}`);
  const lines = whole.toString('utf8').split('\n');
  for (const missing of [0, 1, 5, lines.length - 2]) {
    await refused(Buffer.from(lines.filter((_, i) => i !== missing).join('\n')), `without line ${missing}`);
  }
  await refused(Buffer.concat([whole, Buffer.from('x\n')]), 'with something behind it');
  await refused(Buffer.from(whole.toString('utf8').replace('backup 1 ', 'backup 2 ')), 'of a later version');
  await refused(Buffer.from('Text\n'), 'no backup at all');
});

test('a backup that is stopped, or whose disk is full, leaves no file', async () => {
  const store = await memoryStore();
  await fillStore(store);
  const options = {
    ...{ host, source: new StoreSource(store, 'memory', patience), kind: 'memory', path: join(folder, 'none') },
    progress: new Progress(host.clock, () => {}),
  };
  await assert.rejects(writeBackup({ ...options, isStopped: () => true }), { name: 'MoveStoppedError' });
  await assert.rejects(readFile(join(folder, 'none')), { code: 'ENOENT' });
  await assert.rejects(readFile(join(folder, 'none.part')), { code: 'ENOENT' });
});
