import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestHost } from '../host-for-tests.ts';
import { StoreError } from '../store.ts';
import { Patience } from './patience.ts';

test('who waits for a store that is away hears soon that it shall stop', async () => {
  const host = createTestHost();
  let nowMs = 0;
  let stoppedAtMs = Number.POSITIVE_INFINITY;
  const sleep = async (ms: number) => {
    nowMs += ms;
  };
  const clock = { ...host.clock, monotonic: () => nowMs, sleep };
  const patience = new Patience({ ...host, clock }, 60_000, () => nowMs >= stoppedAtMs);
  const away = () =>
    patience.with(async () => {
      throw new StoreError('unavailable', 'it is away');
    });
  await assert.rejects(away(), { message: 'it is away' });
  assert.ok(nowMs >= 60_000, 'it is not waited for');
  stoppedAtMs = nowMs + 20_000;
  await assert.rejects(away(), { name: 'MoveStoppedError', message: /^stopped: a store did not answer/ });
  assert.ok(nowMs - stoppedAtMs <= 250, `it went on for ${nowMs - stoppedAtMs} ms`);
});
