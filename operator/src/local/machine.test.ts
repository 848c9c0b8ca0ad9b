import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LocalEffect, type LocalEvent, LocalMachine, PREPARE_MAX_MS, STOP_MAX_MS, WELL_MS } from './machine.ts';

/** A transcript: each event with the time at which it comes, and the effects as short texts. */
function transcript(machine = new LocalMachine()) {
  const at = (nowMs: number, event: LocalEvent): string[] => machine.step(event, nowMs).map(textOf);
  const phases = () => machine.processes().map(({ member, job, phase }) => `${member} ${job} ${phase}`);
  const restarts = (job: string) => machine.processes().find((process) => process.job === job)?.restarts;
  return { at, phases, restarts };
}

function textOf(effect: LocalEffect): string {
  switch (effect.kind) {
    case 'start':
      return `start ${effect.member} ${effect.job}`;
    case 'signal':
      return `${effect.signal} ${effect.member} ${effect.job}`;
    case 'note':
      return `note ${effect.text}`;
    case 'over':
      return 'over';
  }
}

const node = { member: 'a', job: 'node' } as const;
const sidecar = { member: 'a', job: 'sidecar' } as const;
const TICK = { kind: 'tick' } as const;

/** One member that runs since 100. */
function running() {
  const both = transcript();
  both.at(0, { kind: 'wanted', members: ['a'] });
  both.at(10, { kind: 'started', ...sidecar, pid: 1 });
  both.at(90, { kind: 'prepared', member: 'a' });
  both.at(100, { kind: 'started', ...node, pid: 2 });
  return both;
}

test('the sidecar starts first, the node once cluster.conf is written', () => {
  const { at, phases } = transcript();
  assert.deepEqual(at(0, { kind: 'wanted', members: ['a'] }), ['start a sidecar']);
  assert.deepEqual(at(10, { kind: 'started', ...sidecar, pid: 1 }), []);
  assert.deepEqual(at(20, TICK), []);
  assert.deepEqual(at(30, { kind: 'prepared', member: 'a' }), ['start a node']);
  assert.deepEqual(at(40, { kind: 'started', ...node, pid: 2 }), []);
  assert.deepEqual(phases(), ['a node running', 'a sidecar running']);
});

test('a sidecar that never gets ready does not keep its node for ever', () => {
  const { at } = transcript();
  at(0, { kind: 'wanted', members: ['a'] });
  assert.deepEqual(at(PREPARE_MAX_MS - 1, TICK), []);
  assert.deepEqual(at(PREPARE_MAX_MS, TICK), ['start a node']);
});

test('a dead process comes back after 0.5 s, and later and later while it keeps dying', () => {
  const { at, restarts } = running();
  let nowMs = 1_000;
  for (const delayMs of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    assert.deepEqual(at(nowMs, { kind: 'ended', ...node, how: 'was killed by SIGKILL' }), [
      `note a node was killed by SIGKILL, starting it again in ${delayMs / 1000} s`,
    ]);
    assert.deepEqual(at(nowMs + delayMs - 1, TICK), []);
    assert.deepEqual(at(nowMs + delayMs, TICK), ['start a node']);
    nowMs += delayMs;
    at(nowMs, { kind: 'started', ...node, pid: 3 });
  }
  assert.equal(restarts('node'), 8);
  assert.equal(restarts('sidecar'), 0);
});

test('who ran for a minute comes back soon again', () => {
  const { at } = running();
  at(1_000, { kind: 'ended', ...node, how: 'died' });
  at(1_500, TICK);
  at(1_500, { kind: 'started', ...node, pid: 3 });
  const notes = at(1_500 + WELL_MS, { kind: 'ended', ...node, how: 'died' });
  assert.deepEqual(notes, ['note a node died, starting it again in 0.5 s']);
});

test('a program that cannot even be started is tried again as well', () => {
  const { at } = transcript();
  at(0, { kind: 'wanted', members: ['a'] });
  at(5, { kind: 'ended', ...sidecar, how: 'cannot be started: no such file' });
  assert.deepEqual(at(505, TICK), ['start a sidecar']);
});

