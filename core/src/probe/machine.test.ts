import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../host/host.ts';
import { FIRST_DELAY_MS, LATE_MS, ProbeMachine, type ProbeRun, TARGETS_MAX } from './machine.ts';
import { DEFAULT_PARAMETERS, type ProbeParameters } from './parameters.ts';
import { type Check, type ProbeOutcome, type ProbeTarget, targetId } from './target.ts';

const noSpread: Random = { float: () => 0, int: () => 0, bytes: (n) => new Uint8Array(n), uuid: () => '' };
const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  service: 'public##g@@s',
  key: '10.0.0.1:80:DEFAULT',
  ip: '10.0.0.1',
  port: 80,
  check: { kind: 'TCP' },
  healthy: true,
  ...more,
});
const HTTP: Check = { kind: 'HTTP', path: '/', headers: '' };
const MYSQL: Check = { kind: 'MYSQL', user: 'u', password: 'p', command: 'select 1' };

/** One target, probed as often as the machine says. */
class Watching {
  readonly machine = new ProbeMachine(noSpread);
  readonly #took = { ok: 3, timeout: 500, busy: 3, failed: 3, down: 1 };
  readonly startsMs: number[] = [];
  nowMs = 0;

  constructor(one: ProbeTarget, parameters: ProbeParameters = DEFAULT_PARAMETERS) {
    this.machine.parameters = parameters;
    this.machine.put(one, 0);
  }

  start(): ProbeRun {
    for (; ; this.nowMs += 100) {
      const [run] = this.machine.takeDue(this.nowMs, 1);
      if (run === undefined) continue;
      this.startsMs.push(this.nowMs);
      return run;
    }
  }

