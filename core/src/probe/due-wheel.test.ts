import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DueWheel, SPAN_MS } from './due-wheel.ts';

function takeAll(wheel: DueWheel<string>, nowMs: number): string[] {
  wheel.advance(nowMs);
  const taken: string[] = [];
  for (let one = wheel.shift(); one !== undefined; one = wheel.shift()) taken.push(one);
  return taken;
}

test('nothing comes before its time, and everything in the order of its time', () => {
  const wheel = new DueWheel<string>();
  wheel.add('c', 950);
  wheel.add('a', 200);
  wheel.add('b', 210);
  assert.deepEqual(takeAll(wheel, 199), []);
  assert.deepEqual(takeAll(wheel, 200), ['a']);
  assert.deepEqual(takeAll(wheel, 100_000), ['b', 'c']);
  assert.deepEqual(takeAll(wheel, 200_000), []);
});

test('what is not taken stays in front of what falls due later', () => {
  const wheel = new DueWheel<string>();
  for (const name of ['a', 'b', 'c']) wheel.add(name, 100);
  wheel.advance(100);
  assert.equal(wheel.shift(), 'a');
  assert.equal(wheel.readyCount, 2);
  wheel.add('a', 150);
  assert.deepEqual(takeAll(wheel, 200), ['b', 'c', 'a']);
});

test('what is added for a time that has passed comes with the next span', () => {
  const wheel = new DueWheel<string>();
  wheel.advance(10_000);
  wheel.add('late', 5_000);
  assert.deepEqual(takeAll(wheel, 10_000), []);
  assert.deepEqual(takeAll(wheel, 10_000 + SPAN_MS), ['late']);
});

test('each thing comes once, and less than a span late when it is asked often', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { maxLength: 100 }), (dues) => {
      const wheel = new DueWheel<string>();
      for (const [index, dueMs] of dues.entries()) wheel.add(String(index), dueMs);
      const seen = new Map<string, number>();
      for (let nowMs = 0; nowMs <= 20_100; nowMs += SPAN_MS)
        for (const name of takeAll(wheel, nowMs)) {
          assert.ok(!seen.has(name));
          seen.set(name, nowMs);
        }
      for (const [index, dueMs] of dues.entries()) {
        const lateMs = (seen.get(String(index)) ?? Number.NaN) - dueMs;
        assert.ok(lateMs >= 0 && lateMs < SPAN_MS, `${lateMs}`);
      }
    }),
  );
});
