import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { assertRefused, changesSince, eventually } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import { RECORDS_PER_WRITE_MAX, type Store, type StoredRecord } from '../store.ts';
import { createEtcdStore } from './etcd.ts';

const RECORDS = 24;
/** With all the others within what a connection takes before its other end reads. */
const BATCHES = 5;

describe('records on an etcd member that hangs', { skip: (await etcdMissing()) ?? false }, () => {
  const stores: Store[] = [];
  let etcd: Etcd | undefined;
  after(async () => {
    await Promise.all(stores.map((store) => store.stop()));
    await etcd?.stop();
  });

  const open = async (endpoints: readonly string[]) => {
    const store = createEtcdStore(createTestHost(), { ...etcd!.settings(), endpoints });
    stores.push(store);
    await store.start();
    return store;
  };
  const record = (i: number, value: string, key = 'late'): StoredRecord => {
    return { kind: 'instance', key: `${key}.${i}`, value: JSON.stringify(value) };
  };
  const batch = (i: number, value: string) => {
    return Array.from({ length: RECORDS_PER_WRITE_MAX }, (_, n) => record(n, value, `many.${i}`));
  };
  const each = <T>(work: (i: number) => Promise<T>) => Promise.all(Array.from({ length: RECORDS }, (_, i) => work(i)));

  it('are not overwritten, brought back or removed by what was given up while it hung', async () => {
    etcd = await startEtcd({ members: 3 });
    const leader = await etcd.leader();
    const [hung] = etcd.members.filter(({ name }) => name !== leader.name);
    const others = etcd.members.filter((member) => member !== hung).map(({ endpoint }) => endpoint);
    const [stuck, sound] = [await open([hung!.endpoint]), await open(others)];
    await each((i) => stuck.putRecord(record(i, 'old')));
    await each((i) => stuck.putRecord(record(i, 'old', 'kept')));
    // Of the removals too it is known what stands.
    await each((i) => stuck.getRecord('instance', `kept.${i}`));

    await hung!.pause();
    const given = [
      ...Array.from({ length: BATCHES }, (_, i) => stuck.putRecords(batch(i, 'given up'))),
      ...Array.from({ length: RECORDS }, (_, i) => stuck.putRecord(record(i, 'given up'))),
      ...Array.from({ length: RECORDS }, (_, i) => stuck.putRecord(record(i, 'given up', 'none'))),
      ...Array.from({ length: RECORDS }, (_, i) => stuck.removeRecord('instance', `kept.${i}`)),
    ];
    const refused = Promise.all(given.map((call) => assertRefused('unavailable', call)));
    await each((i) => sound.putRecord(record(i, 'new')));
    await each((i) => sound.putRecord(record(i, 'new', 'kept')));
    // There is nothing to remove yet: what is under way must not come behind it all the same.
    await each(async (i) => assert.equal(await sound.removeRecord('instance', `none.${i}`), false));
    for (let i = 0; i < BATCHES; i += 1) await sound.putRecord(batch(i, 'new').at(-1)!);
    for (const error of await refused) assert.match(error.message, /in time/);
    const from = await sound.revision();
    hung!.resume();
    await eventually(async () => void (await stuck.putRecord(record(0, 'awake', 'after'))));
    await sound.putRecord(record(0, 'last', 'after'));
    await eventually(async () => assert.equal((await stuck.getRecord('instance', 'after.0'))?.value, '"last"'));
    await createTestHost().clock.sleep(500);

    const late = (await changesSince(sound, from)).map(({ what }) => what.key).filter((key) => key !== 'after.0');
    assert.deepEqual(late, []);
    const { items } = await sound.scanRecords('instance', 1000, 'many.');
    const ofBatches = items.filter(({ key }) => key.startsWith('many.'));
    assert.deepEqual(new Set(ofBatches.map(({ value }) => value)), new Set(['"new"']));
    await each(async (i) => {
      assert.equal((await sound.getRecord('instance', `late.${i}`))?.value, '"new"');
      assert.equal((await sound.getRecord('instance', `kept.${i}`))?.value, '"new"');
      assert.equal(await sound.getRecord('instance', `none.${i}`), undefined);
    });
  });

  it('are written by way of another member, once', async () => {
    const leader = await etcd!.leader();
    const hung = etcd!.members.find(({ name }) => name !== leader.name)!;
    const all = [await open(etcd!.endpoints), await open(etcd!.endpoints), await open(etcd!.endpoints)];
    await hung.pause();
    try {
      await Promise.all(all.map((store, i) => store.putRecord(record(i, 'there', 'other'))));
      await each(async (i) => {
        const revision = await all[i % 3]!.putRecord(record(i, 'there', 'other'));
        assert.ok(revision > 0);
      });
    } finally {
      hung.resume();
    }
    await each(async (i) => assert.equal((await all[0]!.getRecord('instance', `other.${i}`))?.value, '"there"'));
  });

  it('are written by many at once without a refusal, one by one, together, and while others are removed', async () => {
    const writers = await Promise.all(Array.from({ length: 4 }, () => open(etcd!.endpoints)));
    const revisions = await each(async (i) => {
      const store = writers[i % writers.length]!;
      const revision = await store.putRecord(record(0, `${i}`, 'hot'));
      await store.putRecords(Array.from({ length: RECORDS }, (_, n) => record(n, `${i}`, 'batch')));
      await store.removeRecord('instance', `hot.${i % 3}`);
      return revision;
    });
    assert.equal(new Set(revisions).size, RECORDS);
    const values = await each(async (i) => (await writers[0]!.getRecord('instance', `batch.${i}`))?.value);
    assert.equal(new Set(values).size, 1, 'a batch is one write');
  });
});
