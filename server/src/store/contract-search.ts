import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Config } from '@nacos-kube/core/model/config.ts';
import {
  assertRefused,
  type ContractSubject,
  changesSince,
  inWaves,
  keyOf,
  queryOf,
  writeOf,
} from './contract-tools.ts';
import { CONFIGS_PER_SEARCH_MAX, type ConfigQuery, type Page, type Store, type TextQuery } from './store.ts';

const equals = (text: string): TextQuery => ({ kind: 'equals', text });
const like = (text: string): TextQuery => ({ kind: 'like', text });

export function searchContract(subject: () => ContractSubject): void {
  describe('searches', () => {
    let store: Store;
    before(() => {
      ({ store } = subject());
    });

    const by = { ip: '10.0.0.9', user: 'ann' };
    const put = async (namespaceId: string, dataId: string, more: object = {}) => {
      await store.putConfig(writeOf(dataId, dataId, { namespaceId, ...more }));
      return (await store.getConfig({ ...keyOf(dataId), namespaceId, ...more }))!;
    };
    const namesOf = async (query: ConfigQuery) => {
      const { items, total } = await store.searchConfigs(query);
      assert.equal(items.length, total);
      return items.map((config) => config.dataId);
    };

    it('gives whole configurations in pages, in one order, and says how many there are', async () => {
      const written = [];
      for (let i = 0; i < 25; i += 1) written.push(await put('s-pages', `p.${24 - i}`, { tags: ['t', `${i}`] }));
      await put('s-other', 'p.1');
      assert.deepEqual(await store.searchConfigs(queryOf('s-pages')), { items: written, total: 25 });
      const page = await store.searchConfigs(queryOf('s-pages', { offset: 10, limit: 10 }));
      assert.deepEqual(page, { items: written.slice(10, 20), total: 25 });
      const last = await store.searchConfigs(queryOf('s-pages', { offset: 20, limit: 10 }));
      assert.deepEqual(last, { items: written.slice(20), total: 25 });
      const beyond = await store.searchConfigs(queryOf('s-pages', { offset: 1_000_000, limit: 10 }));
      assert.deepEqual(beyond, { items: [], total: 25 });
      assert.deepEqual(await store.searchConfigs(queryOf('s-none')), { items: [], total: 0 });
      assert.deepEqual(await store.searchConfigs(queryOf('S-pages')), { items: [], total: 0 });
    });

    it('takes only the star for a wildcard, and tells upper from lower case', async () => {
      const names = [
        'a.b',
        'A.b',
        'a_b',
        'a%b',
        'a*b',
        'a?b',
        'a[b]',
        'a[x]b',
        'a\\b',
        'ab',
        'a.b.c',
        'äb',
        `a'b`,
        'a!b',
      ];
      for (const name of names) await put('s-like', name);
      const cases: [TextQuery, string[]][] = [
        ...names.map((name): [TextQuery, string[]] => [equals(name), [name]]),
        ...names.filter((name) => name !== 'a*b').map((name): [TextQuery, string[]] => [like(name), [name]]),
        [like('a*b'), names.filter((name) => /^a.*b$/.test(name))],
        [like('A*'), ['A.b']],
        [like('*_*'), ['a_b']],
        [like('*%b'), ['a%b']],
        [like('*?b'), ['a?b']],
        [like('a[*'), ['a[b]', 'a[x]b']],
        [like('a\\*'), ['a\\b']],
        [like('*.*.*'), ['a.b.c']],
        [like('*b*c'), ['a.b.c']],
        [like('a*b*b'), []],
        [like('ä*'), ['äb']],
        [like('*'), names],
        [like('***'), names],
        [like(''), []],
        [equals(''), []],
        [equals('a.b '), []],
        [like('a.b '), []],
        [equals(`x' OR '1'='1`), []],
      ];
      for (const [dataId, expected] of cases) {
        assert.deepEqual(await namesOf(queryOf('s-like', { dataId })), expected, `${dataId.kind} ${dataId.text}`);
      }
    });

    it('asks for all that is given at once: names, group, application', async () => {
      await put('s-all', 'one', { group: 'G1', appName: 'shop' });
      await put('s-all', 'two', { group: 'G2', appName: 'shop' });
      await put('s-all', 'three', { group: 'G2' });
      const found = (more: Partial<ConfigQuery>) => namesOf(queryOf('s-all', more));
      assert.deepEqual(await found({ group: equals('G2') }), ['two', 'three']);
      assert.deepEqual(await found({ group: like('G*') }), ['one', 'two', 'three']);
      assert.deepEqual(await found({ group: equals('g2') }), []);
      assert.deepEqual(await found({ appName: 'shop' }), ['one', 'two']);
      assert.deepEqual(await found({ appName: 'sho_' }), []);
      assert.deepEqual(await found({ appName: '' }), ['three']);
      assert.deepEqual(await found({ appName: 'shop', group: equals('G2') }), ['two']);
      assert.deepEqual(await found({ appName: 'shop', dataId: like('*e'), group: like('*1') }), ['one']);
      await store.putConfig(writeOf('one', 'x', { namespaceId: 's-all', group: 'G1', appName: 'desk' }));
      assert.deepEqual(await found({ appName: 'shop' }), ['two']);
    });

    it('finds what has any of the tags once', async () => {
      await put('s-tags', 'both', { tags: ['red', 'blue'] });
      await put('s-tags', 'red', { tags: ['red'] });
      await put('s-tags', 'none');
      await put('s-tags', 'near', { tags: ['Red', 're_', 'r%'] });
      const found = (...tags: string[]) => namesOf(queryOf('s-tags', { tags }));
      assert.deepEqual(await found('red'), ['both', 'red']);
      assert.deepEqual(await found('red', 'blue'), ['both', 'red']);
      assert.deepEqual(await found('blue', 'green'), ['both']);
      assert.deepEqual(await found('re_'), ['near']);
      assert.deepEqual(await found('%'), []);
      await store.putConfig(writeOf('red', 'x', { namespaceId: 's-tags', tags: ['green'] }));
      assert.deepEqual(await found('red'), ['both']);
      await store.removeConfig({ ...keyOf('both'), namespaceId: 's-tags' }, by);
      assert.deepEqual(await found('red', 'green'), ['red']);
    });

    it('keeps the id of a configuration over its writes', async () => {
      const { id } = await put('s-ids', 'same');
      assert.equal((await put('s-ids', 'same', { tags: ['t'] })).id, id);
      const scanned: string[] = [];
      for (let after: string | undefined; ; ) {
        const { items, next }: Page<Config> = await store.scanConfigs(1000, after);
        for (const config of items) if (config.namespaceId === 's-ids') scanned.push(config.id);
        if (next === undefined) break;
        after = next;
      }
      assert.deepEqual(scanned, [id]);
    });

    it('gives configurations by their ids, and leaves out those that are not there', async () => {
      const [one, two, three] = [await put('s-get', '1'), await put('s-get', '2'), await put('s-get', '3')];
      const ids = [three.id, one.id, '0', '-1', 'x', '', '9'.repeat(15), '9007199254740993', '9'.repeat(40), one.id];
      assert.deepEqual(await store.getConfigs(ids), [one, three]);
      await store.removeConfigs([one.id], by);
      assert.deepEqual(await store.getConfigs([one.id, two.id]), [two]);
      assert.deepEqual(await store.getConfigs([]), []);
    });

    it('removes configurations by their ids in one transaction, with history and changes', async () => {
      const written = [];
      for (let i = 0; i < 60; i += 1) written.push(await put('s-remove', `r.${i}`, { appName: 'shop', tags: ['t'] }));
      const kept = await put('s-remove', 'kept', { tags: ['t'] });
      const from = await store.revision();
      const ids = [...written.map((config) => config.id), '9007199254740993', 'x', written[0]!.id];
      assert.equal(await store.removeConfigs(ids, by), 60);
      assert.equal(await store.removeConfigs(ids, by), 0);
      assert.equal(await store.removeConfigs([], by), 0);
      assert.deepEqual(await store.searchConfigs(queryOf('s-remove', { tags: ['t'] })), { items: [kept], total: 1 });
      const changes = await changesSince(store, from);
      assert.deepEqual(
        changes.map(({ what, removed }) => [what.kind, what.key, removed]),
        written.map(({ dataId, group, namespaceId }) => ['config', { dataId, group, namespaceId }, true]),
      );
      const past = (await store.previousHistory(written[7]!.id))!;
      assert.deepEqual(
        [past.operation, past.dataId, past.content, past.appName, past.sourceIp, past.sourceUser],
        ['D', 'r.7', 'r.7', 'shop', '10.0.0.9', 'ann'],
      );
    });

    it('refuses more than it gives at once', async () => {
      const many = Array.from({ length: CONFIGS_PER_SEARCH_MAX + 1 }, (_, i) => `${i + 1}`);
      await assertRefused('invalid', store.getConfigs(many));
      await assertRefused('invalid', store.removeConfigs(many, by));
      const refused = (more: Partial<ConfigQuery>) =>
        assertRefused('invalid', store.searchConfigs(queryOf('s-bounds', more)));
      await refused({ limit: 0 });
      await refused({ limit: 1.5 });
      await refused({ offset: -1 });
      await refused({ offset: Number.NaN });
      await refused({ dataId: like('x'.repeat(513)) });
      await refused({ appName: '\ud83d' });
      await refused({ tags: many });
      assert.deepEqual(await store.searchConfigs(queryOf('s-bounds', { limit: 1_000_000 })), { items: [], total: 0 });
    });

    it('gives no more than the most of a page, however much is asked for', async () => {
      const count = CONFIGS_PER_SEARCH_MAX + 1;
      await inWaves(count, (i) => put('s-most', `m.${i}`));
      const { items, total } = await store.searchConfigs(queryOf('s-most', { limit: 1_000_000 }));
      assert.deepEqual([items.length, total], [CONFIGS_PER_SEARCH_MAX, count]);
      assert.ok(items.every((config, i) => i === 0 || BigInt(items[i - 1]!.id) < BigInt(config.id)));
    });
  });
}
