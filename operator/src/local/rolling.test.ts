import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MemberSight,
  type RollingEffect,
  RollingMachine,
  WAIT_FOR_ITSELF_MS,
  WAIT_FOR_OTHERS_MS,
} from './rolling.ts';

const BACK_MS = 60_000;

/** Members with pids 1, 2, 3; what is seen of them changes by hand. */
function three(names: readonly string[] = ['a', 'b', 'c']) {
  const machine = new RollingMachine(names, BACK_MS, 0);
  const sights = new Map<string, MemberSight>(
    ['a', 'b', 'c'].map((name, i) => [name, { name, pid: i + 1, isReady: true, isUp: true, isSettled: true }]),
  );
  const see = (name: string, change: Partial<MemberSight>) =>
    void sights.set(name, { ...(sights.get(name) as MemberSight), ...change });
  const look = (nowMs: number) => machine.step({ kind: 'look', members: [...sights.values()] }, nowMs).map(textOf);
  const drained = (nowMs: number, member: string, problem?: string) =>
    machine.step({ kind: 'drained', member, ...(problem === undefined ? {} : { problem }) }, nowMs).map(textOf);
  return { see, look, drained, sights };
}

function textOf(effect: RollingEffect): string {
  switch (effect.kind) {
    case 'note':
      return effect.text;
    case 'over':
      return `over ${effect.problem ?? 'well'}`;
    default:
      return `${effect.kind} ${effect.member}`;
  }
}

test('members drain, restart and come back one after the other', () => {
  const { see, look, drained } = three(['a', 'c']);
  assert.deepEqual(look(0), ['[1/2] a: draining', 'drain a']);
  assert.deepEqual(look(500), []);
  assert.deepEqual(drained(2_000, 'a'), ['[1/2] a: drained in 2.0 s, restarting', 'restart a']);
  assert.deepEqual(look(2_500), [], 'the old process is still seen');
  see('a', { pid: undefined, isUp: false, isSettled: false });
  assert.deepEqual(look(3_000), []);
  see('a', { pid: 10 });
  assert.deepEqual(look(3_500), []);
  see('a', { isUp: true });
  assert.deepEqual(look(4_000), [], 'nobody goes on before it has what the others have');
  see('a', { isSettled: true });
  assert.deepEqual(look(8_000), ['[1/2] a: back after 6.0 s, pid 10']);
  assert.deepEqual(look(8_500), ['[2/2] c: draining', 'drain c']);
  drained(9_000, 'c');
  see('c', { pid: 11 });
  assert.deepEqual(look(12_000), ['[2/2] c: back after 3.0 s, pid 11', 'over well']);
  assert.deepEqual(look(13_000), []);
});

test('nobody is taken while another is missing, and after a while it is given up', () => {
  const { see, look } = three();
  see('b', { isUp: false });
  see('c', { isSettled: false });
  assert.deepEqual(look(0), []);
  assert.deepEqual(look(WAIT_FOR_OTHERS_MS - 1), []);
  assert.deepEqual(look(WAIT_FOR_OTHERS_MS), [
    'over a was left alone, since b is not up, c has not yet compared all with the others',
  ]);
});

test('the first that does not come back ends it', () => {
  const { see, look, drained } = three();
  look(0);
  drained(1_000, 'a');
  see('a', { pid: undefined, isUp: false });
  assert.deepEqual(look(1_000 + BACK_MS - 1), []);
  assert.deepEqual(look(1_000 + BACK_MS), ['over a has not come back in 60.0 s: a does not run; b, c left alone']);
  see('a', { pid: 10, isUp: true });
  assert.deepEqual(look(90_000), []);
});

test('a member that is back but not well, or costs another one, is not back', () => {
  for (const [name, change, why] of [
    ['a', { isUp: false }, 'a is not up'],
    ['b', { isUp: false }, 'b is not up'],
    ['a', { isSettled: false }, 'a has not yet compared all with the others'],
  ] as const) {
    const { see, look, drained } = three(['a']);
    look(0);
    drained(0, 'a');
    see('a', { pid: 10 });
    see(name, change);
    assert.deepEqual(look(BACK_MS), [`over a has not come back in 60.0 s: ${why}`]);
  }
});

test('a member that serves nobody is restarted without a drain, whoever else is missing', () => {
  const { see, look } = three(['b']);
  see('a', { isUp: false });
  see('b', { isReady: false, isUp: false, pid: undefined });
  assert.deepEqual(look(WAIT_FOR_ITSELF_MS - 1), []);
  assert.deepEqual(look(WAIT_FOR_ITSELF_MS), ['[1/1] b is not ready, restarting', 'restart b']);
  see('b', { isReady: true, isUp: true, pid: 12 });
  assert.deepEqual(look(15_000), [], 'the other one is missing still');
  see('a', { isUp: true });
  assert.deepEqual(look(16_000), ['[1/1] b: back after 6.0 s, pid 12', 'over well']);
});

test('a member that is slow for a moment is drained as any other, also when peers doubt it', () => {
  const { see, look } = three(['b']);
  see('b', { isReady: false, isUp: false });
  assert.deepEqual(look(0), []);
  see('b', { isReady: true });
  assert.deepEqual(look(1_000), ['[1/1] b: draining', 'drain b']);
});

test('a drain that fails is told, and the member restarted all the same', () => {
  const { look, drained } = three(['b']);
  look(0);
  assert.deepEqual(drained(0, 'a'), [], 'not its turn');
  assert.deepEqual(drained(1_000, 'b', 'refused'), [
    '[1/1] b: did not drain (refused) in 1.0 s, restarting',
    'restart b',
  ]);
});

test('the only member says what that means', () => {
  const { look, sights } = three(['a']);
  sights.delete('b');
  sights.delete('c');
  assert.match(look(0)[0] ?? '', /it is the only member, so nobody answers until it is back/);
});

test('a member that was scaled away ends it', () => {
  const { look, drained, sights } = three(['c']);
  look(0);
  drained(0, 'c');
  sights.delete('c');
  assert.deepEqual(look(1_000), ['over c is no member any more']);
});
