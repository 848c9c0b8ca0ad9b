import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryDatabase } from '../store/memory.ts';
import { DUMP_DELAY_MS } from './dump.ts';
import { BUSY_CHANGES, DUMP_FILES_PER_BUSY_TURN, DUMP_FILES_PER_TURN } from './dump-pace.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode, twoNodes } from './node-for-tests.ts';

test('F14: a full disk costs the dump, not the service; it is told once a minute and repaired later', async () => {
  const { a, host } = await twoNodes();
  await host.advance(1_000);
  a.host.diskFault = 'full';
  for (let i = 0; i < 20; i += 1) await a.publish(`d${i}`, 'text');
  await host.advance(180_000);
  assert.deepEqual(shown(await a.get('d0')), [200, 'text']);
  assert.equal(a.service.metrics()['dumpQueue'], 20);
  assert.ok(a.host.warnings.length >= 2 && a.host.warnings.length <= 4, `${a.host.warnings.length} warnings`);
  a.host.diskFault = undefined;
  await host.advance(11_000);
  assert.equal(a.service.metrics()['dumpQueue'], 0);
  assert.equal(a.dumpFiles().length, 20);
});

test('a dump is written within 1 s, once for many changes, and follows removals', async () => {
  const { a, host } = await twoNodes();
  await host.advance(1_000);
  const writes = a.host.writes;
  for (let i = 0; i < 50; i += 1) await a.publish('d', `text ${i}`);
  await a.publish('e', 'text');
  await host.advance(1_000);
  assert.equal(a.host.writes - writes, 2);
  assert.match(new TextDecoder().decode(a.host.files.get(a.dumpFiles()[0]!)), /text( 49)?$/);
  await a.remove('d');
  await a.remove('e');
  await host.advance(1_000);
  assert.equal(a.dumpFiles().length, 0);
});

test('contents that memory has no room for are read from the dump, and from the store when that is damaged', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const node = await startNode(host, database, { contentCacheBytesMax: 10 });
  await node.publish('d', '12345678');
  await node.publish('e', 'abcdefgh');
  await host.advance(1_000);
  assert.deepEqual(shown(await node.get('d')), [200, '12345678']);
  assert.deepEqual(shown(await node.get('e')), [200, 'abcdefgh']);
  assert.equal(node.service.metrics()['readsFromStore'], 0);
  for (const path of node.dumpFiles()) node.host.files.get(path)!.fill(0, 40);
  assert.deepEqual(shown(await node.get('d')), [200, '12345678']);
  assert.equal(node.service.metrics()['dumpDamaged'], 1);
  await host.advance(1_000);
  database.faults.down = 'unavailable';
  assert.deepEqual(shown(await node.get('d')), [200, '12345678'], 'the file was repaired');
  assert.equal((await node.get('e')).status, 503);
});

test('damaged, torn and foreign files are never served, and repaired or removed at the next start', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const first = await startNode(host, database);
  for (const dataId of ['a', 'b', 'c']) await first.publish(dataId, `text of ${dataId}`);
  await host.advance(1_000);
  await first.stop();
  const [one, two] = first.dumpFiles();
  host.files.get(one!)![60]! ^= 1;
  host.files.set(two!, host.files.get(two!)!.slice(0, 50));
  const stray = `data/config/00/00/${'0'.repeat(64)}`;
  host.files.set(stray, new TextEncoder().encode('no file of ours'));

  database.faults.down = 'unavailable';
  const stale = await startNode(host, database);
  const statuses = await Promise.all(['a', 'b', 'c'].map(async (dataId) => (await stale.get(dataId)).status));
  assert.deepEqual(statuses.sort(), [200, 503, 503]);
  assert.equal(stale.service.metrics()['dumpDamaged'], 3);
  database.faults.down = undefined;
  await host.advance(8_000);
  assert.equal(stale.dumpFiles().includes(stray), false);
  await stale.stop();

  database.faults.down = 'unavailable';
  const repaired = await startNode(host, database);
  for (const dataId of ['a', 'b', 'c']) {
    assert.deepEqual(shown(await repaired.get(dataId)), [200, `text of ${dataId}`]);
  }
});

test('a start with a good dump writes nothing again', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const first = await startNode(host, database);
  for (let i = 0; i < 30; i += 1) await first.publish(`d${i}`, 'text');
  await host.advance(1_000);
  await first.stop();
  const writes = host.writes;
  const second = await startNode(host, database);
  await host.advance(1_000);
  assert.equal(host.writes - writes, 1, 'the mark only');
  assert.equal(second.service.metrics()['configs'], 30);
});

test('while very many change few files are written each turn, and more once it is over', async () => {
  const { a, host } = await twoNodes();
  await host.advance(1_000);
  const written = (): number => Number(a.service.metrics()['dumpWrites']);
  for (let i = 0; i < BUSY_CHANGES; i += 1) await a.publish(`d${i}`, 'text');
  const before = written();
  await host.advance(DUMP_DELAY_MS);
  assert.equal(written() - before, DUMP_FILES_PER_BUSY_TURN);
  await host.advance(DUMP_DELAY_MS);
  assert.equal(written() - before, DUMP_FILES_PER_BUSY_TURN + DUMP_FILES_PER_TURN);
  await host.advance(5_000);
  assert.equal(a.dumpFiles().length, BUSY_CHANGES);
});
