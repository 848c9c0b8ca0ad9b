import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNodeClock } from './clock.ts';
import { createLog } from './log.ts';

const lines: string[] = [];
const clock = createNodeClock(
  createLog({ process: 'test', level: 'info', format: 'text', now: () => 0, write: (line) => void lines.push(line) }),
);

test('timers fire in order, a cancelled one never', async () => {
  const fired: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  // Far enough apart for a machine that is busy with something else.
  clock.after(500, () => {
    fired.push('second');
    resolve();
  });
  clock.after(1, () => fired.push('cancelled')).cancel();
  clock.after(1, () => fired.push('first'));
  await over;
  assert.deepEqual(fired, ['first', 'second']);
});

test('a periodic run that throws is logged and comes again', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let runs = 0;
  const timer = clock.every(1, () => {
    runs++;
    if (runs === 2) resolve();
    throw new Error('periodic trouble');
  });
  await promise;
  timer.cancel();
  assert.ok(lines.some((line) => line.includes('periodic trouble')));
});

test('a delay longer than a timer of Node can hold does not fire at once', async () => {
  let fired = false;
  const timer = clock.after(2 ** 40, () => {
    fired = true;
  });
  await clock.sleep(5);
  timer.cancel();
  assert.equal(fired, false);
});
