import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import { CONTENT_LENGTH_MAX } from './bounds.ts';
import { assertRefused, type ContractSubject, changesSince, keyOf, md5, variantOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import type { Store } from './store.ts';

const { clock } = createTestHost();
const BETA: VariantId = { kind: 'beta' };
const tagOf = (tag: string): VariantId => ({ kind: 'tag', tag });

export function variantsContract(subject: () => ContractSubject): void {
  describe('variants', () => {
    let store: Store;
    before(() => {
      ({ store } = subject());
    });

    const contentsOf = async (dataId: string) =>
      (await store.getVariants(keyOf(dataId))).map(({ variant, content }) => [
        variant.kind === 'beta' ? 'beta' : variant.tag,
        content,
      ]);

    it('stores a beta and tags of one configuration beside it, with all their facts', async () => {
      const by = { ip: '10.0.0.7', user: 'ann' };
      const beta = { appName: 'shop', betaIps: '10.0.0.1,10.0.0.2', by };
      await store.putVariant(variantOf('variant', 'b', BETA, beta));
      await store.putVariant(variantOf('variant', 't', tagOf('blue'), { by }));
      await store.putVariant(variantOf('variant', 'T', tagOf('Blue')));
      await store.putVariant(variantOf('variant', 'named', tagOf('beta')));
      const found = await store.getVariants(keyOf('variant'));
      const [first, second] = found.map(({ createdMs, modifiedMs, ...variant }) => {
        assert.ok(Math.abs(createdMs - clock.now()) < 20_000 && modifiedMs === createdMs);
        return variant;
      });
      assert.deepEqual(first, {
        ...{ ...keyOf('variant'), variant: BETA, content: 'b', md5: md5('b'), appName: 'shop' },
        ...{ betaIps: '10.0.0.1,10.0.0.2', sourceIp: '10.0.0.7', sourceUser: 'ann' },
      });
      assert.deepEqual(second, {
        ...{ ...keyOf('variant'), variant: tagOf('blue'), content: 't', md5: md5('t'), appName: '' },
        ...{ betaIps: '', sourceIp: '10.0.0.7', sourceUser: 'ann' },
      });
      assert.deepEqual(await contentsOf('variant'), [
        ['beta', 'b'],
        ['blue', 't'],
        ['Blue', 'T'],
        ['beta', 'named'],
      ]);
      assert.equal(await store.getConfig(keyOf('variant')), undefined);
      assert.deepEqual(await store.getVariants(keyOf('Variant')), []);
      assert.deepEqual((await store.searchHistory(keyOf('variant'), 0, 10)).items, []);
    });

    it('replaces a variant, and keeps its application and its first time when the write has none', async () => {
      await store.putVariant(variantOf('variant.twice', '1', BETA, { appName: 'shop', betaIps: '1.1.1.1' }));
      const [old] = await store.getVariants(keyOf('variant.twice'));
      await store.putVariant(variantOf('variant.twice', '2', BETA, { betaIps: '2.2.2.2' }));
      const [kept, ...others] = await store.getVariants(keyOf('variant.twice'));
      assert.deepEqual([kept!.content, kept!.appName, kept!.betaIps, others], ['2', 'shop', '2.2.2.2', []]);
      assert.equal(kept!.createdMs, old!.createdMs);
      await store.putVariant(variantOf('variant.twice', '3', BETA, { appName: '' }));
      assert.equal((await store.getVariants(keyOf('variant.twice')))[0]!.appName, '');
    });

    it('removes one variant and leaves the others, the configuration too', async () => {
      await store.putConfig(writeOf('variant.gone', 'formal'));
      for (const variant of [BETA, tagOf('a'), tagOf('b')]) {
        await store.putVariant(variantOf('variant.gone', variant.kind, variant));
      }
      assert.equal(await store.removeVariant(keyOf('variant.gone'), tagOf('a')), true);
      assert.equal(await store.removeVariant(keyOf('variant.gone'), tagOf('a')), false);
      assert.deepEqual(await contentsOf('variant.gone'), [
        ['beta', 'beta'],
        ['b', 'tag'],
      ]);
      assert.equal(await store.removeVariant(keyOf('variant.gone'), BETA), true);
      assert.equal(await store.removeVariant(keyOf('variant.gone'), BETA), false);
      assert.deepEqual(await contentsOf('variant.gone'), [['b', 'tag']]);
      assert.equal((await store.getConfig(keyOf('variant.gone')))!.content, 'formal');
    });

    it('keeps variants when their configuration is removed', async () => {
      await store.putConfig(writeOf('variant.stays', 'formal'));
      await store.putVariant(variantOf('variant.stays', 'b', BETA));
      await store.putVariant(variantOf('variant.stays', 't', tagOf('blue')));
      await store.removeConfig(keyOf('variant.stays'), { ip: '', user: null });
      await store.putConfig(writeOf('variant.stays', 'again'));
      const { id } = (await store.getConfig(keyOf('variant.stays')))!;
      assert.equal(await store.removeConfigs([id], { ip: '', user: null }), 1);
      assert.deepEqual(await contentsOf('variant.stays'), [
        ['beta', 'b'],
        ['blue', 't'],
      ]);
    });

    it('tells of variants in the feed, between the changes of configurations', async () => {
      const from = await store.revision();
      const first = await store.putVariant(variantOf('variant.feed', 'b', BETA));
      await store.putConfig(writeOf('variant.feed', 'formal'));
      await store.putVariant(variantOf('variant.feed', 't', tagOf('blue')));
      await store.removeVariant(keyOf('variant.feed'), BETA);
      await store.removeVariant(keyOf('variant.feed'), BETA);
      const changes = await changesSince(store, from);
      assert.deepEqual(
        changes.map(({ what, removed }) => [what.kind, what.key, removed]),
        [
          ['variant', keyOf('variant.feed'), false],
          ['config', keyOf('variant.feed'), false],
          ['variant', keyOf('variant.feed'), false],
          ['variant', keyOf('variant.feed'), true],
        ],
      );
      assert.equal(changes[0]!.revision, first);
      assert.equal(changes.at(-1)!.revision, await store.revision());
    });

    it('hands out all variants in pages, each once', async () => {
      const namespaceId = 'variant-pages';
      const written: string[] = [];
      for (let i = 0; i < 12; i += 1) {
        const variants = [BETA, tagOf('x'), tagOf('y')].slice(i % 3);
        for (const variant of variants) {
          await store.putVariant(variantOf(`page.${i}`, `${written.length}`, variant, { namespaceId }));
          written.push(`${written.length}`);
        }
      }
      for (const limit of [1, 4, 1000]) {
        const found: string[] = [];
        let after: string | undefined;
        do {
          const page = await store.scanVariants(limit, after);
          assert.ok(page.items.length <= limit);
          found.push(...page.items.filter((v) => v.namespaceId === namespaceId).map((v) => v.content));
          after = page.next;
        } while (after !== undefined);
        assert.deepEqual(
          found.sort((a, b) => Number(a) - Number(b)),
          written,
          `in pages of ${limit}`,
        );
      }
    });

    it('gives every content back to the byte', async () => {
      const content = `\ufeff a\r\nb\u0000 '";\\ %_? 😀 e\u0301 ${'x'.repeat(100_000)} `;
      for (const variant of [BETA, tagOf('bytes')]) {
        await store.putVariant(variantOf('variant.bytes', content, variant));
      }
      for (const found of await store.getVariants(keyOf('variant.bytes'))) {
        assert.ok(found.content === content, `the content of ${found.variant.kind} differs`);
        assert.equal(found.md5, md5(content));
      }
    });

    it('stores once what two stores write at once', async () => {
      const stores = [store, await subject().engine.open()];
      for (let round = 0; round < 10; round += 1) {
        const variant = tagOf(`${round}`);
        await Promise.all(stores.map((writer, i) => writer.putVariant(variantOf('variant.both', `${i}`, variant))));
      }
      assert.equal((await store.getVariants(keyOf('variant.both'))).length, 10);
    });

    it('refuses what no engine could keep', async () => {
      const refused = (variant: VariantId, more: object, content = 'x') =>
        assertRefused('invalid', store.putVariant(variantOf('variant.bad', content, variant, more)));
      await refused(BETA, { group: 'g'.repeat(129) });
      await refused(BETA, { dataId: 'd'.repeat(256) });
      await refused(BETA, { appName: 'a'.repeat(129) });
      const error = await refused(BETA, { betaIps: '1'.repeat(1025) });
      assert.match(error.message, /betaIps is over 1024 characters/);
      await refused(tagOf('t'.repeat(129)), {});
      await refused(tagOf(''), {});
      await refused(BETA, {}, 'half \ud83d');
      await refused(BETA, {}, 'x'.repeat(CONTENT_LENGTH_MAX + 1));
      await assertRefused('invalid', store.scanVariants(0));
      await assertRefused('invalid', store.scanVariants(10, 'nonsense'));
      assert.deepEqual(await store.getVariants(keyOf('variant.bad')), []);
      const longest = { betaIps: '1'.repeat(1024), appName: 'a'.repeat(128), group: 'ü'.repeat(128) };
      await store.putVariant(variantOf('d'.repeat(255), 'x', tagOf('中'.repeat(128)), longest));
    });
  });
}