test('stopping ends nodes in parallel, each sidecar after its node', () => {
  const { at, phases } = transcript();
  at(0, { kind: 'wanted', members: ['a', 'b'] });
  for (const member of ['a', 'b']) {
    at(1, { kind: 'started', member, job: 'sidecar', pid: 1 });
    at(2, { kind: 'prepared', member });
    at(3, { kind: 'started', member, job: 'node', pid: 2 });
  }
  assert.deepEqual(at(10, { kind: 'stop' }), ['SIGTERM a node', 'SIGTERM b node']);
  assert.deepEqual(at(20, { kind: 'ended', ...node, how: 'ended' }), ['SIGTERM a sidecar']);
  assert.deepEqual(at(30, { kind: 'ended', ...sidecar, how: 'ended' }), []);
  assert.deepEqual(phases(), ['b node stopping', 'b sidecar running']);
  assert.deepEqual(at(40, { kind: 'ended', member: 'b', job: 'node', how: 'ended' }), ['SIGTERM b sidecar']);
  assert.deepEqual(at(50, { kind: 'ended', member: 'b', job: 'sidecar', how: 'ended' }), ['over']);
  assert.deepEqual(at(60, TICK), [], 'over is told once');
});

test('who does not end in time is killed', () => {
  const { at } = running();
  at(1_000, { kind: 'stop' });
  assert.deepEqual(at(1_000 + STOP_MAX_MS - 1, TICK), []);
  assert.deepEqual(at(1_000 + STOP_MAX_MS, TICK), ['note a node does not end, killing it', 'SIGKILL a node']);
  assert.deepEqual(at(1_000 + STOP_MAX_MS + 100, TICK), []);
});

test('a second Ctrl-C kills all at once, also what is being started', () => {
  const { at } = running();
  at(1_000, { kind: 'ended', ...node, how: 'died' });
  at(1_500, TICK);
  at(1_600, { kind: 'stop' });
  assert.deepEqual(at(1_700, { kind: 'kill' }), ['SIGKILL a sidecar']);
  assert.deepEqual(at(1_800, { kind: 'started', ...node, pid: 3 }).slice(0, 1), ['SIGKILL a node']);
  at(1_900, { kind: 'ended', ...sidecar, how: 'killed' });
  assert.deepEqual(at(1_950, { kind: 'ended', ...node, how: 'killed' }), ['over']);
});

test('a process whose start was under way when the stop came is stopped, not left behind', () => {
  const { at } = transcript();
  at(0, { kind: 'wanted', members: ['a'] });
  assert.deepEqual(at(1, { kind: 'stop' }), []);
  assert.deepEqual(at(2, { kind: 'started', ...sidecar, pid: 1 }), ['SIGTERM a sidecar']);
  assert.deepEqual(at(3, { kind: 'ended', ...sidecar, how: 'ended' }), ['over']);
});

test('scaling in stops those that are too many, scaling out starts new ones, the others are left alone', () => {
  const { at, phases } = running();
  assert.deepEqual(at(1_000, { kind: 'wanted', members: ['a', 'b'] }), ['start b sidecar']);
  at(1_010, { kind: 'started', member: 'b', job: 'sidecar', pid: 5 });
  assert.deepEqual(at(2_000, { kind: 'wanted', members: ['a'] }), ['SIGTERM b sidecar']);
  at(2_010, { kind: 'ended', member: 'b', job: 'sidecar', how: 'ended' });
  assert.deepEqual(phases(), ['a node running', 'a sidecar running']);
});

test('nothing is started once stopping has begun', () => {
  const { at } = running();
  at(1_000, { kind: 'stop' });
  assert.deepEqual(at(1_001, { kind: 'wanted', members: ['a', 'b'] }), []);
  assert.deepEqual(at(1_002, { kind: 'ended', ...node, how: 'ended' }), ['SIGTERM a sidecar']);
});

