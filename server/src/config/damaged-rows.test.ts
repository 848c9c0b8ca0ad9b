import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config, ConfigKey, VariantId } from '@nacos-kube/core/model/config.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { type Change, type Store, StoreError } from '../store/store.ts';
import { ConfigCache } from './cache.ts';
import { createFakeHost } from './fake-host.ts';
import { ConfigFollower } from './follow.ts';
import { RowReader } from './rows.ts';
import { VariantRowReader } from './variant-rows.ts';

const keyOf = (dataId: string): ConfigKey => ({ dataId, group: 'g', namespaceId: '' });
const BY = { ip: '127.0.0.1', user: null };
const REST = { type: 'text', appName: undefined, description: null, use: null, effect: null, schema: null } as const;

/** A node that follows a store in which some rows cannot be read. */
async function setUp() {
  const host = createFakeHost();
  const truth = createMemoryStore(host, createMemoryDatabase());
  await truth.start();
  const damaged = new Set<string>();
  const refuse = (dataId: string): void => {
    if (damaged.has(dataId)) throw new StoreError('damaged', `${dataId} does not fit its md5`);
  };
  const store = {
    getConfig: async (key: ConfigKey) => {
      refuse(key.dataId);
      return truth.getConfig(key);
    },
    getVariants: async (key: ConfigKey) => {
      refuse(key.dataId);
      return truth.getVariants(key);
    },
    scanVariants: async (limit: number, after?: string) => {
      const { items, next } = await truth.scanVariants(limit, after);
      return { items: items.filter((row) => row.variant.kind !== 'beta' || !damaged.has(row.dataId)), next };
    },
    scanConfigs: async (limit: number, after?: string) => {
      const { items, next } = await truth.scanConfigs(limit, after);
      return { items: items.filter(({ dataId }: Config) => !damaged.has(dataId)), next, damaged: [...damaged] };
    },
  } as Partial<Store> as Store;
  const cache = new ConfigCache();
  const rows = new RowReader(host, store, cache);
  const variants = new VariantRowReader(host, store, cache.variants);
  const follower = new ConfigFollower(cache, rows, variants, (revision) => rows.readAll(revision));
  let revision = 0;
  const publish = async (dataId: string, content: string): Promise<void> => {
    const text = { content, md5: contentMd5(content), tags: undefined, by: BY };
    const written = await truth.putConfig({ ...keyOf(dataId), ...REST, ...text });
    revision = written.outcome === 'written' ? written.revision : 0;
  };
  const tell = (...dataIds: readonly string[]): Promise<void> =>
    follower.apply(
      dataIds.map((dataId): Change => ({ revision, what: { kind: 'config', key: keyOf(dataId) }, removed: false })),
    );
  const served = (dataId: string): string | undefined => {
    const view = cache.get(groupKey(keyOf(dataId)));
    return view && new TextDecoder().decode(cache.content(view));
  };
  return { host, cache, truth, damaged, rows, variants, follower, publish, tell, served };
}

test('a row that is damaged in the store holds up no other, and what was read of it before is served on', async () => {
  const { host, damaged, rows, follower, publish, tell, served } = await setUp();
  for (const dataId of ['a', 'b', 'c']) await publish(dataId, 'one');
  await tell('a', 'b', 'c');
  damaged.add('b');
  for (const dataId of ['a', 'b', 'c']) await publish(dataId, 'two');
  await tell('a', 'b', 'c');
  assert.deepEqual(['a', 'b', 'c'].map(served), ['two', 'one', 'two']);
  await publish('c', 'three');
  await follower.reread(0);
  assert.deepEqual(['a', 'b', 'c'].map(served), ['two', 'one', 'three'], 'nor does it hold up a full read');
  assert.equal(host.warnings.length, 1, 'it is told once');
  assert.ok(rows.skipped >= 2);
});

