import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { CONTENT_LENGTH_MAX, namespaceRecord } from './bounds.ts';
import type { ConfigHistory } from './history.ts';
import { createTestHost } from './host-for-tests.ts';
import {
  type Change,
  type ConfigWrite,
  RECORD_KEY_BYTES_MAX,
  RECORD_VALUE_BYTES_MAX,
  RECORDS_PER_WRITE_MAX,
  type Revision,
  type Store,
  StoreError,
} from './store.ts';

const { clock } = createTestHost();

export type TestedStore = Store;

/** One engine with one set of data, empty at first. */
export interface ContractEngine {
  /** A started store of its own on the same data; `tearDown` stops it. */
  open(options?: { readonly changesKept?: number }): Promise<TestedStore>;
  /** Takes the engine away from all stores, as a hang or an outage does. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  tearDown(): Promise<void>;
}

export interface ContractOptions {
  readonly skip?: string | false;
  /** Within which a call to an engine that is away must have failed. */
  readonly failsWithinMs: number;
}

/** What every adapter promises; each test takes names of its own, so that they share one set of data. */
export function storeContract(name: string, setUp: () => Promise<ContractEngine>, options: ContractOptions): void {
  describe(`the store contract on ${name}`, { skip: options.skip ?? false }, () => {
    let engine: ContractEngine;
    let store: TestedStore;
    before(async () => {
      engine = await setUp();
      store = await engine.open();
    });
    after(async () => engine?.tearDown());

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
      const add = async (writer: TestedStore) => {
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

    it('stores, replaces, lists and removes records of each kind apart', async () => {
      const value = JSON.stringify({ ip: '10.0.0.1', port: 80, text: '😀\r\n' });
      const first = await store.putRecord({ kind: 'instance', key: 'rec##a', value });
      const second = await store.putRecord({ kind: 'service', key: 'rec##a', value: '{}' });
      assert.ok(second > first);
      await store.putRecord({ kind: 'instance', key: 'rec##A', value: '{"n":2}' });
      await store.putRecord({ kind: 'instance', key: 'rec##a', value: '{"n":3}' });
      assert.deepEqual(await store.getRecord('instance', 'rec##a'), {
        ...{ kind: 'instance', key: 'rec##a', value: '{"n":3}' },
      });
      assert.equal((await store.getRecord('service', 'rec##a'))!.value, '{}');
      assert.equal((await store.getRecord('instance', 'rec##A'))!.value, '{"n":2}');
      assert.equal(await store.removeRecord('service', 'rec##a'), true);
      assert.equal(await store.removeRecord('service', 'rec##a'), false);
      assert.equal(await store.getRecord('service', 'rec##a'), undefined);
      assert.equal(await store.getRecord('switch', 'none'), undefined);
    });

    it('writes several records as one, and lists them in pages by key', async () => {
      const records = Array.from({ length: RECORDS_PER_WRITE_MAX }, (_, i) => ({
        kind: 'switch' as const,
        key: `many.${String(i).padStart(4, '0')}`,
        value: `{"i":${i}}`,
      }));
      const from = await store.revision();
      const revision = await store.putRecords(records);
      assert.equal(await store.revision(), revision);
      const seen = await changesSince(store, from);
      assert.deepEqual(
        seen.map((change) => change.what.key),
        records.map((record) => record.key),
      );
      assert.equal(seen.at(-1)!.revision, revision);
      const listed: unknown[] = [];
      let after: string | undefined;
      do {
        const page = await store.scanRecords('switch', 99, after);
        listed.push(...page.items);
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(listed, records);
      assert.equal(await store.putRecords([]), revision);
    });

    it('stores namespaces', async () => {
      const dev = namespaceRecord({ id: 'ns-dev', name: 'Entwicklung', description: 'for all' });
      const bare = namespaceRecord({ id: 'ns-bare', name: 'bare', description: '' });
      await store.putRecords([dev, bare]);
      const renamed = namespaceRecord({ id: 'ns-dev', name: 'Development', description: '' });
      await store.putRecord(renamed);
      assert.deepEqual(await store.getRecord('namespace', 'ns-dev'), renamed);
      const page = await store.scanRecords('namespace', 100);
      assert.deepEqual(page.items.map((record) => record.value).sort(), [bare.value, renamed.value].sort());
      const first = await store.scanRecords('namespace', 1);
      const rest = await store.scanRecords('namespace', 1, first.next);
      assert.deepEqual([...first.items, ...rest.items].length, 2);
      assert.equal(rest.next, undefined);
      assert.equal(await store.removeRecord('namespace', 'ns-bare'), true);
      assert.equal(await store.removeRecord('namespace', 'ns-bare'), false);
      await assertRefused('invalid', store.putRecord({ kind: 'namespace', key: 'x', value: '{"id":"y"}' }));
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
      const write = async (writer: TestedStore, name: string) => {
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

    it('refuses what no engine could keep', async () => {
      const long = 'x'.repeat(300);
      const key = 'k'.repeat(RECORD_KEY_BYTES_MAX + 1);
      const value = `"${'v'.repeat(RECORD_VALUE_BYTES_MAX)}"`;
      const tooMany = Array.from({ length: RECORDS_PER_WRITE_MAX + 1 }, (_, i) => {
        return { kind: 'switch' as const, key: `${i}`, value: '{}' };
      });
      await assertRefused('invalid', store.putConfig(writeOf(long, 'x')));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { group: long })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { tags: [long] })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x', { schema: 'x'.repeat(70_000) })));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'half \ud83d')));
      await assertRefused('invalid', store.putConfig(writeOf('ok', 'x'.repeat(CONTENT_LENGTH_MAX + 1))));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key, value: '{}' }));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key: '', value: '{}' }));
      await assertRefused('invalid', store.putRecord({ kind: 'switch', key: 'k', value }));
      await assertRefused('invalid', store.putRecords(tooMany));
      await assertRefused('invalid', store.scanConfigs(0));
      await assertRefused('invalid', store.scanConfigs(10, 'nonsense'));
      await assertRefused('invalid', store.changes(0, -1));
      assert.equal(await store.getConfig(keyOf('ok')), undefined);
    });

    it('keeps the longest record that fits', async () => {
      const key = 'ü'.repeat(RECORD_KEY_BYTES_MAX / 2);
      const value = JSON.stringify('v'.repeat(RECORD_VALUE_BYTES_MAX - 2));
      await store.putRecord({ kind: 'instance', key, value });
      assert.deepEqual(await store.getRecord('instance', key), { kind: 'instance', key, value });
    });

    it('fails in time while the engine is away, and goes on by itself when it is back', async () => {
      const others = [store, await engine.open()];
      await store.putConfig(writeOf('away', 'before'));
      await engine.cut();
      const startedAt = clock.monotonic();
      await Promise.all(
        others.map(async (writer) => {
          await assertRefused('unavailable', writer.putConfig(writeOf('away', 'during')));
        }),
      );
      await assertRefused('unavailable', store.putRecord({ kind: 'switch', key: 'away', value: '{}' }));
      const tookMs = clock.monotonic() - startedAt;
      assert.ok(tookMs < 2 * options.failsWithinMs, `two failing writes in a row took ${tookMs} ms`);
      await engine.restore();
      await eventually(async () => {
        await store.putConfig(writeOf('away', 'after'));
        await others[1]!.putConfig(writeOf('away.2', 'after'));
      });
      assert.equal((await store.getConfig(keyOf('away')))!.content, 'after');
    });

    it('refuses calls once stopped', async () => {
      const stopped = await engine.open();
      await stopped.stop();
      await assertRefused('unavailable', stopped.getConfig(keyOf('any')));
      await assertRefused('unavailable', stopped.putConfig(writeOf('any', 'x')));
    });
  });
}

