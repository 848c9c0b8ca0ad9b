import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { FOLLOW_PERIOD_MS, type FollowerSettings } from '../store/follow.ts';
import { createMemoryDatabase } from '../store/memory.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode, twoNodes } from './node-for-tests.ts';
import { FULL_DUMP_PERIOD_MS } from './service.ts';

const NEVER_MS = 1e12;

test('a node that misses every hint finds a publish within 2 s', async () => {
  assert.equal(await findsPublishOfDyingNode({ withHints: false }), true);
});

test('F9: a publisher that dies between commit and hint is noticed within 2 s, and only because nodes follow', async () => {
  assert.equal(await findsPublishOfDyingNode({ withHints: false, dies: true }), true);
  const mutant = await findsPublishOfDyingNode({ withHints: false, dies: true, follow: { periodMs: NEVER_MS } });
  assert.equal(mutant, false, 'with following switched off this scenario must fail, or it proves nothing');
});

test('F12: with the store down at the start the last dump is served, flagged, and caught up later', async () => {
  const database = createMemoryDatabase();
  const first = createFakeHost('node-1');
  const before = await startNode(first, database);
  await before.publish('kept', 'one');
  await before.publish('changed', 'one');
  await before.publish('removed', 'one');
  await first.advance(1_000);
  await before.stop();

  const other = await startNode(createFakeHost('node-2', first), database);
  await other.publish('changed', 'two');
  await other.publish('new', 'one');
  await other.remove('removed');
  database.faults.down = 'unavailable';
  const restarted = createFakeHost('node-1', first);
  for (const [path, bytes] of first.files) restarted.files.set(path, bytes);
  const node = await startNode(restarted, database);
  assert.equal(node.service.notReadyReason?.(), undefined);
  assert.match(node.service.staleReason() ?? '', /last dump/);
  assert.deepEqual(shown(await node.get('kept')), [200, 'one']);
  assert.deepEqual(shown(await node.get('changed')), [200, 'one']);
  // What the dump lacks may exist: a 404 would have clients throw their own copies away.
  assert.equal((await node.get('new')).status, 503);
  assert.deepEqual(shown(await node.publish('kept', 'x')), [
    503,
    'caused: the store cannot be reached, try again later;',
  ]);
  const waiting = node.listen([['new', 'whatever']]);
  await restarted.advance(8_000);
  assert.equal(waiting.answer, undefined);

  database.faults.down = undefined;
  await restarted.advance(6_000);
  assert.equal(node.service.staleReason(), undefined);
  assert.deepEqual(waiting.shown(), [200, 'new%02g%01\n']);
  assert.deepEqual(shown(await node.get('changed')), [200, 'two']);
  assert.deepEqual(shown(await node.get('new')), [200, 'one']);
  assert.equal((await node.get('removed')).status, 404);
  await restarted.advance(1_000);
  assert.equal(node.dumpFiles().length, 3, 'what was removed has no file, what changed no other');
});

test('a first start without the store is alive but not ready, and answers no false 404', async () => {
  const database = createMemoryDatabase();
  database.faults.down = 'unavailable';
  const host = createFakeHost();
  const node = await startNode(host, database);
  assert.match(node.service.notReadyReason?.() ?? '', /store/);
  assert.equal((await node.get('d')).status, 503);
  database.faults.down = undefined;
  await host.advance(6_000);
  assert.equal(node.service.notReadyReason?.(), undefined);
  assert.equal((await node.get('d')).status, 404);
});

test('a dump of nothing is a dump: a cluster without configs restarts without its store', async () => {
  const database = createMemoryDatabase();
  const host = createFakeHost();
  const node = await startNode(host, database);
  await host.advance(1_000);
  await node.stop();
  database.faults.down = 'unavailable';
  assert.equal((await startNode(host, database)).service.notReadyReason?.(), undefined);
});

