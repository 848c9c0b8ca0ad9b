import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '@nacos-kube/core/host/host.ts';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import { contentMd5, decodePublish } from '@nacos-kube/core/wire/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import fc from 'fast-check';
import { Follower } from '../store/follow.ts';
import { createMemoryDatabase, createMemoryStore, type MemoryDatabase } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { ConfigCache } from './cache.ts';
import { Capacity } from './capacity.ts';
import { viewKey } from './dump-file.ts';
import { createFakeHost } from './fake-host.ts';
import { ConfigFollower } from './follow.ts';
import { MetaConfigs } from './meta.ts';
import { NO_PEERS, PeerHints } from './notify.ts';
import { Publisher } from './publish.ts';
import { RowReader } from './rows.ts';
import { VariantRowReader } from './variant-rows.ts';
import type { CachedVariant } from './view.ts';

const VARIANT_ACTIONS = ['publish x', 'publish y', 'remove x', 'publish beta', 'stop beta'] as const;
const KEYS = ['d', 'e'].map((dataId) => ({ dataId, group: 'g', namespaceId: '' }));

/**
 * Two nodes write the same keys while every call of the store takes its own time on the way there and on the way back.
 * What a node serves must never give way to something older, and in the end all serve what the store has (P2).
 */
test('P2: whatever overtakes what, no node ever goes back, what was acknowledged is served, and all agree', async () => {
  const action = fc.record({
    node: fc.nat(1),
    key: fc.nat(1),
    what: fc.constantFrom('publish', 'publish', 'remove', 'rereadAll', ...VARIANT_ACTIONS),
    afterMs: fc.integer({ min: 0, max: 60 }),
  });
  const delays = fc.array(fc.constantFrom(0, 0, 0, 1, 20, 300), { minLength: 7, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 40 }), delays, async (actions, delaysMs) => {
      const database = createMemoryDatabase();
      const host = createFakeHost();
      let delayed = 0;
      const delay = () => delaysMs[delayed++ % delaysMs.length]!;
      const commits: string[] = [];
      const nodes = await Promise.all([0, 1].map(() => startNode(host, database, delay, commits)));
      const work: Promise<void>[] = [];
      for (const [i, { node, key, what, afterMs }] of actions.entries()) {
        await host.advance(afterMs);
        work.push(nodes[node]!.act(what, key, `text ${i}`));
      }
      await host.advance(20_000);
      await Promise.all(work);
      assert.deepEqual(host.crashes, []);
      const truth = createMemoryStore(host, database);
      await truth.start();
      for (const key of KEYS) {
        const row = await truth.getConfig(key);
        const variants = await truth.getVariants(key);
        for (const { cache } of nodes) {
          assert.equal(cache.get(groupKey(key))?.md5 ?? '', row?.md5 ?? '', 'a node disagrees');
          const cached = [...cache.variants.all()].filter(({ key: { dataId } }) => dataId === key.dataId);
          assert.deepEqual(facts(cached), facts(variants), 'a node disagrees about variants');
        }
      }
      for (const { follower } of nodes) follower.stop();
    }),
    { numRuns: 100, examples: FOUND_ONCE },
  );
});

type Action = { node: number; key: number; what: string; afterMs: number };

