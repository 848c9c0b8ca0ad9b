import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { changesSince } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import { RECORDS_PER_WRITE_MAX, type Store, type StoredRecord } from '../store.ts';
import { createEtcdStore } from './etcd.ts';

const PUTS = 200;
const LANES = 32;
const REMOVALS_PER_LANE = 12;

const record = (key: string, value: string): StoredRecord => {
  return { kind: 'instance', key, value: JSON.stringify(value) };
};
const times = <T>(count: number, work: (i: number) => T) => Array.from({ length: count }, (_, i) => work(i));

describe('records of etcd that many write at once', { skip: (await etcdMissing()) ?? false }, () => {
  const stores: Store[] = [];
  let etcd: Etcd;
  before(async () => {
    etcd = await startEtcd();
    for (let i = 0; i < 3; i += 1) {
      const store = createEtcdStore(createTestHost(), etcd.settings());
      stores.push(store);
      await store.start();
    }
  });
  after(async () => {
    for (const store of stores) await store.stop();
    await etcd?.stop();
  });

  it('are all written when all write the same one', async () => {
    const [first] = stores as [Store];
    const from = await first.revision();
    const revisions = await Promise.all(times(PUTS, (i) => stores[i % 3]!.putRecord(record('hot', `${i}`))));
    assert.equal(new Set(revisions).size, PUTS);
    assert.equal((await changesSince(first, from)).length, PUTS);
    const newest = revisions.indexOf(Math.max(...revisions));
    assert.equal((await first.getRecord('instance', 'hot'))!.value, `"${newest}"`);
  });

  it('are written many in one write while others between them are written and removed', async () => {
    const [writer, ...others] = stores as [Store, Store, Store];
    let isOver = false;
    const lanes = times(LANES, async (lane) => {
      const other = others[lane % others.length]!;
      for (let i = 0; i < REMOVALS_PER_LANE || !isOver; i += 1) {
        await other.putRecord(record(`batch.0.lane.${lane}`, `${i}`));
        assert.equal(await other.removeRecord('instance', `batch.0.lane.${lane}`), true);
      }
    });
    const sizes = [2, 17, RECORDS_PER_WRITE_MAX];
    try {
      for (const size of sizes) await writer.putRecords(times(size, (i) => record(`batch.${i}`, `${size}`)));
    } finally {
      isOver = true;
      await Promise.all(lanes);
    }
    const { items } = await writer.scanRecords('instance', 1000, 'batch.');
    const values = items.filter(({ key }) => /^batch\.\d+$/.test(key)).map(({ value }) => value);
    assert.deepEqual([values.length, new Set(values).size], [RECORDS_PER_WRITE_MAX, 1]);
  });
});
