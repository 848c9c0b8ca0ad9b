import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BATCH_MAX,
  DROPPED_AT_ONCE,
  PACE_MS,
  PENDING_PER_PEER_MAX,
  RETRY_FIRST_MS,
  Sync,
  type SyncBatch,
} from './sync.ts';

const service = 'public##DEFAULT_GROUP@@demo';
const keysOf = (batches: readonly SyncBatch[]) => batches.map((batch) => [batch.peer, batch.places.map((p) => p.key)]);

test('a first change leaves at once, to every peer', () => {
  const sync = new Sync();
  sync.setPeers(['m2', 'm3'], 0);
  assert.deepEqual(keysOf(sync.changed(service, ['a'], 0)), [
    ['m2', ['a']],
    ['m3', ['a']],
  ]);
});

test('what changes while a batch is under way leaves together in the next one, each instance once', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [first] = sync.changed(service, ['a'], 0);
  assert.deepEqual(sync.changed(service, ['b'], 1), []);
  assert.deepEqual(sync.changed(service, ['a', 'b'], 2), []);
  const second = sync.delivered(first!, PACE_MS);
  assert.deepEqual(keysOf(second), [['m2', ['b', 'a']]]);
  assert.equal(sync.isFlushed, false);
  assert.deepEqual(sync.delivered(second[0]!, PACE_MS + 1), []);
  assert.equal(sync.isFlushed, true);
});

test('after a quick answer the next batch waits for what else comes, unless it is whole', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [first] = sync.changed(service, ['a'], 0);
  sync.changed(service, ['b'], 1);
  assert.equal(sync.nextDueMs(), undefined);
  assert.deepEqual(sync.delivered(first!, 2), []);
  assert.equal(sync.nextDueMs(), PACE_MS);
  assert.deepEqual(sync.changed(service, ['c'], PACE_MS - 1), []);
  const [second] = sync.due(PACE_MS);
  assert.deepEqual(keysOf([second!]), [['m2', ['b', 'c']]]);
  sync.delivered(second!, PACE_MS + 1);
  const keys = Array.from({ length: BATCH_MAX }, (_, n) => `k${n}`);
  assert.equal(sync.changed(service, keys, PACE_MS + 2).length, 1);
});

test('a batch that failed is sent again, in front of what came later, ever more slowly', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [first] = sync.changed(service, ['a'], 0);
  sync.changed(service, ['b'], 1);
  sync.failed(first!, 10);
  assert.deepEqual(sync.due(10 + RETRY_FIRST_MS - 1), []);
  const again = sync.due(10 + RETRY_FIRST_MS);
  assert.deepEqual(keysOf(again), [['m2', ['a', 'b']]]);
  sync.failed(again[0]!, 200);
  assert.deepEqual(sync.due(200 + RETRY_FIRST_MS), []);
  assert.equal(sync.due(200 + 2 * RETRY_FIRST_MS).length, 1);
});

test('a slow peer does not hold up another', () => {
  const sync = new Sync();
  sync.setPeers(['slow', 'quick'], 0);
  const batches = sync.changed(service, ['a'], 0);
  sync.delivered(batches.find((batch) => batch.peer === 'quick')!, 1);
  assert.deepEqual(keysOf(sync.changed(service, ['b'], PACE_MS)), [['quick', ['b']]]);
});

test('a batch has a bound, the rest follows', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const keys = Array.from({ length: BATCH_MAX + 1 }, (_, n) => `k${n}`);
  const [first] = sync.changed(service, keys, 0);
  assert.equal(first?.places.length, BATCH_MAX);
  assert.equal(sync.delivered(first!, PACE_MS)[0]?.places.length, 1);
});

test('beyond the bound the oldest are left to the digests, and that is counted', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [first] = sync.changed(service, ['first'], 0);
  const keys = Array.from({ length: PENDING_PER_PEER_MAX }, (_, n) => `k${n}`);
  sync.changed(service, keys, 0);
  assert.equal(sync.overflows, 0);
  sync.changed(service, ['k0', 'one too many'], 0);
  assert.equal(sync.overflows, 1);
  assert.equal(sync.lag(0)[0]?.entries, 1 + PENDING_PER_PEER_MAX - DROPPED_AT_ONCE + 1);
  const [next] = sync.delivered(first!, PACE_MS);
  assert.equal(next?.places[0]?.key, `k${DROPPED_AT_ONCE}`);
});

test('the lag of a peer is the age of its oldest change, sent or waiting', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  assert.deepEqual(sync.lag(5), [{ peer: 'm2', waitingMs: 0, entries: 0 }]);
  const [first] = sync.changed(service, ['a'], 10);
  sync.changed(service, ['b'], 40);
  assert.deepEqual(sync.lag(100), [{ peer: 'm2', waitingMs: 90, entries: 2 }]);
  sync.delivered(first!, 110);
  assert.deepEqual(sync.lag(110), [{ peer: 'm2', waitingMs: 70, entries: 1 }]);
});

test('a peer that left is forgotten, its late answer counts for nothing', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [batch] = sync.changed(service, ['a'], 0);
  sync.setPeers([], 1);
  assert.deepEqual(sync.delivered(batch!, 2), []);
  sync.failed(batch!, 2);
  assert.deepEqual(sync.lag(2), []);
});

test('a late answer of before a peer was gone does not pass for one to what it is being told now', () => {
  const sync = new Sync();
  sync.setPeers(['m2'], 0);
  const [old] = sync.changed(service, ['a'], 0);
  sync.setPeers([], 1);
  sync.setPeers(['m2'], 2);
  const [batch] = sync.changed(service, ['b'], 3);
  sync.delivered(old!, 4);
  assert.deepEqual(sync.changed(service, ['c'], 5), []);
  sync.failed(batch!, 6);
  assert.deepEqual(keysOf(sync.due(6 + RETRY_FIRST_MS)), [['m2', ['b', 'c']]]);
});
