import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { createNodeClock } from './clock.ts';
import { boundHeapGrowth, LARGE_HEAP_BYTES, oldBytes, SMALL_HEAP_BYTES } from './heap-growth.ts';
import { createLog } from './log.ts';

test('a heap that has become large may grow by little, until it is small again', () => {
  const log = createLog({ process: 'test', level: 'error', format: 'text', now: () => 0, write: () => {} });
  let look = () => {};
  const clock = {
    ...createNodeClock(log),
    every(_: number, run: () => void) {
      look = run;
      return { cancel: () => {} };
    },
  };
  let bytes = 0;
  const set: number[] = [];
  boundHeapGrowth(
    clock,
    () => bytes,
    (percent) => set.push(percent),
  );
  const between = (LARGE_HEAP_BYTES + SMALL_HEAP_BYTES) / 2;
  for (bytes of [0, between, LARGE_HEAP_BYTES, between, LARGE_HEAP_BYTES, SMALL_HEAP_BYTES, between]) look();
  assert.deepEqual(set, [20, 0]);
});

test('the young space makes no heap large', () => {
  const { total_heap_size: whole } = getHeapStatistics();
  const young = getHeapSpaceStatistics().filter(({ space_name: name }) => name.startsWith('new_'));
  assert.ok(young.length > 0, 'V8 names its young spaces so');
  assert.ok(oldBytes() < whole);
});
