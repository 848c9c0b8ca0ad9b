import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CONTENT_LENGTH_MAX } from './bounds.ts';
import {
  type ContractEngine,
  type ContractSubject,
  historyOf,
  inWaves,
  keyOf,
  md5,
  writeOf,
} from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import type { Store } from './store.ts';

const { clock } = createTestHost();

export function configsContract(subject: () => ContractSubject): void {
  describe('configurations', () => {
    let store: Store;
    let engine: ContractEngine;
    before(() => {
      ({ store, engine } = subject());
    });

    it('stores a configuration with all its facts', async () => {
      const write = writeOf('facts', 'a=1', {
        ...{ namespaceId: 'dev', type: 'properties', appName: 'shop', description: 'd', use: 'u', effect: 'e' },
        ...{ schema: '{"s":1}', tags: ['one', 'two'], by: { ip: '10.0.0.7', user: 'ann' } },
      });
      const before = await store.revision();
      const written = await store.putConfig(write);
      assert.ok(written.outcome === 'written' && written.revision > before);
      const { id, createdMs, modifiedMs, ...config } = (await store.getConfig(write))!;
      assert.deepEqual(config, {
        ...{ dataId: 'facts', group: 'g', namespaceId: 'dev', content: 'a=1', md5: md5('a=1'), type: 'properties' },
        ...{ appName: 'shop', description: 'd', use: 'u', effect: 'e', schema: '{"s":1}', tags: ['one', 'two'] },
        ...{ sourceIp: '10.0.0.7', sourceUser: 'ann' },
      });
      assert.match(id, /^[1-9]\d*$/);
      assert.ok(Math.abs(createdMs - clock.now()) < 10_000, `created at ${createdMs}`);
      assert.equal(modifiedMs, createdMs);
    });

    it('knows no configuration that was never written', async () => {
      assert.equal(await store.getConfig(keyOf('never')), undefined);
      assert.equal(await store.removeConfig(keyOf('never'), { ip: '', user: null }), false);
    });

    it('keeps application and tags when a write leaves them out, and wipes the rest', async () => {
      const full = { appName: 'shop', tags: ['t'], description: 'd', use: 'u', effect: 'e', schema: 's' };
      await store.putConfig(writeOf('partial', '1', { ...full, type: 'json' }));
      await store.putConfig(writeOf('partial', '2'));
      const kept = (await store.getConfig(keyOf('partial')))!;
      assert.deepEqual([kept.content, kept.appName, kept.tags, kept.type], ['2', 'shop', ['t'], 'text']);
      assert.deepEqual([kept.description, kept.use, kept.effect, kept.schema], [null, null, null, null]);
      await store.putConfig(writeOf('partial', '3', { appName: '', tags: [] }));
      const cleared = (await store.getConfig(keyOf('partial')))!;
      assert.deepEqual([cleared.appName, cleared.tags], ['', []]);
      assert.equal(cleared.createdMs, kept.createdMs);
    });

    const contents: Record<string, string> = {
      'line ends': 'a\r\nb\rc\n\n',
      'a byte order mark': '\ufeffa=1',
      'trailing blanks': ' a \t \n ',
      emoji: '😀 𝕏 e\u0301 é 中文',
      'control characters': 'a\u0000b\u0001\u0002\u007f',
      'only one NUL': '\u0000',
      quotes: `'";\\ -- %_ \\' ?`,
      'ten megabytes': '0123456789abcde\n'.repeat(CONTENT_LENGTH_MAX / 16),
    };
    for (const [what, content] of Object.entries(contents)) {
      it(`gives content with ${what} back to the byte`, async () => {
        const dataId = `content.${what.replaceAll(' ', '-')}`;
        await store.putConfig(writeOf(dataId, content));
        const config = (await store.getConfig(keyOf(dataId)))!;
        assert.ok(config.content === content, `content with ${what} differs`);
        assert.equal(config.md5, md5(content));
        await store.putConfig(writeOf(dataId, 'small'));
        const [past] = await historyOf(store, keyOf(dataId), 1);
        assert.ok(past!.content === content, `history of content with ${what} differs`);
      });
    }

    it('gives each of those that are asked for at once its own', async () => {
      const large = 'large '.repeat(200_000);
      const contentOf = (i: number) => (i % 30 === 7 ? `${large}${i}` : `${i}`);
      const names = Array.from({ length: 80 }, (_, i) => `at-once.${i}`);
      await inWaves(names.length, async (i) => {
        if (i % 10 !== 3) await store.putConfig(writeOf(names[i]!, contentOf(i)));
      });
      const asked = [...names, 'at-once.5', 'at-once.13', 'at-once.7'];
      const configs = await Promise.all(asked.map((dataId) => store.getConfig(keyOf(dataId))));
      for (const [i, config] of configs.entries()) {
        const n = Number(asked[i]!.slice('at-once.'.length));
        assert.equal(config?.dataId, n % 10 === 3 ? undefined : asked[i]);
        assert.ok(n % 10 === 3 || config?.content === contentOf(n), `${asked[i]} has the content of another`);
      }
      await inWaves(names.length, (i) => store.removeConfig(keyOf(names[i]!), { ip: '', user: null }));
    });

    it('tells keys apart by case, accent, form, group and namespace', async () => {
      const keys = [
        keyOf('key'),
        keyOf('Key'),
        keyOf('kéy'),
        keyOf('ke\u0301y'),
        { ...keyOf('key'), group: 'G' },
        { ...keyOf('key'), namespaceId: 'N' },
        { ...keyOf('key'), namespaceId: 'n' },
      ];
      for (const [i, key] of keys.entries()) await store.putConfig({ ...writeOf(key.dataId, `${i}`), ...key });
      const contents: (string | undefined)[] = [];
      for (const key of keys) contents.push((await store.getConfig(key))?.content);
      assert.deepEqual(contents, ['0', '1', '2', '3', '4', '5', '6']);
    });

    it('writes only over the md5 that is expected', async () => {
      const put = (content: string, expectedMd5: string) => store.putConfig(writeOf('cas', content, { expectedMd5 }));
      assert.deepEqual(await put('x', md5('other')), { outcome: 'conflict' });
      assert.equal(await store.getConfig(keyOf('cas')), undefined);
      assert.equal((await put('one', '')).outcome, 'written');
      assert.equal((await put('two', '')).outcome, 'conflict');
      const before = await store.revision();
      assert.equal((await put('two', md5('zero'))).outcome, 'conflict');
      assert.equal(await store.revision(), before);
      assert.equal((await put('two', md5('one'))).outcome, 'written');
      assert.equal((await store.getConfig(keyOf('cas')))!.content, 'two');
      assert.equal((await historyOf(store, keyOf('cas'), 10)).length, 2);
    });

    it('loses no update when two stores write the same key at once', async () => {
      const stores = [store, await engine.open()];
      await store.putConfig(writeOf('counter', '0'));
      const add = async (writer: Store) => {
        for (let done = 0; done < 15; ) {
          const old = (await writer.getConfig(keyOf('counter')))!;
          const next = `${Number(old.content) + 1}`;
          const { outcome } = await writer.putConfig(writeOf('counter', next, { expectedMd5: old.md5 }));
          if (outcome === 'written') done += 1;
        }
      };
      await Promise.all(stores.flatMap((writer) => [add(writer), add(writer)]));
      assert.equal((await store.getConfig(keyOf('counter')))!.content, '60');
    });

    it('stores once what two stores insert at once', async () => {
      const stores = [store, await engine.open()];
      for (let round = 0; round < 10; round += 1) {
        const write = writeOf(`insert.${round}`, 'x', { expectedMd5: '' });
        const outcomes = await Promise.all(stores.map(async (writer) => (await writer.putConfig(write)).outcome));
        assert.deepEqual(outcomes.sort(), ['conflict', 'written']);
        const plain = writeOf(`upsert.${round}`, 'y');
        const both = await Promise.all(stores.map(async (writer) => (await writer.putConfig(plain)).outcome));
        assert.deepEqual(both, ['written', 'written']);
        const operations = (await historyOf(store, plain, 10)).map((entry) => entry.operation);
        assert.deepEqual(operations, ['U', 'I']);
      }
    });

    it('hands out all configurations in pages, in one order', async () => {
      const namespaceId = 'pages';
      const names = Array.from({ length: 25 }, (_, i) => `page.${i}`);
      for (const dataId of names) await store.putConfig(writeOf(dataId, dataId, { namespaceId, tags: [dataId] }));
      await store.putConfig(writeOf('page.3', 'again', { namespaceId }));
      const scan = async (limit: number) => {
        const found: string[] = [];
        let after: string | undefined;
        do {
          const page = await (after === undefined ? store.scanConfigs(limit) : store.scanConfigs(limit, after));
          assert.ok(page.items.length <= limit);
          for (const config of page.items) {
            if (config.namespaceId !== namespaceId) continue;
            found.push(config.dataId);
            assert.deepEqual(config.tags, [config.dataId]);
          }
          after = page.next;
        } while (after !== undefined);
        return found;
      };
      assert.deepEqual(await scan(7), names);
      assert.deepEqual(await scan(1000), names);
      assert.equal(await store.countConfigs(namespaceId), 25);
      assert.equal(await store.countConfigs('no-such'), 0);
    });
  });
}
