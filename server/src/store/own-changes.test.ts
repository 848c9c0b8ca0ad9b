import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OWN_CHANGES_MAX, OwnChanges } from './own-changes.ts';
import type { Change } from './store.ts';

const changeAt = (revision: number): Change => ({
  revision,
  what: { kind: 'config', key: { dataId: `d${revision}`, group: 'g', namespaceId: '' } },
  removed: false,
});
const noted = (...revisions: readonly number[]): OwnChanges => {
  const own = new OwnChanges();
  for (const revision of revisions) own.note(changeAt(revision));
  return own;
};
const told = (own: OwnChanges, from: number, limit = 100): readonly number[] =>
  own.following(from, limit).changes.map(({ revision }) => revision);

test('tells what follows a revision, as many as are asked for', () => {
  const own = noted(4, 5, 6, 7);
  assert.deepEqual(told(own, 3, 3), [4, 5, 6]);
  assert.equal(own.following(3, 3).isCut, true);
  assert.deepEqual(own.following(6, 3), { changes: [changeAt(7)], isCut: false });
  assert.deepEqual(told(own, 7), []);
});

test('tells nothing behind a hole, where another process may have written', () => {
  const own = noted(4, 5, 7, 8);
  assert.deepEqual(told(own, 2), []);
  assert.deepEqual(own.following(3, 9), { changes: [changeAt(4), changeAt(5)], isCut: true });
  assert.deepEqual(told(own, 5), []);
  assert.deepEqual(told(own, 6), [7, 8]);
});

test('keeps a bounded number, and nothing that was told and asked beyond', () => {
  const own = noted(...Array.from({ length: OWN_CHANGES_MAX + 10 }, (_, n) => n + 1));
  assert.deepEqual(told(own, 0), [], 'the oldest are forgotten');
  assert.equal(told(own, 10, OWN_CHANGES_MAX).length, OWN_CHANGES_MAX);
  assert.deepEqual(told(own, OWN_CHANGES_MAX, 5).length, 5);
  assert.deepEqual(told(own, 20), [], 'what was passed is gone');
});
