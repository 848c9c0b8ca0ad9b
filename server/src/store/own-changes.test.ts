import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OWN_CHANGES_MAX, OwnChanges } from './own-changes.ts';
import type { Change, ChangePage } from './store.ts';

const changeAt = (revision: number): Change => ({
  revision,
  what: { kind: 'config', key: { dataId: `d${revision}`, group: 'g', namespaceId: '' } },
  removed: false,
});

/** An engine that has all revisions up to `newest`, those of this process noted. */
function setUp(newest: number, own: readonly number[]) {
  let hints = 0;
  const changes = new OwnChanges(() => {
    hints += 1;
  });
  for (const revision of own) changes.note(revision, { dataId: `d${revision}`, group: 'g', namespaceId: '' });
  const asked: string[] = [];
  const read = async (from: number, limit: number): Promise<ChangePage> => {
    asked.push(`${limit} behind ${from}`);
    const rows = Array.from({ length: Math.max(0, Math.min(limit, newest - from)) }, (_, i) => changeAt(from + i + 1));
    return { gap: false, changes: rows, upTo: rows.at(-1)?.revision ?? from };
  };
  const page = (from: number, limit: number) => changes.page(from, limit, read);
  return { changes, asked, page, hints: () => hints };
}

const changesAt = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => changeAt(from + i));

test('what is ours is told from memory, and the engine asked for what may stand behind it', async () => {
  const { asked, page } = setUp(9, [4, 5, 6, 7]);
  assert.deepEqual(await page(3, 2), { gap: false, changes: changesAt(4, 5), upTo: 5 });
  assert.deepEqual(asked, []);
  assert.deepEqual(await page(5, 10), { gap: false, changes: changesAt(6, 9), upTo: 9 });
  assert.deepEqual(asked, ['8 behind 7']);
  assert.deepEqual(await page(4, 10), { gap: false, changes: changesAt(5, 9), upTo: 9 }, 'also what was passed');
});

test('nothing is told from behind a hole, where somebody else may have written', async () => {
  const { changes, asked, page } = setUp(8, [4, 5, 7, 8]);
  changes.began();
  assert.deepEqual(await page(2, 10), { gap: false, changes: changesAt(3, 8), upTo: 8 });
  assert.deepEqual(await page(3, 10), { gap: false, changes: changesAt(4, 8), upTo: 8 });
  assert.deepEqual(asked, ['10 behind 2', '8 behind 5']);
});

test('while more of ours are under way the engine is not asked, and once they have ended the feed is read on', async () => {
  const { changes, asked, page, hints } = setUp(9, [4, 5]);
  changes.began();
  changes.began();
  assert.deepEqual(await page(3, 10), { gap: false, changes: changesAt(4, 5), upTo: 5 });
  assert.deepEqual(asked, []);
  changes.ended();
  assert.equal(hints(), 0);
  changes.ended();
  assert.equal(hints(), 1);
  assert.deepEqual(await page(5, 10), { gap: false, changes: changesAt(6, 9), upTo: 9 });
  changes.began();
  changes.ended();
  assert.equal(hints(), 1);
});

test('a gap that the engine tells behind ours is one', async () => {
  const { asked, changes, page } = setUp(9, [4, 5, 7]);
  assert.deepEqual(await changes.page(3, 10, async () => ({ gap: true, upTo: 1 })), { gap: true, upTo: 1 });
  await page(6, 1);
  assert.deepEqual(asked, ['1 behind 6'], 'what was ours before it may be of somebody else now');
});

test('a bounded number is kept', async () => {
  const newest = OWN_CHANGES_MAX + 10;
  const { asked, page } = setUp(
    newest,
    changesAt(1, newest).map(({ revision }) => revision),
  );
  await page(9, 5);
  assert.deepEqual(asked, ['5 behind 9'], 'the oldest are forgotten');
  assert.deepEqual(await page(10, newest), { gap: false, changes: changesAt(11, newest), upTo: newest });
});
