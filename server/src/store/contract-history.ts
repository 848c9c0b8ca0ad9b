import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { assertRefused, type ContractSubject, historyOf, keyOf, md5, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import type { Store } from './store.ts';

const { clock } = createTestHost();

export function historyContract(subject: () => ContractSubject): void {
  describe('history', () => {
    let store: Store;
    before(() => {
      ({ store } = subject());
    });

    it('keeps in the history what was inserted, replaced and deleted', async () => {
      const by = (user: string) => ({ by: { ip: '10.0.0.1', user } });
      await store.putConfig(writeOf('past', 'one', { ...by('ann'), appName: 'shop' }));
      await store.putConfig(writeOf('past', 'two', by('ben')));
      assert.equal(await store.removeConfig(keyOf('past'), { ip: '10.0.0.2', user: null }), true);
      assert.equal(await store.getConfig(keyOf('past')), undefined);
      const history = await historyOf(store, keyOf('past'), 10);
      assert.deepEqual(
        history.map((h) => [h.operation, h.content, h.md5, h.appName, h.sourceIp, h.sourceUser]),
        [
          ['D', 'two', md5('two'), 'shop', '10.0.0.2', null],
          ['U', 'one', md5('one'), 'shop', '10.0.0.1', 'ben'],
          ['I', 'one', md5('one'), 'shop', '10.0.0.1', 'ann'],
        ],
      );
      const [last, middle, first] = history.map((entry) => BigInt(entry.nid)) as [bigint, bigint, bigint];
      assert.ok(last > middle && middle > first);
      assert.equal(history[2]!.configId, '0');
      assert.ok(history[0]!.configId !== '0' && history[0]!.configId === history[1]!.configId);
      assert.equal((await historyOf(store, keyOf('past'), 1)).length, 1);
    });

    it('lists past writes in pages, without contents', async () => {
      for (const content of ['1', '2', '3', '4', '5']) await store.putConfig(writeOf('past.pages', content));
      const all = await store.searchHistory(keyOf('past.pages'), 0, 100);
      assert.equal(all.total, 5);
      assert.deepEqual(
        all.items.map((entry) => [entry.operation, entry.md5, entry.dataId, 'content' in entry]),
        ['4', '3', '2', '1', '1'].map((past, i) => [i === 4 ? 'I' : 'U', md5(past), 'past.pages', false]),
      );
      assert.ok(all.items.every((entry) => Math.abs(entry.atMs - clock.now()) < 20_000));
      const page = await store.searchHistory(keyOf('past.pages'), 1, 2);
      assert.deepEqual(page, { items: all.items.slice(1, 3), total: 5 });
      assert.deepEqual(await store.searchHistory(keyOf('past.pages'), 5, 2), { items: [], total: 5 });
      assert.deepEqual(await store.searchHistory(keyOf('past.never'), 0, 2), { items: [], total: 0 });
      await assertRefused('invalid', store.searchHistory(keyOf('past.pages'), -1, 2));
      await assertRefused('invalid', store.searchHistory(keyOf('past.pages'), 0.5, 2));
      await assertRefused('invalid', store.searchHistory(keyOf('past.pages'), 0, 0));
    });

    it('gives one past write by its number, and none by what is no number', async () => {
      await store.putConfig(writeOf('past.one', 'text'));
      const [entry] = (await store.searchHistory(keyOf('past.one'), 0, 1)).items;
      assert.deepEqual(await store.getHistory(entry!.nid), { ...entry, content: 'text' });
      for (const nid of ['0', '-1', 'x', '', '9'.repeat(15), '9007199254740993', '9'.repeat(30), `${entry!.nid}.5`]) {
        assert.equal(await store.getHistory(nid), undefined, nid);
      }
    });

    it('gives the newest past write of a configuration that stands or is gone, never what inserted it', async () => {
      await store.putConfig(writeOf('past.newest', 'one'));
      const { id } = (await store.getConfig(keyOf('past.newest')))!;
      assert.equal(await store.previousHistory(id), undefined);
      await store.putConfig(writeOf('past.newest', 'two'));
      await store.putConfig(writeOf('past.newest', 'three'));
      const updated = (await store.previousHistory(id))!;
      assert.deepEqual([updated.operation, updated.content, updated.configId], ['U', 'two', id]);
      await store.removeConfig(keyOf('past.newest'), { ip: '', user: null });
      const removed = (await store.previousHistory(id))!;
      assert.deepEqual([removed.operation, removed.content, removed.configId], ['D', 'three', id]);
      await store.putConfig(writeOf('past.newest', 'again'));
      const again = (await store.getConfig(keyOf('past.newest')))!;
      assert.notEqual(again.id, id);
      assert.equal(await store.previousHistory(again.id), undefined);
      assert.deepEqual(await store.previousHistory(id), removed);
      for (const none of ['0', 'x', '', '9'.repeat(15), '9007199254740993']) {
        assert.equal(await store.previousHistory(none), undefined, none);
      }
    });
  });
}
