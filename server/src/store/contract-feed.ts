import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import {
  type ContractEngine,
  type ContractSubject,
  changesSince,
  eventually,
  keyOf,
  writeOf,
} from './contract-tools.ts';
import type { Change, Revision, Store } from './store.ts';

export function feedContract(subject: () => ContractSubject): void {
  describe('the feed', () => {
    let store: Store;
    let engine: ContractEngine;
    before(() => {
      ({ store, engine } = subject());
    });

    it('tells each change once, in order, from wherever one goes on', async () => {
      const from = await store.revision();
      await store.putConfig(writeOf('feed', '1'));
      await store.putConfig(writeOf('feed', '2'));
      await store.putRecord({ kind: 'instance', key: 'feed', value: '{}' });
      await store.removeRecord('instance', 'feed');
      await store.removeConfig(keyOf('feed'), { ip: '', user: null });
      const all = await changesSince(store, from);
      assert.deepEqual(
        all.map(({ what, removed }) => [what.kind, what.key, removed]),
        [
          ['config', keyOf('feed'), false],
          ['config', keyOf('feed'), false],
          ['instance', 'feed', false],
          ['instance', 'feed', true],
          ['config', keyOf('feed'), true],
        ],
      );
      const revisions = all.map((change) => change.revision);
      assert.deepEqual(
        revisions,
        [...new Set(revisions)].sort((a, b) => a - b),
      );
      assert.equal(revisions.at(-1), await store.revision());
      assert.deepEqual(await changesSince(store, revisions[2]!), all.slice(3));
      const page = await store.changes(from, 2);
      assert.ok(!page.gap && page.changes.length === 2 && page.upTo === revisions[1]);
      const end = await store.changes(revisions.at(-1)!, 10);
      assert.deepEqual(end, { gap: false, changes: [], upTo: revisions.at(-1) });
    });

    it('shows another store what was written, by the feed and at once when read', async () => {
      const other = await engine.open();
      const from = await other.revision();
      await store.putConfig(writeOf('shared', 'text'));
      assert.equal((await other.getConfig(keyOf('shared')))!.content, 'text');
      const [change] = await changesSince(other, from);
      assert.deepEqual(change!.what, { kind: 'config', key: keyOf('shared') });
    });

    it('has no change missing or out of order while several stores write', async () => {
      const writers = [store, await engine.open(), await engine.open()];
      const reader = await engine.open();
      let at = await reader.revision();
      const written: Revision[] = [];
      const seen: Change[] = [];
      let isWriting = true;
      const follow = async () => {
        for (let isLast = false; !isLast; ) {
          isLast = !isWriting;
          const page = await reader.changes(at, 7);
          assert.ok(!page.gap);
          seen.push(...page.changes);
          if (page.changes.length > 0) isLast = false;
          at = page.upTo;
        }
      };
      const write = async (writer: Store, name: string) => {
        for (let i = 0; i < 20; i += 1) {
          const result = await writer.putConfig(writeOf(`${name}.${i % 3}`, `${i}`));
          if (result.outcome === 'written') written.push(result.revision);
        }
      };
      const following = follow();
      await Promise.all(writers.flatMap((writer, i) => [write(writer, `w${i}a`), write(writer, `w${i}b`)]));
      isWriting = false;
      await following;
      const revisions = seen.map((change) => change.revision);
      assert.deepEqual(
        revisions,
        [...written].sort((a, b) => a - b),
      );
    });

    it('says that changes are missing when they are no longer kept, or never were', async () => {
      const short = await engine.open({ changesKept: 20 });
      const from = await short.revision();
      for (let i = 0; i < 45; i += 1) await short.putRecord({ kind: 'switch', key: 'gap', value: `${i}` });
      const newest = await short.revision();
      await eventually(async () => {
        assert.deepEqual(await short.changes(from, 100), { gap: true, upTo: newest });
      });
      const page = await short.changes(newest - 10, 100);
      assert.ok(!page.gap && page.changes.length === 10 && page.upTo === newest);
      assert.deepEqual(await short.changes(newest + 1000, 100), { gap: true, upTo: newest });
    });
  });
}
