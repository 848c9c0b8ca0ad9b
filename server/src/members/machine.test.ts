import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FailureKind, type MembersEffect, type MembersEvent, MembersMachine } from './machine.ts';
import type { Phase, Report } from './report.ts';

const A = '10.0.0.1:8848';
const B = '10.0.0.2:8848';
const C = '10.0.0.3:8848';

function report(from: string, { phase = 'running' as Phase, run = '1', sees = [A, B, C] } = {}): Report {
  return { from, run, version: '1.4.8', phase, generation: 1, listHash: 'h', sees, facts: {} };
}

/** A machine whose transcripts read like the talk between members; reports are due exactly every two seconds. */
class Transcript {
  readonly machine = new MembersMachine(A, () => 0.5);
  nowMs = 0;

  constructor(members: readonly string[] = [A, B, C]) {
    this.list(members);
    this.tick();
  }

  step(event: MembersEvent): string[] {
    return this.machine.step(event, this.nowMs).map(shown);
  }
  list(members: readonly string[]): string[] {
    return this.step({ kind: 'list', list: { members, generation: 1, hash: members.join() } });
  }
  tick(afterMs = 0, isReady = true): string[] {
    this.nowMs += afterMs;
    return this.step({ kind: 'tick', isReady });
  }
  answered(peer: string, options?: Parameters<typeof report>[1]): string[] {
    return this.step({ kind: 'answered', peer, report: report(peer, options), isListed: true });
  }
  failed(peer: string, why: FailureKind = 'timeout'): string[] {
    return this.step({ kind: 'failed', peer, why });
  }
  reported(peer: string, options?: Parameters<typeof report>[1]): string[] {
    return this.step({ kind: 'reported', report: report(peer, options) });
  }
  get states(): string {
    return this.machine.view.members.map(({ state }) => state).join(' ');
  }
  get healthy(): readonly string[] {
    return this.machine.view.healthy;
  }
}

function shown(effect: MembersEffect): string {
  switch (effect.kind) {
    case 'report':
    case 'say goodbye':
      return `${effect.kind} ${effect.to}`;
    case 'moved':
      return `${effect.peer} ${effect.from} > ${effect.to}: ${effect.why}`;
    case 'changed':
      return `view ${effect.view.healthy.length} healthy`;
  }
}

test('a new list has everybody asked at once, and whoever answers is UP', () => {
  const machine = new Transcript([A]);
  assert.deepEqual(machine.list([A, B, C]), [`report ${B}`, `report ${C}`, 'view 1 healthy']);
  assert.equal(machine.states, 'UP DOWN DOWN');
  assert.deepEqual(machine.answered(B), [`${B} DOWN > UP: it is running`, 'view 2 healthy']);
  assert.deepEqual(machine.reported(C), [`${C} DOWN > UP: it is running`, 'view 3 healthy']);
});

test('a peer is asked again two seconds after it answered, not while an answer is out', () => {
  const machine = new Transcript([A, B]);
  assert.deepEqual(machine.tick(5_000), []);
  machine.answered(B);
  assert.deepEqual(machine.tick(1_999), []);
  assert.deepEqual(machine.tick(1), [`report ${B}`]);
});

test('three failures in a row make a member DOWN, SUSPICIOUS ones still own services', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  machine.tick(2_000);
  assert.deepEqual(machine.failed(B), [`${B} UP > SUSPICIOUS: timeout`, 'view 2 healthy']);
  assert.deepEqual(machine.tick(500), [`report ${B}`]);
  assert.deepEqual(machine.failed(B), []);
  assert.deepEqual(machine.tick(500), [`report ${B}`]);
  assert.deepEqual(machine.failed(B), [`${B} SUSPICIOUS > DOWN: timeout`, 'view 1 healthy']);
  assert.deepEqual(machine.tick(1_999), []);
  assert.deepEqual(machine.tick(1), [`report ${B}`]);
});

test('a refused connection counts double', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  machine.failed(B, 'refused');
  assert.equal(machine.states, 'UP SUSPICIOUS');
  machine.failed(B, 'refused');
  assert.equal(machine.states, 'UP DOWN');
});

test('one answer in between starts the count anew', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  for (let round = 0; round < 5; round++) {
    machine.failed(B);
    machine.failed(B);
    assert.equal(machine.states, 'UP SUSPICIOUS');
    machine.answered(B);
    assert.equal(machine.states, 'UP UP');
  }
});

test('a member that was DOWN must answer twice, so a bad link does not move owners to and fro', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  for (let i = 0; i < 3; i++) machine.failed(B);
  assert.deepEqual(machine.answered(B), []);
  assert.deepEqual(machine.tick(500), [`report ${B}`]);
  assert.deepEqual(machine.answered(B), [`${B} DOWN > UP: it is running`, 'view 2 healthy']);
});

