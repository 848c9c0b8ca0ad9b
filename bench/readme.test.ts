import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergedTables } from './readme.ts';
import type { Report, SceneResult } from './report.ts';
import type { Measured, RowResult } from './throughput.ts';

const measured = (perSecond: number, generatorCpu = 0.5): Measured => {
  return { perSecond, perCpuSecond: perSecond, p50Ms: 1, p99Ms: 2, generatorCpu };
};
const row = (name: string, perSecond: number, generatorCpu?: number): RowResult => {
  return { name, server: measured(perSecond, generatorCpu), http: null, socket: null, ratio: null, sqlite: null };
};
const scene = (name: string, value: number, ...notes: string[]): SceneResult => {
  const figures = ['first', 'second'].map((what) => ({ what, value, unit: 'ms' as const }));
  return { name, figures, notes };
};
const report = (commit: string, rows: readonly RowResult[], scenes: readonly SceneResult[]): Report => ({
  ...{ commit, commitDate: '2026-01-01', cpu: 'a CPU', cores: 2, node: 'v26.0.0', seconds: 0.8, rounds: 3 },
  ...{ isQuick: false, target: null, rows, scenes, failures: [] },
});
const OLD = report(
  'aaa',
  [row('register', 100, 0.99), row('heartbeat, light', 200), row('config get', 3), row('other', 4)],
  [scene('push', 1), scene('rolling restart', 2, 'Two failed.')],
);
const whole = mergedTables('', OLD, true);
const linesOf = (text: string, start: string) => text.split('\n').filter((line) => line.startsWith(start));

test('a whole run stands for itself, whatever was there', () => {
  assert.equal(mergedTables(mergedTables('', report('bbb', [row('gone', 1)], []), true), OLD, true), whole);
  assert.deepEqual(linesOf(whole, 'Commit'), [
    'Commit aaa of 2026-01-01, a CPU, 2 cores, Node v26.0.0; medians of 3 rounds of 0.8 s.',
  ]);
});

test('rows that are measured again take the place of the old ones, and each commit is named', () => {
  const again = report('bbb', [row('register', 333)], [scene('rolling restart', 7)]);
  const both = mergedTables(whole, again, false);
  assert.deepEqual(
    linesOf(both, '| register').map((line) => line.split('|')[2]!.trim()),
    ['333'],
  );
  assert.equal(linesOf(both, '| heartbeat, light | 200').length, 1);
  assert.match(both, /\| rolling restart \| first \| 7\.00 ms \|.*\n\| {2}\| second \| 7\.00 ms/);
  assert.match(both, /\| push \| first \| 1\.00 ms \|.*\n\| {2}\| second \| 1\.00 ms/);
  assert.doesNotMatch(both, /Two failed|had no CPU left/);
  assert.deepEqual(linesOf(both, 'Commit'), [
    'Commit aaa of 2026-01-01, a CPU, 2 cores, Node v26.0.0; medians of 3 rounds of 0.8 s.',
    'Commit bbb of 2026-01-01, a CPU, 2 cores, Node v26.0.0; medians of 3 rounds of 0.8 s: register · rolling restart.',
  ]);
});

test('what is measured a third time has its last commit alone, and new rows are added', () => {
  const twice = mergedTables(whole, report('bbb', [row('register', 333)], [scene('push', 5)]), false);
  const thrice = mergedTables(twice, report('ccc', [row('register', 444), row('new', 1)], []), false);
  assert.deepEqual(
    linesOf(thrice, 'Commit').map((line) => line.replace(/ of 2026.* s(?=[:.])/, '')),
    ['Commit aaa.', 'Commit ccc: register · new.', 'Commit bbb: push.'],
  );
  assert.equal(mergedTables(thrice, report('aaa', [], []), false), thrice);
  assert.match(thrice, /\*rolling restart\*: Two failed\./);
});

test('a whole run in which something failed or was not there keeps what it did not measure', () => {
  const failed = { ...report('bbb', [row('register', 1)], []), failures: [{ name: 'push', message: 'broke' }] };
  assert.equal(linesOf(mergedTables(whole, failed, true), '| push').length, 1);
  const without = report('bbb', [row('register', 1)], [{ name: 'push', figures: [], notes: ['No redis here.'] }]);
  assert.equal(linesOf(mergedTables(whole, without, true), '| push').length, 1);
});