test('a member that is wanted again while it ends starts again', () => {
  const { at, phases } = running();
  assert.deepEqual(at(1_000, { kind: 'wanted', members: [] }), ['SIGTERM a node']);
  assert.deepEqual(at(1_010, { kind: 'ended', ...node, how: 'ended' }), ['SIGTERM a sidecar']);
  assert.deepEqual(phases(), ['a node gone', 'a sidecar stopping']);
  assert.deepEqual(at(1_020, { kind: 'wanted', members: ['a'] }), ['start a node']);
  assert.deepEqual(at(1_030, { kind: 'ended', ...sidecar, how: 'ended' }), ['start a sidecar']);
});

test('a process that waits to be started again is gone at once when it is no longer wanted', () => {
  const { at } = running();
  at(1_000, { kind: 'ended', ...node, how: 'died' });
  assert.deepEqual(at(1_010, { kind: 'stop' }), ['SIGTERM a sidecar']);
  assert.deepEqual(at(1_020, { kind: 'ended', ...sidecar, how: 'ended' }), ['over']);
});

test('a member that is restarted ends node before sidecar, and begins with the sidecar again', () => {
  const { at, phases, restarts } = running();
  assert.deepEqual(at(1_000, { kind: 'restart', member: 'a' }), ['SIGTERM a node']);
  assert.deepEqual(at(1_010, TICK), []);
  assert.deepEqual(at(1_020, { kind: 'ended', ...node, how: 'ended with code 0' }), ['SIGTERM a sidecar']);
  assert.deepEqual(phases(), ['a node gone', 'a sidecar stopping']);
  assert.deepEqual(at(1_030, { kind: 'ended', ...sidecar, how: 'ended with code 0' }), ['start a sidecar']);
  at(1_040, { kind: 'started', ...sidecar, pid: 3 });
  assert.deepEqual(at(1_050, TICK), [], 'the node waits for cluster.conf again');
  assert.deepEqual(at(1_060, { kind: 'prepared', member: 'a' }), ['start a node']);
  at(1_070, { kind: 'started', ...node, pid: 4 });
  assert.deepEqual([restarts('node'), restarts('sidecar')], [1, 1]);
});

test('a node that hangs when it is restarted is killed, and starts again', () => {
  const { at } = running();
  at(1_000, { kind: 'restart', member: 'a' });
  assert.deepEqual(at(1_000 + STOP_MAX_MS, TICK), ['note a node does not end, killing it', 'SIGKILL a node']);
  at(40_000, { kind: 'ended', ...node, how: 'was ended by SIGKILL' });
  assert.deepEqual(at(40_010, { kind: 'ended', ...sidecar, how: 'ended' }), ['start a sidecar']);
});

test('a restart of what is dead already starts it at once', () => {
  const { at } = running();
  for (const nowMs of [1_000, 2_000, 4_000]) {
    at(nowMs, { kind: 'ended', ...node, how: 'died' });
    at(nowMs + 100, TICK);
  }
  assert.deepEqual(at(4_200, { kind: 'restart', member: 'a' }), ['SIGTERM a sidecar']);
  assert.deepEqual(at(4_210, { kind: 'ended', ...sidecar, how: 'ended' }), ['start a sidecar']);
});

test('who is stopped, or not wanted any more, while it restarts does not come back', () => {
  for (const end of [{ kind: 'stop' }, { kind: 'wanted', members: [] }] as const) {
    const { at, phases } = running();
    at(1_000, { kind: 'restart', member: 'a' });
    assert.deepEqual(at(1_001, end), []);
    assert.deepEqual(at(1_002, { kind: 'ended', ...node, how: 'ended' }), ['SIGTERM a sidecar']);
    assert.deepEqual(at(1_003, { kind: 'ended', ...sidecar, how: 'ended' }), end.kind === 'stop' ? ['over'] : []);
    assert.deepEqual(phases(), []);
    assert.deepEqual(at(1_004, { kind: 'restart', member: 'a' }), []);
  }
});
