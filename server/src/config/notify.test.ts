import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { HINT_ATTEMPTS_MAX, HINT_PAUSE_MS, HINT_RETRY_MS, PeerHints } from './notify.ts';

function setUp(peers = ['a', 'b']) {
  const host = new FakeHost();
  const told: string[] = [];
  const sick = new Set<string>();
  const broken = new Set<string>();
  let listed = peers;
  const hints = new PeerHints(host, {
    listed: () => listed,
    isHealthy: (peer) => !sick.has(peer),
    async hint(peer, revision) {
      if (broken.has(peer)) throw new Error('refused');
      told.push(`${peer} ${revision}`);
    },
  });
  const list = (now: string[]) => {
    listed = now;
  };
  return { host, hints, told, sick, broken, list };
}

test('every peer is told at once, and of many changes once per pause', async () => {
  const { host, hints, told } = setUp();
  hints.changed(1);
  assert.deepEqual(told, ['a 1', 'b 1']);
  for (let revision = 2; revision <= 9; revision += 1) hints.changed(revision);
  await host.advance(HINT_PAUSE_MS);
  assert.deepEqual(told.slice(2), ['a 9', 'b 9']);
  await host.advance(60_000);
  assert.equal(told.length, 4);
  assert.deepEqual(hints.metrics(), {
    ...{ hintsSent: 4, hintsFailed: 0, hintsDelayed: 0, hintsGivenUp: 0, hintsWaiting: 0 },
  });
});

test('one that is not well is told later, of the newest, and holds up no other', async () => {
  const { host, hints, told, sick } = setUp();
  sick.add('a');
  hints.changed(1);
  assert.deepEqual(told, ['b 1']);
  await host.advance(HINT_PAUSE_MS);
  hints.changed(2);
  assert.deepEqual(told, ['b 1', 'b 2']);
  assert.equal(hints.metrics().hintsWaiting, 1);
  sick.clear();
  await host.advance(HINT_RETRY_MS);
  assert.deepEqual(told, ['b 1', 'b 2', 'a 2']);
  assert.equal(hints.metrics().hintsDelayed, 1);
});

test('one that refuses is asked again ever more slowly, then left to the feed; the next change begins anew', async () => {
  const { host, hints, told, broken } = setUp(['a']);
  broken.add('a');
  hints.changed(1);
  await host.advance(HINT_RETRY_MS - 1);
  assert.equal(hints.metrics().hintsFailed, 1);
  await host.advance(1);
  assert.equal(hints.metrics().hintsFailed, 2);
  await host.advance(4 * HINT_RETRY_MS - 1);
  assert.equal(hints.metrics().hintsFailed, 2);
  await host.advance(120_000);
  assert.deepEqual(hints.metrics(), {
    ...{ hintsSent: HINT_ATTEMPTS_MAX, hintsFailed: HINT_ATTEMPTS_MAX, hintsDelayed: 0 },
    ...{ hintsGivenUp: 1, hintsWaiting: 0 },
  });
  assert.equal(host.log.lines.filter((line) => line.startsWith('info notify error')).length, 1);
  broken.clear();
  hints.changed(2);
  await host.advance(0);
  assert.deepEqual(told, ['a 2']);
});

test('one that has left is told nothing more, and nobody is once it stops', async () => {
  const { host, hints, told, sick, list } = setUp();
  sick.add('a');
  hints.changed(1);
  list(['b']);
  sick.clear();
  await host.advance(60_000);
  assert.deepEqual(told, ['b 1']);
  hints.changed(2);
  hints.changed(3);
  hints.stop();
  await host.advance(60_000);
  assert.deepEqual(told, ['b 1', 'b 2']);
});

test('of one that left nothing is remembered: its next failure is told anew', async () => {
  const { host, hints, broken, list } = setUp(['a']);
  broken.add('a');
  hints.changed(1);
  await host.advance(120_000);
  list([]);
  hints.changed(2);
  list(['a']);
  hints.changed(3);
  await host.advance(120_000);
  assert.equal(host.log.lines.filter((line) => line.startsWith('info notify error')).length, 2);
});