test('a node that starts with a damaged row takes its own copy of it, and of no row that is gone', async () => {
  const { cache, damaged, rows, truth, publish, served } = await setUp();
  for (const dataId of ['a', 'b', 'late']) await publish(dataId, 'new');
  damaged.add('b');
  const content = new TextEncoder().encode('copy');
  const facts = { md5: contentMd5(content), type: 'text', modifiedMs: 0, revision: 0 } as const;
  let asked = 0;
  const takeCopies = async () => {
    asked += 1;
    await truth.removeConfig(keyOf('late'), BY);
    cache.remove(groupKey(keyOf('late')));
    for (const dataId of ['b', 'gone', 'late']) cache.put({ key: keyOf(dataId), ...facts }, content);
  };
  await rows.readAll(0, takeCopies);
  assert.deepEqual(['a', 'b', 'gone', 'late'].map(served), ['new', 'copy', undefined, undefined]);
  damaged.clear();
  await rows.readDamagedAgain();
  assert.equal(served('b'), 'new');
  await rows.readAll(0, takeCopies);
  assert.equal(asked, 1, 'of a whole store no copy is taken');
});

test('a row that was damaged is read again with what comes next, though not with everything', async () => {
  const { host, damaged, publish, tell, served } = await setUp();
  await publish('a', 'one');
  damaged.add('a');
  await tell('a');
  assert.equal(served('a'), undefined);
  for (const dataId of ['b', 'c']) await publish(dataId, 'one');
  await tell('b');
  damaged.clear();
  await tell('c');
  assert.deepEqual(['a', 'b', 'c'].map(served), [undefined, 'one', 'one'], 'it was looked at a moment ago');
  await host.advance(5_000);
  await tell('c');
  assert.equal(served('a'), 'one');
});

test('a variant that was damaged is read again with what comes next, and told of once', async () => {
  const { host, cache, damaged, truth, follower, publish, tell } = await setUp();
  const text = { content: 'one', md5: contentMd5('one'), appName: undefined, betaIps: '10.0.0.1', by: BY };
  await truth.putVariant({ ...keyOf('v'), variant: { kind: 'beta' }, ...text });
  damaged.add('v');
  const change = { revision: 1, what: { kind: 'variant', key: keyOf('v') }, removed: false } as const;
  for (let times = 0; times < 2; times += 1) await follower.apply([change]);
  assert.equal(host.warnings.length, 1);
  damaged.clear();
  await host.advance(5_000);
  await publish('a', 'one');
  await tell('a');
  assert.notEqual(cache.variants.find(groupKey(keyOf('v')), { kind: 'beta' }), undefined);
});

test('variants that are damaged in the store hold up no others, and any other failure has the changes told again', async () => {
  const { damaged, follower, publish, served, tell, rows } = await setUp();
  await publish('a', 'one');
  damaged.add('v');
  const variant = { kind: 'variant', key: keyOf('v') } as const;
  await follower.apply([{ revision: 1, what: variant, removed: false }]);
  await tell('a');
  assert.equal(served('a'), 'one');
  await assert.rejects(
    rows.readSound(
      {
        get dataId(): string {
          throw new Error('away');
        },
        group: 'g',
        namespaceId: '',
      },
      0,
    ),
    /away/,
  );
});

test('a beta that is damaged is served on as it was also where a full read finds a tag beside it', async () => {
  const { cache, damaged, truth, variants } = await setUp();
  const write = (dataId: string, variant: VariantId) => {
    const text = { content: 'one', md5: contentMd5('one'), appName: undefined, betaIps: '10.0.0.1', by: BY };
    return truth.putVariant({ ...keyOf(dataId), variant, ...text });
  };
  for (const dataId of ['a', 'b']) {
    await write(dataId, { kind: 'beta' });
    await write(dataId, { kind: 'tag', tag: 't' });
  }
  await variants.readAll();
  damaged.add('a');
  await truth.removeVariant(keyOf('b'), { kind: 'beta' });
  await variants.readAll();
  const isThere = (dataId: string) => cache.variants.find(groupKey(keyOf(dataId)), { kind: 'beta' }) !== undefined;
  assert.deepEqual(['a', 'b'].map(isThere), [true, false]);
  assert.equal(cache.variants.count, 3);
});
