import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMemoryDatabase, createMemoryStore } from './memory.ts';
import { RecordCopy } from './record-copy.ts';
import { RecordRows } from './record-rows.ts';
import { type StoredRecord, StoreError } from './store.ts';

const record = (key: string, value: string): StoredRecord => ({ kind: 'service', key, value });

test('what is damaged in the store at a start is shown as the copy has it, and read again with what comes next', async () => {
  const host = new FakeHost();
  const store = createMemoryStore(host, createMemoryDatabase());
  await store.start();
  const until = async <T>(work: Promise<T>): Promise<T> => {
    await host.advance(2_000);
    return work;
  };
  const start = () => {
    const shown = new Map<string, string>();
    const rows = new RecordRows(host, store, {
      ...{ kind: 'service', what: 'a thing' },
      shownKeys: () => shown.keys(),
      shownRows: () => [...shown].map(([key, value]) => record(key, value)),
      show: ({ key, value }) => shown.set(key, value) === shown,
      hide: (key) => shown.delete(key),
    });
    const copy = new RecordCopy(host, '/data/records', 'service');
    rows.keepCopy(copy);
    return { rows, shown, copy };
  };

  const earlier = start();
  await until(earlier.rows.readAll());
  for (const key of ['a', 'b', 'gone']) await until(earlier.rows.put(record(key, 'one')));
  await until(earlier.copy.stop());
  await until(store.removeRecord('service', 'gone'));
  await until(store.putRecord(record('a', 'two')));

  const { scanRecords, getRecord } = store;
  store.scanRecords = async (...args) => {
    const { items, next } = await scanRecords.apply(store, args);
    return { items: items.filter(({ key }) => key !== 'a'), next, damaged: ['service a is damaged'] };
  };
  store.getRecord = async (...args) => {
    if (args[1] === 'a') throw new StoreError('damaged', 'service a is damaged');
    return getRecord.apply(store, args);
  };
  const { rows, shown } = start();
  await until(rows.readAll());
  assert.deepEqual(Object.fromEntries(shown), { a: 'one', b: 'one' });
  await until(rows.readAll());
  assert.equal(shown.get('a'), 'one', 'it stays so');
  store.getRecord = getRecord;
  await until(rows.readChanged([{ revision: 9, what: { kind: 'service', key: 'b' }, removed: false }]));
  assert.equal(shown.get('a'), 'two');
});
