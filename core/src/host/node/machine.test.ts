import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNodeMachine, SAMPLE_MS } from './machine.ts';

test('the share of busy cores is that of the time since it was asked before, at most each second', () => {
  let nowMs = 0;
  let times = { busyMs: 1_000, totalMs: 4_000 };
  const machine = createNodeMachine(
    () => nowMs,
    () => times,
  );
  assert.equal(machine.load().cpu, -1);
  nowMs = SAMPLE_MS;
  times = { busyMs: 1_500, totalMs: 6_000 };
  assert.equal(machine.load().cpu, 0.25);
  nowMs += SAMPLE_MS - 1;
  times = { busyMs: 3_500, totalMs: 8_000 };
  assert.equal(machine.load().cpu, 0.25);
  nowMs += 1;
  assert.equal(machine.load().cpu, 1);
});

test('memory and load of the real machine are what they can be', () => {
  const { load, memory } = createNodeMachine(() => performance.now()).load();
  assert.equal(load >= 0 && memory > 0 && memory < 1, true);
});