  /** The verdicts that results give, one after the other. */
  probe(...outcomes: ProbeOutcome[]): (boolean | undefined)[] {
    return outcomes.map((outcome) => {
      const run = this.start();
      return this.machine.finished(run, { outcome, tookMs: this.#took[outcome] })?.healthy;
    });
  }

  /** Between the last two starts. */
  get periodMs(): number {
    const [before = Number.NaN, last = Number.NaN] = this.startsMs.slice(-2);
    return last - before;
  }
}

test('the first probe comes after two seconds, and up to the longest period of TCP later', () => {
  const machine = new ProbeMachine(noSpread);
  machine.put(target(), 0);
  assert.equal(machine.takeDue(FIRST_DELAY_MS - 1, 10).length, 0);
  assert.equal(machine.takeDue(FIRST_DELAY_MS, 10).length, 1);
  const spread = new ProbeMachine({ ...noSpread, int: (bound) => bound - 1 });
  spread.put(target(), 0);
  assert.equal(spread.takeDue(FIRST_DELAY_MS + 4_900, 10).length, 0);
  assert.equal(spread.takeDue(FIRST_DELAY_MS + 5_000, 10).length, 1);
});

test('while a probe runs no other is started, and the period grows as if it had timed out', () => {
  const watching = new Watching(target());
  const run = watching.start();
  assert.equal(watching.machine.takeDue(FIRST_DELAY_MS + 1_000, 10).length, 0);
  assert.equal(watching.machine.skipped, 1);
  assert.equal(watching.machine.periodMsOf(run), 1_250);
  assert.equal(watching.machine.takeDue(FIRST_DELAY_MS + 60_000, 10).length, 0);
  watching.machine.finished(run, { outcome: 'ok', tookMs: 3 });
  assert.equal(watching.machine.takeDue(FIRST_DELAY_MS + 120_000, 10).length, 1);
});

test('three failures in a row make it unhealthy, three successes healthy again', () => {
  const watching = new Watching(target());
  assert.deepEqual(watching.probe('timeout', 'busy', 'failed'), [undefined, undefined, false]);
  assert.deepEqual(watching.probe('ok', 'timeout', 'ok'), [undefined, undefined, undefined]);
  assert.deepEqual(watching.probe('ok', 'ok'), [undefined, true]);
});

test('how many it takes is switched', () => {
  const watching = new Watching(target(), { ...DEFAULT_PARAMETERS, checkTimes: 1 });
  assert.deepEqual(watching.probe('timeout', 'ok', 'busy'), [false, true, false]);
});

test('what is down is so at once, and takes three successes to come back', () => {
  const watching = new Watching(target());
  assert.deepEqual(watching.probe('ok', 'ok', 'down', 'down'), [undefined, undefined, false, undefined]);
  assert.deepEqual(watching.probe('ok', 'ok', 'ok'), [undefined, undefined, true]);
});

test('the first verdict is told even when it only confirms what is shown', () => {
  const watching = new Watching(target());
  assert.deepEqual(watching.probe('ok', 'ok', 'ok', 'ok'), [undefined, undefined, true, undefined]);
});

test('the node shows something else than it was told: the next verdict says so again', () => {
  const watching = new Watching(target());
  assert.deepEqual(watching.probe('down'), [false]);
  watching.machine.put(target({ healthy: true }), watching.nowMs);
  assert.deepEqual(watching.probe('down'), [false]);
});

test('the period follows the results by the bounds and the factor of the kind', () => {
  const cases: [Check, ProbeOutcome, number][] = [
    [{ kind: 'TCP' }, 'ok', 1_000],
    [{ kind: 'TCP' }, 'timeout', 1_250],
    [{ kind: 'TCP' }, 'failed', 2_000],
    [{ kind: 'TCP' }, 'down', 2_000],
    [HTTP, 'ok', 500],
    [HTTP, 'timeout', 575],
    [HTTP, 'busy', 575],
    [HTTP, 'failed', 1_175],
    [HTTP, 'down', 1_175],
    [MYSQL, 'ok', 2_000],
    [MYSQL, 'timeout', 2_700],
    [MYSQL, 'failed', 2_350],
    [MYSQL, 'down', 3_000],
  ];
  for (const [check, outcome, periodMs] of cases) {
    const watching = new Watching(target({ check }));
    watching.probe(outcome);
    const run = watching.start();
    assert.equal(watching.machine.periodMsOf(run), periodMs, `${check.kind} ${outcome}`);
  }
});

test('failures lead to the longest period, switched or set', () => {
  const switched = new Watching(target(), {
    ...DEFAULT_PARAMETERS,
    periods: { ...DEFAULT_PARAMETERS.periods, TCP: { min: 500, max: 3_000, factor: 0 } },
  });
  switched.probe('down', 'down', 'down');
  assert.equal(switched.periodMs, 3_000);
  const machine = new ProbeMachine(noSpread, 1_500);
  machine.put(target(), 0);
  let nowMs = FIRST_DELAY_MS;
  for (let round = 0; round < 10; round++) {
    const [run] = machine.takeDue(nowMs, 1);
    assert.ok(run, `round ${round}`);
    machine.finished(run, { outcome: 'down', tookMs: 1 });
    nowMs += 1_500;
  }
});

test('a target that left the list is not probed, and its late result counts for nothing', () => {
  const watching = new Watching(target());
  const run = watching.start();
  watching.machine.remove(targetId(target()));
  assert.equal(watching.machine.finished(run, { outcome: 'down', tookMs: 1 }), undefined);
  assert.equal(watching.machine.size, 0);
  watching.machine.put(target(), watching.nowMs);
  assert.equal(watching.machine.finished(run, { outcome: 'down', tookMs: 1 }), undefined, 'of what was there before');
  assert.equal(watching.machine.takeDue(watching.nowMs + 60_000, 10).length, 1);
});

test('a target that is asked something else begins anew, with no result of what was asked before', () => {
  const watching = new Watching(target());
  watching.probe('timeout', 'timeout');
  const run = watching.start();
  watching.machine.put(target({ check: HTTP }), watching.nowMs);
  assert.equal(watching.machine.finished(run, { outcome: 'down', tookMs: 1 }), undefined);
  assert.deepEqual(watching.probe('timeout', 'timeout', 'timeout'), [undefined, undefined, false]);
  assert.equal(watching.machine.size, 1);
});

test('a probe that gave no result counts for nothing, and the next one comes', () => {
  const watching = new Watching(target());
  watching.probe('timeout', 'timeout');
  watching.machine.abandoned(watching.start());
  assert.deepEqual(watching.probe('ok', 'ok', 'ok'), [undefined, undefined, true]);
});

test('what is more than can be taken waits, the longest due first, and the period stretches for all alike', () => {
  const machine = new ProbeMachine(noSpread);
  const count = 100;
  for (let number = 0; number < count; number++) machine.put(target({ key: `k${number}` }), 0);
  const started = new Map<string, number>();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
    for (const run of machine.takeDue(nowMs, 2)) {
      started.set(run.target.key, (started.get(run.target.key) ?? 0) + 1);
      machine.finished(run, { outcome: 'ok', tookMs: 1 });
    }
  }
  assert.deepEqual([...new Set(started.values())].sort(), [11, 12]);
  assert.equal(started.size, count);
  assert.ok(machine.overdue > 0 && machine.late > 0);
  assert.ok(Math.abs((machine.meanPeriodMs ?? 0) - 5_000) < 100, `${machine.meanPeriodMs}`);
});

test('a probe counts as late only when it starts so long after its time', () => {
  const machine = new ProbeMachine(noSpread);
  machine.put(target({ key: 'a' }), 0);
  machine.put(target({ key: 'b' }), 0);
  machine.takeDue(FIRST_DELAY_MS + LATE_MS, 1);
  assert.equal(machine.late, 0);
  machine.takeDue(FIRST_DELAY_MS + LATE_MS + 100, 1);
  assert.equal(machine.late, 1);
});

test('targets beyond the bound are not watched', () => {
  const machine = new ProbeMachine(noSpread);
  for (let number = 0; number < TARGETS_MAX; number++) machine.put(target({ key: `k${number}` }), 0);
  assert.equal(machine.put(target({ key: 'more' }), 0), false);
  assert.equal(machine.put(target({ key: 'k1', healthy: false }), 0), true, 'a known one is');
});
