import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { Operation, OperationResult } from '../naming/operation.ts';
import { FORWARD_BATCH_MAX, FORWARD_PACE_MS, FORWARD_TIMEOUT_MS, FORWARDS_PENDING_MAX, Forwarder } from './forward.ts';

const beat = (n: number): Operation => ({
  kind: 'beat',
  service: { namespaceId: 'public', name: 'g@@demo' },
  key: `${n}`,
});
const keyOf = (operation: Operation) => ('key' in operation ? operation.key : '');
const done = (n: number): OperationResult => ({ outcome: 'done', beatIntervalMs: n });

/** An owner whose answers a test gives, or whose call ends by its time-out. */
function start() {
  const host = new FakeHost();
  const calls: { owner: string; keys: string[]; timeoutMs: number; answer: (results: OperationResult[]) => void }[] =
    [];
  const forwarder = new Forwarder(host, (owner, operations, timeoutMs) => {
    const { promise, resolve, reject } = Promise.withResolvers<OperationResult[]>();
    calls.push({ owner, keys: operations.map(keyOf), timeoutMs, answer: resolve });
    host.clock.after(timeoutMs, () => reject(new Error('no answer in time')));
    return promise;
  });
  return { host, calls, forwarder };
}

test('operations go to the owner in order, those that come meanwhile together, each with its own result', async () => {
  const { host, calls, forwarder } = start();
  const results = Promise.all([0, 1, 2].map((n) => forwarder.forward('m2', beat(n))));
  await host.advance(10);
  assert.deepEqual(calls[0]?.keys, ['0']);
  calls[0]?.answer([done(0)]);
  await host.advance(10);
  assert.deepEqual(calls[1]?.keys, ['1', '2']);
  calls[1]?.answer([done(1), { outcome: 'unknown' }]);
  await host.advance(10);
  assert.deepEqual(await results, [done(0), done(1), { outcome: 'unknown' }]);
  assert.equal(forwarder.forwarded, 3);
});

test('after a quick answer the next batch waits for what else comes', async () => {
  const { host, calls, forwarder } = start();
  void forwarder.forward('m2', beat(0));
  await host.advance(1);
  calls[0]?.answer([done(0)]);
  await host.advance(1);
  const results = [forwarder.forward('m2', beat(1))];
  await host.advance(FORWARD_PACE_MS - 3);
  results.push(forwarder.forward('m2', beat(2)));
  assert.equal(calls.length, 1);
  await host.advance(1);
  assert.deepEqual(calls[1]?.keys, ['1', '2']);
  calls[1]?.answer([done(1), done(2)]);
  assert.deepEqual(await Promise.all(results), [done(1), done(2)]);
  await host.advance(FORWARD_PACE_MS);
  void forwarder.forward('m2', beat(3));
  assert.equal(calls.length, 3);
  await host.advance(FORWARD_TIMEOUT_MS);
});

test('an owner that does not hold up another', async () => {
  const { host, calls, forwarder } = start();
  const slow = forwarder.forward('m2', beat(1));
  const quick = forwarder.forward('m3', beat(2));
  await host.advance(10);
  calls[1]?.answer([done(2)]);
  assert.deepEqual(await quick, done(2));
  await host.advance(FORWARD_TIMEOUT_MS);
  assert.equal(await slow, 'unreachable');
});

test('nobody waits longer than the time-out, whenever he came', async () => {
  const { host, forwarder } = start();
  const waited: number[] = [];
  for (let n = 0; n < 40; n++) {
    const sinceMs = host.clock.monotonic();
    void forwarder.forward('m2', beat(n)).then((result) => {
      assert.equal(result, 'unreachable');
      waited.push(host.clock.monotonic() - sinceMs);
    });
    await host.advance(100);
  }
  await host.advance(FORWARD_TIMEOUT_MS);
  assert.equal(waited.length, 40);
  assert.ok(Math.max(...waited) <= FORWARD_TIMEOUT_MS, `${Math.max(...waited)} ms`);
  assert.equal(forwarder.unreachable, 40);
});

test('a slow owner takes the time of those that wait behind', async () => {
  const { host, calls, forwarder } = start();
  const first = forwarder.forward('m2', beat(1));
  await host.advance(100);
  const second = forwarder.forward('m2', beat(2));
  await host.advance(1_500);
  calls[0]?.answer([done(1)]);
  assert.deepEqual(await first, done(1));
  await host.advance(0);
  assert.equal(calls[1]?.timeoutMs, FORWARD_TIMEOUT_MS - 1_500);
  await host.advance(FORWARD_TIMEOUT_MS);
  assert.equal(await second, 'unreachable');
});

test('results that are missing mean that it is to be done here', async () => {
  const { host, calls, forwarder } = start();
  void forwarder.forward('m2', beat(0));
  const [one, two] = [forwarder.forward('m2', beat(1)), forwarder.forward('m2', beat(2))];
  await host.advance(1);
  calls[0]?.answer([done(0)]);
  await host.advance(FORWARD_PACE_MS);
  calls[1]?.answer([done(1)]);
  assert.deepEqual(await Promise.all([one, two]), [done(1), 'unreachable']);
});

test('batches and the queue are bounded', async () => {
  const { host, calls, forwarder } = start();
  const first = forwarder.forward('m2', beat(0));
  const all = Array.from({ length: FORWARDS_PENDING_MAX }, (_, n) => forwarder.forward('m2', beat(n)));
  assert.throws(() => forwarder.forward('m2', beat(1)), { status: 503 });
  await host.advance(1);
  calls[0]?.answer([done(0)]);
  await host.advance(1);
  assert.equal(calls[1]?.keys.length, FORWARD_BATCH_MAX);
  await host.advance(2 * FORWARD_TIMEOUT_MS);
  assert.deepEqual(await first, done(0));
  assert.deepEqual(new Set(await Promise.all(all)), new Set(['unreachable']));
});
