import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  DRAIN_HOLD_MS,
  LongPollMachine,
  POLL_BOUNDS,
  POLL_TICK_MS,
  type PollBounds,
  type PollEffect,
  type PollEvent,
} from './long-poll.ts';

const SMALL: PollBounds = { polls: 3, pollsPerAddress: 2, heldKeys: 5, keyCharacters: 12 };

test('a poll is woken by the first change of any of its keys, and told that key alone', () => {
  const machine = new LongPollMachine();
  assert.deepEqual(machine.step(hold(1, ['a+g', 'b+g']), 0), []);
  assert.deepEqual(machine.step(hold(2, ['b+g']), 0), []);
  assert.deepEqual(machine.step(changed('x+g'), 1), []);
  assert.deepEqual(machine.step(changed('b+g'), 1), [answer([1, 2], 'b+g')]);
  assert.deepEqual(machine.step(changed('a+g'), 2), []);
  assert.equal(machine.held + machine.heldKeys + machine.watchedKeys, 0);
});

test('a poll ends as unchanged at its time, never later and at most 5 % and one tick earlier', () => {
  for (const [jitter, fromMs, toMs] of [
    [0, 29_200, 29_500],
    [0.999, 27_800, 28_100],
  ] as const) {
    const machine = new LongPollMachine();
    machine.step({ ...hold(1, ['a+g']), jitter }, 1_000);
    assert.deepEqual(machine.step({ kind: 'tick' }, 1_000 + fromMs), []);
    assert.deepEqual(machine.step({ kind: 'tick' }, 1_000 + toMs), [answer([1], undefined)]);
  }
});

test('a change for some addresses wakes the polls from there alone', () => {
  const machine = new LongPollMachine();
  machine.step(hold(1, ['a+g'], '10.0.0.1'), 0);
  machine.step(hold(2, ['a+g'], '10.0.0.2'), 0);
  const beta = { kind: 'changed', groupKey: 'a+g', ips: new Set(['10.0.0.2', '10.0.0.3']) } as const;
  assert.deepEqual(machine.step(beta, 1), [answer([2], 'a+g')]);
  assert.deepEqual(machine.step(beta, 1), []);
  assert.equal(machine.held, 1);
});

test('a fixed poll is woken by nothing but its time, and counts like any other', () => {
  const machine = new LongPollMachine(SMALL);
  machine.step({ ...hold(1, ['a+g', 'b+g']), isFixed: true }, 0);
  assert.deepEqual(machine.step(changed('a+g'), 1), []);
  assert.equal(machine.heldKeys, 2);
  assert.deepEqual(machine.step({ kind: 'tick' }, 30_000), [answer([1], undefined)]);
  assert.equal(machine.held + machine.heldKeys + machine.watchedKeys, 0);
});

test('who holds a key is known, and which keys an address holds', () => {
  const machine = new LongPollMachine();
  machine.step({ ...hold(1, ['a+g', 'b+g'], '10.0.0.1'), tag: 'gray' }, 0);
  machine.step(hold(2, ['a+g'], '10.0.0.2'), 0);
  const shown = [...machine.holders('a+g')].map(({ clientIp, tag }) => [clientIp, tag]);
  assert.deepEqual(shown, [
    ['10.0.0.1', 'gray'],
    ['10.0.0.2', undefined],
  ]);
  assert.deepEqual(
    [...machine.heldBy('10.0.0.1')].map(([key]) => key),
    ['a+g', 'b+g'],
  );
  assert.deepEqual([...machine.holders('x+g'), ...machine.heldBy('10.0.0.9')], []);
});

test('a client that went away is forgotten, and frees its place', () => {
  const machine = new LongPollMachine(SMALL);
  machine.step(hold(1, ['a+g']), 0);
  machine.step(hold(2, ['a+g']), 0);
  assert.deepEqual(machine.step(hold(3, ['a+g']), 0), [
    { kind: 'refuse', poll: 3, reason: 'too many long polls from one address, over 2' },
  ]);
  assert.deepEqual(machine.step({ kind: 'gone', poll: 1 }, 0), []);
  assert.deepEqual(machine.step({ kind: 'gone', poll: 1 }, 0), []);
  assert.deepEqual(machine.step(hold(4, ['a+g']), 0), []);
  assert.deepEqual(machine.step(changed('a+g'), 0), [answer([2, 4], 'a+g')]);
});

