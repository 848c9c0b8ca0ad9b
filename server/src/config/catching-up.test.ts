import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryDatabase, type MemoryStore } from '../store/memory.ts';
import { DUMP_QUEUE_MAX } from './dump.ts';
import { createFakeHost } from './fake-host.ts';
import { shown, startNode } from './node-for-tests.ts';

const AWAY_MS = 6_000;

test('what a full read behind a gap finds is served while the disk takes none of it, and is dumped once it does', async () => {
  const { a, b, host, other } = await nodesWith(100);
  const { faults } = b.store as MemoryStore;
  faults.down = 'unavailable';
  const dataIds = Array.from({ length: 3_000 }, (_, i) => `d${i}`);
  for (const dataId of dataIds) await a.publish(dataId, `text of ${dataId}`);
  const disk = hangWrites(other.disk);
  faults.down = undefined;
  await host.advance(AWAY_MS);
  for (const dataId of dataIds) assert.deepEqual(shown(await b.get(dataId)), [200, `text of ${dataId}`]);
  assert.equal(b.dumpFiles().length, 0);
  disk.goOn();
  await host.advance(60_000);
  assert.equal(b.dumpFiles().length, dataIds.length);
  assert.ok(dataIds.length < DUMP_QUEUE_MAX);
});

async function nodesWith(changesKept: number) {
  const database = createMemoryDatabase({ changesKept });
  const host = createFakeHost('node-1');
  const other = createFakeHost('node-2', host);
  const [a, b] = [await startNode(host, database), await startNode(other, database)];
  await host.advance(1_000);
  return { a, b, host, other };
}

function hangWrites(disk: { write: unknown }) {
  const { write } = disk as { write: (...args: unknown[]) => Promise<void> };
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(disk, {
    write: async (...args: unknown[]) => {
      await promise;
      return write(...args);
    },
  });
  return { goOn: resolve };
}
