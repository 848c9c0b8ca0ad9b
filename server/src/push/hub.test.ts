import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MISSED_ACKS_MAX,
  MUTE_MS,
  MUTED_MAX,
  PushHub,
  SUBSCRIPTIONS_PER_ADDRESS_MAX,
  type Subscription,
} from './hub.ts';

const service = 'public##DEFAULT_GROUP@@demo';
const at = (port: number, more: Partial<Subscription> = {}): Subscription => ({
  service,
  clusters: '',
  isGrouped: true,
  target: { address: '10.0.0.5', port },
  agent: 'Nacos-Java-Client:v1.4.2',
  app: '',
  ...more,
});
const ports = (sends: readonly { subscription: Subscription }[]) => sends.map((send) => send.subscription.target.port);

test('a first change is pushed at once, those that follow within 500 ms make one push', () => {
  const hub = new PushHub(0);
  hub.subscribe(at(1), 0);
  assert.deepEqual(ports(hub.changed(service, 100)), [1]);
  assert.deepEqual(hub.changed(service, 200), []);
  assert.deepEqual(hub.changed(service, 300), []);
  assert.deepEqual(hub.tick(599), []);
  assert.deepEqual(ports(hub.tick(600)), [1]);
  assert.deepEqual(hub.tick(1_200), []);
});

test('nobody is pushed who did not refresh for 10 s, and no more is kept of them', () => {
  const hub = new PushHub(0);
  hub.subscribe(at(1), 0);
  hub.subscribe(at(2), 0);
  hub.subscribe(at(1), 9_000);
  assert.deepEqual(ports(hub.changed(service, 10_001)), [1]);
  assert.equal(hub.subscriptionCount, 1);
  assert.equal(hub.sweep(19_001), 1);
  assert.equal(hub.subscriptionCount, 0);
});

test('an unacked push is sent once more, then given up', () => {
  const hub = new PushHub(0);
  hub.subscribe(at(1), 0);
  const [first] = hub.changed(service, 0);
  hub.subscribe(at(1), 8_000);
  const [second] = hub.tick(10_000);
  assert.ok(first && second && second.sequence > first.sequence);
  assert.equal(hub.acked(first.subscription.target, first.sequence, 10_001), undefined);
  assert.equal(hub.acked(second.subscription.target, second.sequence, 10_004), 4);
  assert.deepEqual(hub.tick(40_000), []);
  assert.deepEqual(hub.counts, { sent: 2, acked: 1, failed: 0, refused: 0, tooLarge: 0 });
});

test('an ack of somebody else, or a second one, counts for nothing', () => {
  const hub = new PushHub(0);
  hub.subscribe(at(1), 0);
  const [send] = hub.changed(service, 0);
  assert.equal(hub.acked({ address: '10.0.0.6', port: 1 }, send!.sequence, 1), undefined);
  assert.equal(hub.acked(at(1).target, send!.sequence, 1), 1);
  assert.equal(hub.acked(at(1).target, send!.sequence, 2), undefined);
});

test('a target that misses three acks is muted for a while (S10)', () => {
  const hub = new PushHub(0);
  let nowMs = 0;
  for (let round = 0; round < 3; round++) {
    assert.equal(hub.subscribe(at(1), nowMs), true);
    hub.changed(service, nowMs);
    hub.subscribe(at(1), nowMs + 9_000);
    hub.tick(nowMs + 10_000);
    hub.tick(nowMs + 20_000);
    nowMs += 30_000;
  }
  assert.equal(hub.counts.failed, 3);
  assert.equal(hub.subscribe(at(1), nowMs), false);
  assert.equal(hub.subscribe(at(2), nowMs), true);
  assert.equal(hub.subscribe(at(1), nowMs + MUTE_MS), true);
});

test('one address has a bound of subscriptions', () => {
  const hub = new PushHub(0);
  for (let n = 0; n < SUBSCRIPTIONS_PER_ADDRESS_MAX; n++)
    assert.ok(hub.subscribe(at(1, { service: `public##g@@${n}` }), 0));
  assert.equal(hub.subscribe(at(1), 0), false);
  assert.equal(hub.subscribe(at(1, { target: { address: '10.0.0.6', port: 1 } }), 0), true);
});

test('those who see the same list get one number, a target with two lists gets two', () => {
  const hub = new PushHub(0);
  hub.subscribe(at(1), 0);
  hub.subscribe(at(2), 0);
  hub.subscribe(at(2, { clusters: 'a' }), 0);
  hub.subscribe(at(2, { agent: 'another' }), 0);
  const sends = hub.changed(service, 0);
  const numbers = sends.map(({ subscription: { target, clusters }, sequence }) => [target.port, clusters, sequence]);
  assert.deepEqual(numbers.slice(0, 2), [
    [1, '', 1],
    [2, '', 1],
  ]);
  const ofTwo = sends.filter((send) => send.subscription.target.port === 2).map((send) => send.sequence);
  assert.equal(new Set(ofTwo).size, 3);
  for (const send of sends) assert.equal(hub.acked(send.subscription.target, send.sequence, 3), 3);
});

test('second tries of those who see the same share a number too, so that a silent crowd costs one list', () => {
  const hub = new PushHub(0);
  for (let port = 1; port <= 100; port++) hub.subscribe(at(port), 0);
  assert.equal(hub.changed(service, 0).length, 100);
  for (let port = 1; port <= 100; port++) hub.subscribe(at(port), 5_000);
  const again = hub.tick(10_000);
  assert.deepEqual([again.length, new Set(again.map(({ sequence }) => sequence)).size], [100, 1]);
  assert.equal(hub.acked(again[0]!.subscription.target, again[0]!.sequence, 10_001), 1);
  assert.deepEqual(hub.tick(10_100), []);
});

test('a list that fits into no datagram is no miss of its subscriber', () => {
  const hub = new PushHub(0);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1_000) {
    assert.equal(hub.subscribe(at(1), nowMs), true);
    for (const send of hub.changed(service, nowMs)) hub.isTooLarge(send);
  }
  assert.deepEqual(hub.tick(60_000), []);
  assert.deepEqual([hub.counts.tooLarge, hub.counts.failed, hub.missedCount], [10, 0, 0]);
});

test('targets that missed an ack once are forgotten, and the bound leaves room for new ones', () => {
  const hub = new PushHub(0);
  const miss = (port: number, nowMs: number) => {
    hub.subscribe(at(port, { target: { address: `10.${port >> 12}.0.1`, port } }), nowMs);
    for (const send of hub.changed(service, nowMs)) hub.sendFailed(send, nowMs);
  };
  for (let n = 0; n < MUTED_MAX + 10; n++) miss(n, n * 20_000);
  assert.ok(hub.missedCount <= MUTED_MAX);
  const nowMs = (MUTED_MAX + 20) * 20_000;
  for (let times = 0; times < MISSED_ACKS_MAX; times++) miss(60_000, nowMs + times * 1_000);
  assert.equal(hub.subscribe(at(60_000, { target: { address: '10.14.0.1', port: 60_000 } }), nowMs + 3_000), false);
  hub.sweep(nowMs + 3_000 + MUTE_MS);
  assert.equal(hub.missedCount, 0);
});