test('every bound refuses with its reason and changes nothing', () => {
  const machine = new LongPollMachine(SMALL);
  machine.step(hold(1, ['a+g'], '10.0.0.1'), 0);
  machine.step(hold(2, ['a+g'], '10.0.0.2'), 0);
  const reasons = [
    [['b+g', 'c+g', 'd+g', 'e+g'], 'too many keys in long polls, over 5'],
    [['long-name+g'], 'too many different keys in long polls'],
  ] as const;
  for (const [keys, reason] of reasons) {
    assert.deepEqual(machine.step(hold(3, keys, '10.0.0.3'), 0), [{ kind: 'refuse', poll: 3, reason }]);
  }
  machine.step(hold(3, ['a+g'], '10.0.0.3'), 0);
  assert.deepEqual(machine.step(hold(4, ['a+g'], '10.0.0.4'), 0), [
    { kind: 'refuse', poll: 4, reason: 'too many long polls, over 3' },
  ]);
  assert.deepEqual([machine.held, machine.heldKeys, machine.watchedKeys], [3, 3, 1]);
});

test('keys longer than any configuration can have are not watched, the poll is held all the same', () => {
  const machine = new LongPollMachine();
  assert.deepEqual(machine.step(hold(1, ['x'.repeat(514)]), 0), []);
  assert.deepEqual([machine.held, machine.watchedKeys], [1, 0]);
  assert.deepEqual(machine.step({ kind: 'tick' }, 29_500), [answer([1], undefined)]);
});

test('a release answers all, and new polls are held again; a drain answers all, and holds new ones for a second at most', () => {
  const machine = new LongPollMachine();
  machine.step(hold(1, ['a+g']), 0);
  assert.deepEqual(machine.step({ kind: 'release' }, 0), [answer([1], undefined)]);
  assert.deepEqual(machine.step(hold(2, ['a+g']), 0), []);
  assert.deepEqual(machine.step({ kind: 'drain' }, 0), [answer([2], undefined)]);
  assert.deepEqual(machine.step(hold(3, ['a+g']), 0), []);
  assert.deepEqual(machine.step({ kind: 'tick' }, DRAIN_HOLD_MS - POLL_TICK_MS), []);
  assert.deepEqual(machine.step({ kind: 'tick' }, DRAIN_HOLD_MS), [answer([3], undefined)]);
});

test('whatever happens, each poll is answered once, in time, and nothing is left behind', () => {
  const keys = ['a+g', 'b+g', 'c+g', 'd+g'];
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('hold' as const),
      keys: fc.subarray(keys),
      holdMs: fc.integer({ min: 10_000, max: 30_000 }),
      jitter: fc.double({ min: 0, max: 0.99, noNaN: true }),
      ip: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    }),
    fc.record({ kind: fc.constant('changed' as const), groupKey: fc.constantFrom(...keys) }),
    fc.record({ kind: fc.constant('gone' as const), poll: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 9_000 }) }),
    fc.constant({ kind: 'release' as const }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const machine = new LongPollMachine({ ...POLL_BOUNDS, pollsPerAddress: 5 });
      const open = new Map<number, { readonly keys: readonly string[]; readonly endMs: number }>();
      let nowMs = 0;
      let ids = 0;
      const step = (next: PollEvent) => {
        for (const effect of machine.step(next, nowMs)) settle(effect);
      };
      const settle = (effect: PollEffect) => {
        if (effect.kind === 'refuse') return void assert.ok(open.delete(effect.poll));
        for (const poll of effect.polls) {
          const asked = open.get(poll);
          assert.ok(asked, `poll ${poll} was answered twice or never held`);
          if (effect.changed !== undefined) assert.ok(asked.keys.includes(effect.changed));
          open.delete(poll);
        }
      };
      for (const next of events) {
        if (next.kind === 'pass') {
          nowMs += next.ms;
          step({ kind: 'tick' });
        } else if (next.kind === 'hold') {
          ids += 1;
          open.set(ids, { keys: next.keys, endMs: nowMs + next.holdMs });
          step({ ...next, poll: ids, clientIp: next.ip, tag: undefined, isFixed: false });
        } else {
          if (next.kind === 'gone') open.delete(next.poll);
          step(next);
          if (next.kind === 'changed') {
            for (const asked of open.values()) assert.ok(!asked.keys.includes(next.groupKey), 'a change was missed');
          }
        }
        for (const asked of open.values()) assert.ok(asked.endMs > nowMs, 'a poll was held too long');
        assert.equal(machine.held, open.size);
      }
      nowMs += 30_000;
      step({ kind: 'tick' });
      assert.deepEqual([open.size, machine.held, machine.heldKeys, machine.watchedKeys], [0, 0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});

function hold(poll: number, keys: readonly string[], clientIp = '10.0.0.1') {
  return { kind: 'hold', poll, keys, clientIp, tag: undefined, isFixed: false, holdMs: 29_500, jitter: 0 } as const;
}

function changed(groupKey: string): PollEvent {
  return { kind: 'changed', groupKey };
}

function answer(polls: readonly number[], told: string | undefined): PollEffect {
  return { kind: 'answer', polls, changed: told };
}
