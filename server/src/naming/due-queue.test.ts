import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DueQueue, HORIZON_S, type Queued } from './due-queue.ts';

interface Thing extends Queued {
  readonly name: string;
  deadlineMs: number | undefined;
}
const thing = (name: string, deadlineMs: number): Thing => ({ name, deadlineMs, queuedFor: undefined });
const queueOf = (...things: Thing[]) => {
  const queue = new DueQueue<Thing>((one) => one.deadlineMs);
  for (const one of things) queue.add(one);
  return queue;
};
const names = (things: readonly Thing[]) => things.map((one) => one.name);

test('a thing is taken once, when it is due and not before', () => {
  const queue = queueOf(thing('a', 2_500), thing('b', 1_000));
  assert.deepEqual(names(queue.take(999)), []);
  assert.deepEqual(names(queue.take(1_000)), ['b']);
  assert.deepEqual(names(queue.take(2_400)), []);
  assert.deepEqual(names(queue.take(3_000)), ['a']);
  assert.deepEqual(names(queue.take(100_000)), []);
});

test('what is postponed is looked at again, what is brought forward comes forward', () => {
  const [later, sooner] = [thing('later', 1_000), thing('sooner', 9_000)];
  const queue = queueOf(later, sooner);
  later.deadlineMs = 5_000;
  sooner.deadlineMs = 2_000;
  queue.add(sooner);
  assert.deepEqual(names(queue.take(4_000)), ['sooner']);
  assert.deepEqual(names(queue.take(5_000)), ['later']);
  assert.deepEqual(names(queue.take(20_000)), []);
});

test('a thing without a deadline is dropped, and one that is overdue comes next', () => {
  const dropped = thing('dropped', 1_000);
  const queue = queueOf(dropped);
  dropped.deadlineMs = undefined;
  assert.deepEqual(names(queue.take(10_000)), []);
  queue.add(thing('overdue', 3_000));
  assert.deepEqual(names(queue.take(10_500)), []);
  assert.deepEqual(names(queue.take(11_000)), ['overdue']);
});

test('deadlines in years take no more room than those of this minute, and still hold', () => {
  const far = Array.from({ length: 1_000 }, (_, n) => thing(`${n}`, 200_000 + 86_400_000 * n));
  const queue = queueOf(...far);
  assert.ok(queue.bucketCount <= HORIZON_S);
  for (let nowMs = 0; nowMs < 200_000; nowMs += 1_000) assert.deepEqual(names(queue.take(nowMs)), []);
  assert.deepEqual(names(queue.take(200_000)), ['0']);
  for (const one of far) one.deadlineMs = undefined;
  for (let nowMs = 201_000; nowMs < 262_000; nowMs += 1_000) queue.take(nowMs);
  assert.equal(queue.bucketCount, 0);
});
