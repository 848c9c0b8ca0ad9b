import assert from 'node:assert/strict';
import { before, describe, it as test } from 'node:test';
import type { Config, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import { assertRefused, type ContractSubject, changesSince, historyOf, keyOf, md5, writeOf } from './contract-tools.ts';
import type { ConfigHistory } from './history.ts';
import { MOVED_PER_WRITE_MAX, type Store } from './store.ts';

/** Whole seconds, which is what columns of the 1.4 schema hold. */
const THEN_MS = 1_600_000_000_000;

type MovableStore = Store & Required<Pick<Store, 'putMoved' | 'scanHistory'>>;

/** Only for engines that offer it. */
export function movedContract(subject: () => ContractSubject): void {
  describe('rows of another store', () => {
    let store: MovableStore;
    before(() => {
      store = subject().store as MovableStore;
    });
    const it = (name: string, run: () => Promise<void>) =>
      test(name, async (context) => {
        if (store.putMoved === undefined || store.scanHistory === undefined) context.skip('the engine takes none');
        else await run();
      });

    it('keep their times and free ids, and leave no past write', async () => {
      const before = await store.revision();
      const config = movedConfig('moved', 'one', { id: '900001', tags: ['a', 'b'], appName: 'shop' });
      await store.putMoved([{ what: 'config', row: config }]);
      assert.deepEqual(await store.getConfig(keyOf('moved')), config);
      assert.equal((await store.searchHistory(keyOf('moved'), 0, 10)).total, 0);
      assert.deepEqual(
        (await changesSince(store, before)).map(({ what, removed }) => [what, removed]),
        [[{ kind: 'config', key: keyOf('moved') }, false]],
      );
      // Over one that stands, and under an id that another has.
      const later = { ...config, content: 'two', md5: md5('two'), tags: [], modifiedMs: THEN_MS + 5000 };
      await store.putMoved([
        { what: 'config', row: { ...later, id: '900002' } },
        { what: 'config', row: movedConfig('moved.2', 'x', { id: '900001' }) },
      ]);
      assert.deepEqual(await store.getConfig(keyOf('moved')), later);
      const other = (await store.getConfig(keyOf('moved.2')))!;
      assert.notEqual(other.id, '900001');
      assert.equal(other.createdMs, THEN_MS);
      await store.putConfig(writeOf('moved', 'three'));
      assert.equal((await store.previousHistory('900001'))!.content, 'two');
    });

    it('are variants too', async () => {
      const beta = movedVariant('moved.v', 'beta', { kind: 'beta' });
      const tag = { ...movedVariant('moved.v', 'tagged', { kind: 'tag', tag: 't' }), betaIps: '' };
      await store.putMoved([beta, tag].map((row) => ({ what: 'variant' as const, row })));
      await store.putMoved([{ what: 'variant', row: beta }]);
      const found = [...(await store.getVariants(keyOf('moved.v')))];
      assert.deepEqual(
        found.sort((a, b) => (a.variant.kind < b.variant.kind ? -1 : 1)),
        [beta, tag],
      );
    });

    it('are past writes too, which may be told again', async () => {
      const rows = [
        movedPast('moved.past', 'one', { nid: '990001', operation: 'I', configId: '0' }),
        movedPast('moved.past', 'one', { nid: '990002', operation: 'U', configId: '900010', atMs: THEN_MS + 1000 }),
        movedPast('moved.past', 'two', { nid: '990003', operation: 'D', configId: '900010', atMs: THEN_MS + 2000 }),
      ];
      const moved = rows.map((row) => ({ what: 'history' as const, row }));
      await store.putMoved(moved);
      await store.putMoved(moved);
      assert.deepEqual(await historyOf(store, keyOf('moved.past'), 10), [...rows].reverse());
      assert.equal((await store.previousHistory('900010'))!.content, 'two');
      const foreign = movedPast('moved.past.2', 'other', { nid: '990003', operation: 'I', configId: '0' });
      await store.putMoved([{ what: 'history', row: foreign }]);
      const [taken] = await historyOf(store, keyOf('moved.past.2'), 10);
      assert.notEqual(taken!.nid, '990003');
      assert.deepEqual({ ...taken, nid: '' }, { ...foreign, nid: '' });
      await store.putConfig(writeOf('moved.after', 'x'));
      assert.notEqual((await store.getConfig(keyOf('moved.after')))!.id, '900010');
    });

    it('come out as past writes in order, page by page', async () => {
      for (const content of ['1', '2', '3', '4']) await store.putConfig(writeOf('moved.scan', content));
      const nids: bigint[] = [];
      const seen: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await store.scanHistory(2, after);
        assert.ok(page.items.length <= 2);
        for (const past of page.items) {
          assert.equal(past.md5, md5(past.content));
          nids.push(BigInt(past.nid));
          if (past.dataId === 'moved.scan') seen.push(`${past.operation} ${past.content}`);
        }
        after = page.next;
        if (after === undefined) break;
      }
      assert.deepEqual(
        nids,
        [...nids].sort((a, b) => (a < b ? -1 : 1)),
      );
      assert.deepEqual(seen, ['I 1', 'U 1', 'U 2', 'U 3']);
      await assertRefused('invalid', store.scanHistory(0));
    });

    it('have bounds like all writes', async () => {
      const one = { what: 'config' as const, row: movedConfig('x'.repeat(300), 'x', {}) };
      await assertRefused('invalid', store.putMoved([one]));
      const many = Array.from({ length: MOVED_PER_WRITE_MAX + 1 }, () => one);
      await assertRefused('invalid', store.putMoved(many));
      await store.putMoved([]);
    });
  });
}

export function movedConfig(dataId: string, content: string, more: Partial<Config>): Config {
  return {
    ...{ id: '900100', ...keyOf(dataId), content, md5: md5(content), type: 'yaml', appName: '' },
    ...{ description: 'what it is', use: null, effect: null, schema: null, tags: [] },
    ...{ createdMs: THEN_MS, modifiedMs: THEN_MS + 1000, sourceIp: '10.1.1.1', sourceUser: 'ann', ...more },
  };
}

function movedVariant(dataId: string, content: string, variant: ConfigVariant['variant']): ConfigVariant {
  return {
    ...{ ...keyOf(dataId), variant, content, md5: md5(content), appName: 'shop', betaIps: '1.1.1.1' },
    ...{ createdMs: THEN_MS, modifiedMs: THEN_MS + 1000, sourceIp: '10.1.1.1', sourceUser: null },
  };
}

function movedPast(dataId: string, content: string, more: Partial<ConfigHistory>): ConfigHistory {
  return {
    ...{ nid: '0', configId: '0', operation: 'U', ...keyOf(dataId), content, md5: md5(content), appName: '' },
    ...{ sourceIp: '10.1.1.1', sourceUser: 'ann', atMs: THEN_MS, ...more },
  };
}
