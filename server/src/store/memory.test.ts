import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storeContract } from './contract.ts';
import { assertRefused, keyOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMemoryDatabase, createMemoryStore, type MemoryStore } from './memory.ts';

storeContract(
  'memory',
  async () => {
    const host = createTestHost();
    let database = createMemoryDatabase();
    const stores: MemoryStore[] = [];
    return {
      open: async (options) => {
        // How much is kept belongs to the data; a store that asks for less gets data of its own.
        if (options?.changesKept !== undefined) database = createMemoryDatabase(options);
        const store = createMemoryStore(host, database);
        await store.start();
        stores.push(store);
        return store;
      },
      cut: async () => {
        for (const store of stores) store.faults.down = 'unavailable';
      },
      restore: async () => {
        for (const store of stores) store.faults.down = undefined;
      },
      tearDown: async () => {
        for (const store of stores) await store.stop();
      },
    };
  },
  { failsWithinMs: 1000 },
);

describe('the faults of a memory store', () => {
  it('cut one store off, or all stores on the data', async () => {
    const database = createMemoryDatabase();
    const [one, two] = [createMemoryStore(createTestHost(), database), createMemoryStore(createTestHost(), database)];
    await Promise.all([one.start(), two.start()]);
    one.faults.down = 'unavailable';
    await assertRefused('unavailable', one.getConfig(keyOf('a')));
    await two.putConfig(writeOf('a', '1'));
    database.faults.down = 'read-only';
    await assertRefused('read-only', two.putConfig(writeOf('a', '2')));
    database.faults.down = undefined;
    assert.equal((await two.getConfig(keyOf('a')))!.content, '1');
  });

  it('can lose the answer of a write that was stored', async () => {
    const store = createMemoryStore(createTestHost(), createMemoryDatabase());
    await store.start();
    store.faults.losesAnswers = true;
    await assertRefused('unavailable', store.putConfig(writeOf('a', '1')));
    assert.equal((await store.getConfig(keyOf('a')))!.content, '1');
  });

  it('hints the stores on the same data once for many changes', async () => {
    const database = createMemoryDatabase();
    const timers: (() => void)[] = [];
    const host = createTestHost();
    const after = (_: number, run: () => void) => {
      timers.push(run);
      return { cancel: () => undefined };
    };
    const hinted = createMemoryStore({ ...host, clock: { ...host.clock, after } }, database);
    const writer = createMemoryStore(host, database);
    await Promise.all([hinted.start(), writer.start()]);
    let hints = 0;
    hinted.onHint(() => {
      hints += 1;
    });
    await writer.putConfig(writeOf('a', '1'));
    await writer.putConfig(writeOf('a', '2'));
    assert.equal(timers.length, 1);
    timers[0]!();
    assert.equal(hints, 1);
    await writer.putConfig(writeOf('a', '3'));
    assert.equal(timers.length, 2);
  });
});