test('P8: while the store is away reads and polls go on, writes fail, and all heals by itself', async () => {
  const { a, b, host, database } = await twoNodes();
  await a.publish('d', 'one');
  await host.advance(3_000);
  database.faults.down = 'unavailable';
  assert.deepEqual(shown(await b.get('d')), [200, 'one']);
  assert.equal((await a.publish('d', 'lost')).status, 503);
  assert.deepEqual(shown(await a.get('d')), [200, 'one']);
  database.faults.down = 'read-only';
  assert.deepEqual(shown(await a.remove('d')), [503, 'caused: the store takes no writes now, try again later;']);
  await host.advance(20_000);
  assert.match(b.service.staleReason() ?? '', /has not answered for \d+ s/);
  const poll = b.listen([['d', contentMd5('one')]]);
  database.faults.down = undefined;
  await a.publish('d', 'two');
  await host.advance(6_000);
  assert.deepEqual(poll.shown(), [200, 'd%02g%01\n']);
  assert.deepEqual(shown(await b.get('d')), [200, 'two']);
  assert.equal(b.service.staleReason(), undefined);
});

test('a store that takes no writes is told in the log once each time, and counted', async () => {
  const { a, host, database } = await twoNodes();
  const told = () => host.warnings.filter((line) => line.includes('the store takes no writes')).length;
  for (const times of [1, 2]) {
    database.faults.down = undefined;
    await a.publish('d', `before ${times}`);
    assert.equal(told(), times - 1);
    database.faults.down = 'read-only';
    for (const content of ['two', 'three']) assert.equal((await a.publish('d', content)).status, 503);
    assert.equal(told(), times, host.warnings.join());
    assert.equal(a.service.metrics()['writesRefused'], 2 * times);
  }
});

test('a write whose answer was lost is found by the feed', async () => {
  const { a, host, database } = await twoNodes();
  database.faults.losesAnswers = true;
  assert.equal((await a.publish('d', 'one')).status, 503);
  database.faults.losesAnswers = false;
  await host.advance(2_000);
  assert.deepEqual(shown(await a.get('d')), [200, 'one']);
});

test('F11: a write is not acknowledged by a node that has to read it back and cannot', async () => {
  const { a, host, database } = await twoNodes({ periodMs: NEVER_MS }, false);
  a.slowWrites = 1_000;
  const publishes = [a.publish('d', 'one'), a.publish('d', 'two')];
  await host.advance(500);
  database.faults.down = 'unavailable';
  await host.advance(5_000);
  const statuses = (await Promise.all(publishes)).map(({ status }) => status);
  const served = shown(await a.get('d'))[1];
  assert.deepEqual(statuses, [200, 503]);
  assert.equal(served, 'one', 'which of them stands the store alone can tell');
});

test('a full read that fails half-way removes nothing', async () => {
  const { a, host, database } = await twoNodes({ periodMs: NEVER_MS });
  for (let i = 0; i < 250; i += 1) await a.publish(`d${i}`, 'text');
  await host.advance(1_000);
  let pages = 0;
  a.onScan = () => {
    pages += 1;
    if (pages % 2 === 0) database.faults.down = 'unavailable';
  };
  await host.advance(FULL_DUMP_PERIOD_MS);
  assert.ok(pages >= 2);
  assert.equal(a.service.metrics()['configs'], 250);
  assert.deepEqual(shown(await a.get('d249')), [200, 'text']);
});

test('a config changed behind the feed is found by the regular full read', async () => {
  const { a, b, host } = await twoNodes({ periodMs: NEVER_MS }, false);
  await a.publish('d', 'one');
  await host.advance(10_000);
  assert.equal((await b.get('d')).status, 404);
  await host.advance(FULL_DUMP_PERIOD_MS);
  assert.deepEqual(shown(await b.get('d')), [200, 'one']);
});

async function findsPublishOfDyingNode(options: {
  readonly withHints: boolean;
  readonly dies?: boolean;
  readonly follow?: FollowerSettings;
}): Promise<boolean> {
  const { a, b, host } = await twoNodes(options.follow, options.withHints);
  const poll = b.listen([['d', '']]);
  await host.advance(0);
  if (options.dies) a.diesAfterCommit = true;
  const published = a.publish('d', 'one');
  await host.advance(0);
  if (!options.dies) assert.equal((await published).status, 200);
  await host.advance(FOLLOW_PERIOD_MS);
  return poll.answer !== undefined && shown(await b.get('d'))[1] === 'one';
}
