import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Store } from '../store/store.ts';
import { ConfigCache } from './cache.ts';
import { createFakeHost } from './fake-host.ts';
import { ConfigFollower, ROWS_READ_AT_ONCE } from './follow.ts';
import { RowReader } from './rows.ts';
import { VariantRowReader } from './variant-rows.ts';

/** How many rows are asked for at once when a hundred were changed. */
async function mostAtOnce(readsAtOnce: number | undefined): Promise<number> {
  const host = createFakeHost();
  const cache = new ConfigCache();
  let [asked, most] = [0, 0];
  const getConfig = async () => {
    asked += 1;
    most = Math.max(most, asked);
    await Promise.resolve();
    asked -= 1;
    return undefined;
  };
  const store = { getConfig, ...(readsAtOnce !== undefined && { readsAtOnce }) } as Partial<Store> as Store;
  const rows = new RowReader(host, store, cache);
  const follower = new ConfigFollower(cache, rows, new VariantRowReader(host, store, cache.variants), async () => {});
  await follower.apply(
    Array.from({ length: 100 }, (_, i): Change => {
      return {
        revision: i + 1,
        what: { kind: 'config', key: { dataId: `d${i}`, group: 'g', namespaceId: '' } },
        removed: false,
      };
    }),
  );
  return most;
}

test('rows are read few at once, or as many as the store says are best', async () => {
  assert.equal(await mostAtOnce(undefined), ROWS_READ_AT_ONCE);
  assert.equal(await mostAtOnce(64), 64);
});
