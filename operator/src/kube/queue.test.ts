import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { WorkQueue } from './queue.ts';

function world(work?: (key: string) => Promise<{ recheckMs?: number } | undefined>) {
  const host = new FakeHost();
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const queue = new WorkQueue(host, {
    name: 'test',
    work: async (key) => {
      begun.push(key);
      if (work) return work(key);
      await new Promise<void>((resolve) => open.set(key, resolve));
      return undefined;
    },
  });
  const finish = async (key: string) => {
    open.get(key)?.();
    await host.advance(0);
  };
  return { host, begun, queue, finish };
}

test('four keys are worked on at once, the fifth waits', async () => {
  const { host, begun, queue, finish } = world();
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
  await host.advance(0);
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
  assert.equal(queue.depth, 1);
  await finish('b');
  assert.deepEqual(begun.slice(4), ['e']);
});

test('a key is never worked on twice at once; what was added meanwhile counts once', async () => {
  const { host, begun, queue, finish } = world();
  queue.add('a');
  queue.add('a');
  await host.advance(0);
  queue.add('a');
  queue.add('a');
  assert.deepEqual(begun, ['a']);
  await finish('a');
  assert.deepEqual(begun, ['a', 'a']);
  await finish('a');
  assert.deepEqual(begun, ['a', 'a']);
});

test('failures come back later and later, up to five minutes, until one turn goes well', async () => {
  let broken = true;
  const times: number[] = [];
  const { host, queue } = world(async () => {
    times.push(host.clock.monotonic());
    if (broken) throw new Error('no');
    return undefined;
  });
  queue.add('a');
  await host.advance(3_600_000);
  const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
  assert.ok(gaps[0]! >= 400 && gaps[0]! <= 600, `${gaps[0]}`);
  assert.ok(gaps.slice(1, 8).every((gap, i) => gap > (gaps[i] as number)));
  assert.ok(Math.max(...gaps) <= 360_000);
  broken = false;
  await host.advance(400_000);
  const count = times.length;
  broken = true;
  queue.add('a');
  await host.advance(600);
  assert.equal(times.length, count + 2, 'the back-off began anew');
});

test('what changes does not shorten the rest after a failure', async () => {
  const { host, begun, queue } = world(async (key) => {
    queue.add(key);
    throw new Error('no');
  });
  queue.add('a');
  await host.advance(300);
  assert.equal(begun.length, 1);
  await host.advance(400);
  assert.equal(begun.length, 2);
});

test('of several times the earliest counts, and an add makes the wait void', async () => {
  const { host, begun, queue } = world(async () => undefined);
  queue.addAfter('a', 10_000);
  queue.addAfter('a', 2_000);
  queue.addAfter('a', 5_000);
  await host.advance(1_999);
  assert.deepEqual(begun, []);
  await host.advance(20_000);
  assert.deepEqual(begun, ['a']);
});

test('a turn may ask to come back', async () => {
  const { host, begun, queue } = world(async () => ({ recheckMs: 60_000 }));
  queue.add('a');
  await host.advance(180_000);
  assert.equal(begun.length, 4);
});

test('stopping waits for what runs and begins nothing more', async () => {
  const { host, begun, queue, finish } = world();
  queue.add('a');
  queue.addAfter('b', 100);
  await host.advance(0);
  let isStopped = false;
  const stopping = queue.stop().then(() => {
    isStopped = true;
  });
  await host.advance(1_000);
  assert.equal(isStopped, false);
  await finish('a');
  await stopping;
  queue.add('c');
  assert.deepEqual(begun, ['a']);
});
