import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { Farewell, LINGER_LEAST_MS } from './farewell.ts';

async function drained(lingerMs: number, emptyAfterMs: number) {
  const host = new FakeHost();
  const log: string[] = [];
  const retire = async (ms: number) => {
    log.push(`retire ${ms}`);
    await host.clock.sleep(Math.min(ms, emptyAfterMs));
  };
  const farewell = new Farewell(host, { retire, answerHeld: () => void log.push('answer held') });
  farewell.lingerMs = lingerMs;
  let isOver = false;
  const done = farewell.drain().then(() => {
    isOver = true;
  });
  return { host, log, done, isOver: () => isOver };
}

test('held calls are answered when each answer closes its connection already', async () => {
  const { log, host } = await drained(6_000, 6_000);
  await host.advance(0);
  assert.deepEqual(log, ['retire 6000', 'answer held']);
});

test('a drain waits until the clients are gone, a second at least', async () => {
  for (const [emptyAfterMs, endsMs] of [
    [0, LINGER_LEAST_MS],
    [4_000, 4_000],
    [60_000, 6_000],
  ] as const) {
    const { host, isOver } = await drained(6_000, emptyAfterMs);
    await host.advance(endsMs - 1);
    assert.equal(isOver(), false);
    await host.advance(1);
    assert.equal(isOver(), true);
  }
});

test('where all ends at once nobody is waited for', async () => {
  const { host, isOver } = await drained(0, 60_000);
  await host.advance(0);
  assert.equal(isOver(), true);
});
