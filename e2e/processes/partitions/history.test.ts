import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event, type Fault, findMisses } from './history.ts';

const sign = (node: string, atMs: number): Event => ({
  ...{ kind: 'sign', node, service: 's', instance: 'i', startMs: atMs, endMs: atMs },
});
const look = (node: string, atMs: number, healthy: readonly string[] = []): Event => ({
  ...{ kind: 'look', node, service: 's', startMs: atMs, endMs: atMs, healthy, unhealthy: [] },
});
const cut = (fromMs: number, untilMs: number): Fault => ({ kind: 'cut', between: ['a', 'b'], fromMs, untilMs });
const gone = (atMs: number): Event => ({ kind: 'gone', service: 's', instance: 'i', startMs: atMs, endMs: atMs });

const misses = (events: readonly Event[], faults: readonly Fault[] = []) => findMisses(events, faults).length;

test('a list without an instance that beats is a miss', () => {
  assert.equal(misses([sign('a', 0), look('a', 4_000)]), 1);
  assert.equal(misses([sign('a', 0), look('b', 4_000)]), 1);
  assert.equal(misses([sign('a', 0), look('b', 4_000, ['i'])]), 0);
});

test('news may take its time, silence ends the claim, and so does deregistering', () => {
  assert.equal(misses([sign('a', 0), look('b', 2_000)]), 0);
  assert.equal(misses([sign('a', 0), look('b', 15_000)]), 0);
  assert.equal(misses([sign('a', 0), gone(3_900), look('b', 4_000)]), 0);
});

test('behind a cut nothing is asked for but what the node itself took, or one that it hears', () => {
  assert.equal(misses([sign('a', 5_000), look('b', 16_000)], [cut(4_000, 60_000)]), 0);
  assert.equal(misses([sign('b', 5_000), look('b', 16_000)], [cut(4_000, 60_000)]), 1);
  assert.equal(misses([sign('c', 5_000), look('b', 16_000)], [cut(4_000, 60_000)]), 1);
});

test('while a link is cut news may come by digests', () => {
  assert.equal(misses([sign('c', 5_000), look('b', 13_000)], [cut(4_000, 60_000)]), 0);
  assert.equal(misses([sign('c', 0), sign('c', 5_000), look('b', 13_000)], [cut(6_000, 60_000)]), 1);
});

test('after a cut the two have their time to become equal', () => {
  assert.equal(misses([sign('a', 22_000), look('b', 26_000)], [cut(4_000, 20_000)]), 0);
  assert.equal(misses([sign('a', 36_000), look('b', 40_000)], [cut(4_000, 20_000)]), 1);
});

test('a node that was stopped keeps what it knew, and need not know what came meanwhile', () => {
  const stopped: Fault = { kind: 'stopped', node: 'b', fromMs: 10_000, untilMs: 30_000 };
  assert.equal(misses([sign('a', 0), sign('a', 25_000), look('b', 30_100)], [stopped]), 1);
  assert.equal(misses([sign('a', 25_000), look('b', 30_100)], [stopped]), 0);
  assert.equal(misses([sign('a', 25_000), look('c', 30_100)], [stopped]), 1);
  assert.equal(misses([look('b', 9_900, ['i']), sign('a', 25_000), look('b', 30_100)], [stopped]), 1);
});