export function writeOf(dataId: string, content: string, more: Partial<ConfigWrite> = {}): ConfigWrite {
  return {
    ...{ ...keyOf(dataId), content, md5: md5(content), type: 'text' },
    ...{ appName: undefined, description: null, use: null, effect: null, schema: null, tags: undefined },
    ...{ by: { ip: '127.0.0.1', user: null }, ...more },
  };
}

export function keyOf(dataId: string) {
  return { dataId, group: 'g', namespaceId: '' };
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** The newest past writes with their contents. */
export async function historyOf(store: Store, key: ConfigKey, limit: number): Promise<readonly ConfigHistory[]> {
  const { items } = await store.searchHistory(key, 0, limit);
  return Promise.all(items.map(async ({ nid }) => (await store.getHistory(nid))!));
}

export async function assertRefused(kind: string, work: Promise<unknown>): Promise<StoreError> {
  let refusal: StoreError | undefined;
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.kind, kind, error.message);
    refusal = error;
    return true;
  });
  return refusal!;
}

export async function changesSince(store: Store, from: Revision): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (let at = from; ; ) {
    const page = await store.changes(at, 100);
    assert.ok(!page.gap, `a gap after ${at}`);
    if (page.upTo === at) return changes;
    changes.push(...page.changes);
    at = page.upTo;
  }
}

const EVENTUALLY_MS = 10_000;

/** For what an engine does in its own time: asked again until it holds. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = clock.monotonic() + EVENTUALLY_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (clock.monotonic() > deadline) throw error;
      await clock.sleep(50);
    }
  }
}
