import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNodeClock } from './clock.ts';
import { boundHeapGrowth, LARGE_HEAP_BYTES, SMALL_HEAP_BYTES } from './heap-growth.ts';
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