/** Counterexamples of the past: a full read ends while a write is under way whose key it did not see, or saw newer. */
const FOUND_ONCE: [Action[], number[]][] = [
  [
    [
      { node: 1, key: 1, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 20 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 1, what: 'publish', afterMs: 5 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
      { node: 0, key: 0, what: 'publish', afterMs: 0 },
    ],
    [0, 300, 20, 1, 20, 0, 0, 300, 1, 300, 0, 0],
  ],
  [
    [
      { node: 0, key: 0, what: 'rereadAll', afterMs: 36 },
      { node: 0, key: 1, what: 'publish', afterMs: 13 },
      { node: 0, key: 0, what: 'rereadAll', afterMs: 43 },
      { node: 1, key: 0, what: 'publish', afterMs: 56 },
      { node: 1, key: 0, what: 'publish', afterMs: 59 },
      { node: 0, key: 0, what: 'publish', afterMs: 5 },
      { node: 1, key: 0, what: 'remove', afterMs: 38 },
      { node: 1, key: 0, what: 'publish', afterMs: 27 },
      { node: 1, key: 0, what: 'remove', afterMs: 2 },
      { node: 0, key: 1, what: 'publish', afterMs: 0 },
    ],
    [300, 0, 20, 0, 0, 0, 0, 20, 0],
  ],
];

/** `commits` has every state of every key as `groupKey md5`, in the order in which they were written. */
async function startNode(host: Host, database: MemoryDatabase, delay: () => number, commits: string[]) {
  const plain = createMemoryStore(host, database);
  await plain.start();
  const store = slow(host, plain, delay, commits);
  const cache = new ConfigCache();
  const rows = new RowReader(host, store, cache);
  const variantRows = new VariantRowReader(host, store, cache.variants);
  const hints = new PeerHints(host, NO_PEERS);
  const meta = new MetaConfigs(host.log, cache);
  const capacity = new Capacity(host.log, store, cache);
  const publisher = new Publisher({ host, store, cache, rows, variantRows, hints, meta, capacity });
  const follower = new Follower(host, store);
  const readAll = async (revision: number): Promise<void> => {
    await rows.readAll(revision);
    await variantRows.readAll();
  };
  follower.subscribe(new ConfigFollower(cache, rows, variantRows, readAll));
  follower.start();
  const newest = new Map<string, number>();
  const served = (text: string, before: string | undefined, after: string | undefined): void => {
    if (before === after || after === undefined) return;
    const place = commits.indexOf(`${text} ${after}`);
    assert.ok(place >= 0, 'something was served that was never stored');
    assert.ok(place >= (newest.get(text) ?? -1), `${text} went back`);
    newest.set(text, place);
  };
  cache.changes.subscribe(({ groupKey: text, before, after }) => served(text, before?.md5, after?.md5));
  cache.variants.changes.subscribe(({ groupKey: text, before, after }) => {
    served(viewKey(text, (before ?? after)?.variant), before?.md5, after?.md5);
  });
  const act = async (what: string, keyIndex: number, content: string): Promise<void> => {
    const key = KEYS[keyIndex]!;
    const text = groupKey(key);
    if (what === 'rereadAll') return readAll(follower.metrics().revision);
    if (what === 'remove') return publisher.remove({ ...key, user: null }, '10.0.0.1');
    if (what === 'stop beta') return publisher.stopBeta(key);
    if (what === 'remove x') return publisher.remove({ ...key, tag: 'x', user: null }, '10.0.0.1');
    const [, variant] = what.split(' ');
    const isTag = variant === 'x' || variant === 'y';
    const form = new Map([...Object.entries(key), ['content', content], ...(isTag ? [['tag', variant] as const] : [])]);
    const request = decodePublish(form, variant === 'beta' ? { betaips: '10.0.0.7' } : {});
    await publisher.publish(request, '10.0.0.1');
    const id = variant === undefined ? undefined : variantNamed(variant);
    const now = id === undefined ? cache.get(text) : cache.variants.find(text, id);
    if (now === undefined) return; // Removed by somebody else meanwhile.
    const own = commits.indexOf(`${viewKey(text, id)} ${contentMd5(content)}`);
    assert.ok(commits.indexOf(`${viewKey(text, id)} ${now.md5}`) >= own, 'what was acknowledged is not served');
  };
  return { cache, follower, act };
}

function variantNamed(name: string): VariantId {
  return name === 'beta' ? { kind: 'beta' } : { kind: 'tag', tag: name };
}

function facts(variants: readonly Pick<CachedVariant, 'variant' | 'md5' | 'betaIps'>[]): readonly string[] {
  return variants.map(({ variant, md5, betaIps }) => `${JSON.stringify(variant)} ${md5} ${betaIps}`).sort();
}

function slow(host: Host, store: Store, delay: () => number, commits: string[]): Store {
  return new Proxy(store, {
    get: (_, name) => {
      const value = store[name as keyof Store] as unknown;
      if (typeof value !== 'function') return value;
      if (name === 'onHint') return value.bind(store);
      return async (...args: unknown[]) => {
        await host.clock.sleep(delay());
        const result: unknown = await value.apply(store, args);
        if (name === 'putConfig') {
          const { md5, ...key } = args[0] as Parameters<Store['putConfig']>[0];
          commits.push(`${groupKey(key)} ${md5}`);
        } else if (name === 'putVariant') {
          const { md5, variant, ...key } = args[0] as Parameters<Store['putVariant']>[0];
          commits.push(`${viewKey(groupKey(key), variant)} ${md5}`);
        }
        await host.clock.sleep(delay());
        return result;
      };
    },
  });
}
