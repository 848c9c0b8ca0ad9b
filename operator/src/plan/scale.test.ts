import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planScale } from './scale.ts';

const facts = { wanted: 3, told: 5, readyOrdinals: [0, 1, 2, 3, 4], isListObeyed: false, sinceListChangeMs: undefined };

test('the first pass tells the wanted number', () => {
  assert.deepEqual(planScale({ ...facts, told: undefined, readyOrdinals: [] }), {
    listed: 3,
    replicas: 3,
    phase: 'steady',
  });
});

test('members and pods grow at once', () => {
  assert.deepEqual(planScale({ ...facts, wanted: 5, told: 3 }), { listed: 5, replicas: 5, phase: 'out' });
});

test('leaving members leave the list before their pods go', () => {
  assert.deepEqual(planScale(facts), { listed: 3, replicas: 5, phase: 'in' });
  assert.equal(planScale({ ...facts, sinceListChangeMs: 29_999 }).replicas, 5);
});

test('the pods go once the others obey', () => {
  assert.deepEqual(planScale({ ...facts, sinceListChangeMs: 100, isListObeyed: true }).replicas, 3);
});

test('the pods go after a bounded wait, when the others can not be asked', () => {
  assert.equal(planScale({ ...facts, sinceListChangeMs: 30_000 }).replicas, 3);
});

test('obeying the old list lets nobody go', () => {
  assert.equal(planScale({ ...facts, isListObeyed: true }).replicas, 5);
});

test('the last ready members are not taken', () => {
  const blocked = { listed: 5, replicas: 5, phase: 'in-blocked' };
  assert.deepEqual(planScale({ ...facts, readyOrdinals: [3, 4], sinceListChangeMs: 99_999 }), blocked);
});

test('when none is ready there is nothing to lose', () => {
  assert.equal(planScale({ ...facts, readyOrdinals: [] }).phase, 'in');
});

test('seeing fewer ready members never lowers the wanted number', () => {
  for (const readyOrdinals of [[], [0], [2]]) {
    const plan = planScale({ ...facts, wanted: 3, told: 3, readyOrdinals });
    assert.deepEqual(plan, { listed: 3, replicas: 3, phase: 'steady' });
  }
});