test('a member that was started anew needs no second answer', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  for (let i = 0; i < 3; i++) machine.failed(B, 'refused');
  machine.reported(B, { run: '2', phase: 'starting' });
  assert.equal(machine.states, 'UP DOWN');
  machine.answered(B, { run: '2', phase: 'starting' });
  assert.equal(machine.states, 'UP STARTING');
});

test('a peer that reports but cannot be reached is asked at once and not believed (one-way cut)', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  for (let i = 0; i < 3; i++) machine.failed(B);
  for (let round = 0; round < 5; round++) {
    assert.deepEqual(machine.reported(B, { sees: [A] }), [`report ${B}`]);
    assert.deepEqual(machine.reported(B, { sees: [A] }), []);
    assert.equal(machine.states, 'UP DOWN');
    machine.failed(B);
  }
  assert.equal(machine.machine.peer(B)?.seesMe, true);
});

test('it is known that a peer does not see this member', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B, { sees: [C] });
  assert.equal(machine.machine.peer(B)?.seesMe, false);
  assert.equal(machine.states, 'UP UP');
});

test('a starting member is told of changes but owns nothing while another runs', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B, { phase: 'starting' });
  assert.deepEqual(machine.healthy, [A]);
  assert.deepEqual(machine.machine.view.reachable, [B]);
  machine.reported(B);
  assert.deepEqual(machine.healthy, [A, B]);
});

test('this member owns nothing while it starts and another runs, and says that it is ready at once', () => {
  const starting = new MembersMachine(A, () => 0.5);
  const list = { members: [A, B], generation: 1, hash: 'h' };
  starting.step({ kind: 'list', list }, 0);
  assert.deepEqual(starting.view.healthy, [A]);
  starting.step({ kind: 'answered', peer: B, report: report(B), isListed: true }, 10);
  assert.deepEqual(starting.view.healthy, [B]);
  assert.deepEqual(starting.step({ kind: 'tick', isReady: false }, 20), []);
  const effects = starting.step({ kind: 'tick', isReady: true }, 30).map(shown);
  assert.deepEqual(effects, [`report ${B}`, 'view 2 healthy']);
});

test('members that start together share the services among them', () => {
  const starting = new MembersMachine(A, () => 0.5);
  starting.step({ kind: 'list', list: { members: [A, B, C], generation: 1, hash: 'h' } }, 0);
  starting.step({ kind: 'answered', peer: B, report: report(B, { phase: 'starting' }), isListed: true }, 10);
  assert.deepEqual(starting.view.healthy, [A, B]);
});

test('a member that fails while it starts is DOWN: it owned nothing that could wait', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B, { phase: 'starting' });
  machine.failed(B);
  assert.equal(machine.states, 'UP DOWN');
});

test('a member that leaves says so to all and reports no more', () => {
  const machine = new Transcript();
  machine.answered(B);
  machine.answered(C);
  assert.deepEqual(machine.step({ kind: 'leave' }), [`say goodbye ${B}`, `say goodbye ${C}`, 'view 2 healthy']);
  assert.deepEqual(machine.healthy, [B, C]);
  assert.deepEqual(machine.tick(10_000), []);
  assert.deepEqual(machine.step({ kind: 'leave' }), []);
});

test('the last member that leaves still owns its services', () => {
  const machine = new Transcript([A, B]);
  machine.step({ kind: 'leave' });
  assert.deepEqual(machine.healthy, [A]);
});

test('a member that left is DOWN at once and stays so while it still answers', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  assert.deepEqual(machine.step({ kind: 'left', peer: B }), [`${B} UP > DOWN: it is leaving`, 'view 1 healthy']);
  for (let i = 0; i < 3; i++) machine.answered(B, { phase: 'leaving' });
  assert.equal(machine.states, 'UP DOWN');
  machine.answered(B, { run: '2' });
  assert.equal(machine.states, 'UP UP');
});

test('a list keeps what is known of members that stay, and forgets those that go', () => {
  const machine = new Transcript();
  machine.answered(B);
  machine.answered(C);
  const D = '10.0.0.4:8848';
  assert.deepEqual(machine.list([D, B, A]), [`report ${D}`, 'view 2 healthy']);
  assert.equal(machine.states, 'UP UP DOWN');
  assert.deepEqual(machine.answered(C), []);
  assert.deepEqual(machine.failed(C), []);
  assert.deepEqual(machine.reported(C), []);
  assert.equal(machine.machine.peer(C), undefined);
});

test('a view changes only when there is something to see, and never in place', () => {
  const machine = new Transcript([A, B]);
  machine.answered(B);
  const before = machine.machine.view;
  machine.tick(2_000);
  machine.answered(B);
  assert.equal(machine.machine.view, before);
  machine.failed(B);
  assert.equal(machine.machine.view.version, before.version + 1);
  assert.equal(before.members.at(1)?.state, 'UP');
});
