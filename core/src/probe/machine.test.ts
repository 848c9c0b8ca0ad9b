import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../host/host.ts';
import { probeRefusal } from './guard.ts';
import { FIRST_DELAY_MS, ProbeMachine, type ProbeResult, type ProbeTarget } from './machine.ts';

const noSpread: Random = { float: () => 0, int: () => 0, bytes: (n) => new Uint8Array(n), uuid: () => '' };
const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  service: 'public##g@@s',
  key: '10.0.0.1:80:DEFAULT',
  ip: '10.0.0.1',
  port: 80,
  healthy: true,
  ...more,
});
const connected: ProbeResult = { kind: 'connected', tookMs: 3 };
const timeout: ProbeResult = { kind: 'timeout', tookMs: 500 };
const refused: ProbeResult = { kind: 'refused', tookMs: 1 };

function watching(one: ProbeTarget): { probe: (result: ProbeResult) => boolean | undefined; machine: ProbeMachine } {
  const machine = new ProbeMachine(noSpread);
  machine.setTargets([one], 0);
  let nowMs = 0;
  return {
    machine,
    probe(result) {
      do nowMs += 100;
      while (machine.takeDue(nowMs, 1).length === 0);
      return machine.finished(one, result, nowMs)?.healthy;
    },
  };
}

test('the first probe comes after two seconds, a running one is not started again', () => {
  const machine = new ProbeMachine(noSpread);
  machine.setTargets([target()], 0);
  assert.equal(machine.takeDue(FIRST_DELAY_MS - 1, 10).length, 0);
  assert.equal(machine.takeDue(FIRST_DELAY_MS, 10).length, 1);
  assert.equal(machine.takeDue(FIRST_DELAY_MS + 60_000, 10).length, 0);
});

test('three failures in a row make it unhealthy, three successes healthy again', () => {
  const { probe } = watching(target());
  assert.deepEqual([probe(timeout), probe(timeout), probe(timeout)], [undefined, undefined, false]);
  assert.deepEqual([probe(connected), probe(timeout), probe(connected)], [undefined, undefined, undefined]);
  assert.deepEqual([probe(connected), probe(connected)], [undefined, true]);
});

test('a refused connection is a verdict at once', () => {
  const { probe } = watching(target());
  assert.equal(probe(refused), false);
  assert.equal(probe(refused), undefined);
});

test('the first verdict is told even when it only confirms what is shown', () => {
  const { probe } = watching(target());
  assert.deepEqual([probe(connected), probe(connected), probe(connected)], [undefined, undefined, true]);
  assert.equal(probe(connected), undefined);
});

test('a target that left the list is not probed, and its late result counts for nothing', () => {
  const machine = new ProbeMachine(noSpread);
  machine.setTargets([target()], 0);
  machine.takeDue(5_000, 1);
  machine.setTargets([], 5_000);
  assert.equal(machine.finished(target(), refused, 5_001), undefined);
  assert.equal(machine.size, 0);
});

test('no more probes are started than the limit, the longest due first', () => {
  const machine = new ProbeMachine(noSpread);
  const late = target({ key: 'late', healthy: true });
  machine.setTargets([late], 0);
  machine.setTargets([late, target({ key: 'b' }), target({ key: 'c' })], 1_000);
  assert.deepEqual(
    machine.takeDue(10_000, 2).map((one) => one.key),
    ['late', 'b'],
  );
});

test('the longest period can be set, and failures lead to it', () => {
  const machine = new ProbeMachine(noSpread, 1_500);
  machine.setTargets([target()], 0);
  let nowMs = FIRST_DELAY_MS;
  for (let round = 0; round < 10; round++) {
    assert.equal(machine.takeDue(nowMs, 1).length, 1, `round ${round}`);
    machine.finished(target(), refused, nowMs);
    nowMs += 1_500;
  }
});

test('only addresses of other machines are probed (S9)', () => {
  const guard = { forbidden: new Set(['10.0.0.7']), isLoopbackAllowed: false };
  for (const ip of ['10.0.0.1', '192.168.1.2', '2001:db8::1']) assert.equal(probeRefusal(ip, guard), undefined, ip);
  for (const ip of [
    'localhost',
    '10.0.0.1,10.0.0.2',
    '10.0.0.7',
    '::ffff:10.0.0.7',
    '127.0.0.1',
    '::1',
    '169.254.169.254',
    'fe80::1',
    '0.0.0.0',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ]) {
    assert.notEqual(probeRefusal(ip, guard), undefined, ip);
  }
  assert.equal(probeRefusal('127.0.0.1', { ...guard, isLoopbackAllowed: true }), undefined);
  const laptop = { forbidden: new Set(['127.0.0.1']), isLoopbackAllowed: true };
  assert.equal(probeRefusal('127.0.0.1', laptop), undefined, 'where the members are there too');
  assert.notEqual(probeRefusal('127.0.0.1', { ...laptop, isLoopbackAllowed: false }), undefined);
});
