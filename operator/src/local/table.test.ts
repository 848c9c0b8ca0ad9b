import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Screen } from './screen.ts';
import { type ClusterView, durationText, isAllUp, type MemberRow, plainLine, stateOf, tableLines } from './table.ts';

const row = (more: Partial<MemberRow> = {}): MemberRow => ({
  name: 'demo-0',
  address: '127.0.0.1:8850',
  node: { member: 'demo-0', job: 'node', phase: 'running', pid: 4711, restarts: 2, sinceMs: 1_000 },
  sidecar: { member: 'demo-0', job: 'sidecar', phase: 'running', pid: 4712, restarts: 0, sinceMs: 0 },
  isReady: true,
  states: ['UP', 'UP', 'UP'],
  facts: undefined,
  ...more,
});
const view = (...rows: MemberRow[]): ClusterView => ({
  name: 'demo',
  vip: 'http://127.0.0.1:8848/nacos',
  logs: 'data/demo/logs',
  rows,
  nowMs: 63_000,
});

test('the table says who is there and how the members see each other', () => {
  const waiting = row({ name: 'demo-1', node: undefined, isReady: false, states: ['DOWN', 'SUSPICIOUS', 'DOWN'] });
  assert.deepEqual(tableLines(view(row(), waiting)), [
    '',
    'demo: 1 of 2 members ready, VIP http://127.0.0.1:8848/nacos',
    '',
    'MEMBER  ADDRESS         STATE            READY  PID   RESTARTS  SIDECAR  UP FOR',
    'demo-0  127.0.0.1:8850  UP               yes    4711  2         running  1m2s',
    'demo-1  127.0.0.1:8850  DOWN/SUSPICIOUS  no     -     0         running  -',
    '',
    'logs in data/demo/logs; Ctrl-C stops',
  ]);
});

test('while nobody is ready to look, the state is what the process does', () => {
  assert.equal(stateOf(row({ states: [] })), 'running');
  assert.equal(stateOf(row({ states: [], node: undefined })), 'gone');
});

test('all up means ready and seen as UP by all', () => {
  assert.ok(isAllUp(view(row(), row())));
  assert.ok(!isAllUp(view(row(), row({ states: ['UP', 'DOWN'] }))));
  assert.ok(!isAllUp(view(row({ isReady: false }))));
  assert.ok(!isAllUp(view()));
});

test('a plain line changes with what matters, not with time', () => {
  assert.equal(plainLine(row()), 'demo-0 127.0.0.1:8850 UP, ready, pid 4711, restarts 2');
});

test('durations are short', () => {
  const texts = [59_999, 60_000, 3_600_000, 3 * 86_400_000].map(durationText);
  assert.deepEqual(texts, ['59s', '1m0s', '1h0m', '3d0h']);
});

test('on a terminal the table is redrawn in place, below the notes', () => {
  let written = '';
  const terminal = { isInteractive: true, columns: () => 80, write: (text: string) => (written += text) };
  const screen = new Screen(terminal, () => 0);
  screen.show(['a', 'b'], new Map());
  screen.show(['a', 'b'], new Map());
  assert.equal(written, 'a\nb\n', 'nothing is written when nothing changed');
  written = '';
  screen.note('hello');
  assert.equal(written, '\u001b[2A\r\u001b[Jhello\na\nb\n');
});

test('at the end the table is taken away', () => {
  let written = '';
  const terminal = { isInteractive: true, columns: () => 80, write: (text: string) => (written += text) };
  const screen = new Screen(terminal, () => 0);
  screen.show(['a'], new Map());
  screen.finish('over');
  assert.equal(written, 'a\n\u001b[1A\r\u001b[Jover\n');
});

test('a line that is wider than the terminal is cut', () => {
  let written = '';
  const terminal = { isInteractive: true, columns: () => 30, write: (text: string) => (written += text) };
  new Screen(terminal, () => 0).show(['x'.repeat(100)], new Map());
  assert.equal(written, `${'x'.repeat(29)}\n`);
});

test('without a terminal each change is a line with its time', () => {
  let written = '';
  const terminal = { isInteractive: false, columns: () => 80, write: (text: string) => (written += text) };
  const screen = new Screen(terminal, () => 0);
  screen.show(['table'], new Map([['a', 'a UP']]));
  screen.show(['table'], new Map([['a', 'a UP']]));
  screen.show(['table'], new Map([['a', 'a DOWN']]));
  assert.equal(written, '1970-01-01T00:00:00.000Z a UP\n1970-01-01T00:00:00.000Z a DOWN\n');
});
