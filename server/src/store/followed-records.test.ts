import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { FollowedRecords } from './followed-records.ts';
import { createMemoryDatabase, createMemoryStore } from './memory.ts';
import { ROWS_READ_AT_ONCE, WRITES_PENDING_MAX } from './record-rows.ts';
import { type Change, type StoredRecord, StoreError } from './store.ts';

async function setUp() {
  const host = new FakeHost();
  const database = createMemoryDatabase();
  const [mine, theirs] = [createMemoryStore(host, database), createMemoryStore(host, database)];
  await Promise.all([mine.start(), theirs.start()]);
  const records = new FollowedRecords<string>(host, mine, {
    name: 'things',
    kind: 'service',
    decode: ({ value }) => (value.startsWith('"') ? (JSON.parse(value) as string) : undefined),
  });
  const told: string[] = [];
  records.changes.subscribe(({ key, before, after }) => told.push(`${key}: ${before} > ${after}`));
  const until = async <T>(work: Promise<T>): Promise<T> => {
    await host.advance(100);
    return work;
  };
  return { host, database, mine, theirs, records, told, until };
}

const record = (key: string, value: string): StoredRecord => ({ kind: 'service', key, value: JSON.stringify(value) });
const changed = (key: string): Change => ({ revision: 1, what: { kind: 'service', key }, removed: false });

test('what this member writes it shows at once', async () => {
  const { records, told, until } = await setUp();
  assert.equal(await until(records.write('a', () => record('a', 'one'))), true);
  assert.equal(records.get('a'), 'one');
  assert.equal(await until(records.write('a', (now) => record('a', `${now} two`))), true);
  assert.equal(await until(records.write('a', () => undefined)), false);
  assert.equal(records.get('a'), 'one two');
  assert.equal(await until(records.remove('a')), true);
  assert.equal(await until(records.remove('a')), false);
  assert.deepEqual(told.slice(0, 3), ['a: undefined > one', 'a: one > one two', 'a: one two > undefined']);
});

test('a row that is damaged in the store holds up no other, and is shown as it was', async () => {
  const { theirs, mine, records, until } = await setUp();
  for (const key of ['a', 'b']) await until(theirs.putRecord(record(key, 'one')));
  await until(records.feedReader.reread(0));
  for (const key of ['a', 'b']) await until(theirs.putRecord(record(key, 'two')));
  const getRecord = mine.getRecord.bind(mine);
  mine.getRecord = async (kind, key) => {
    if (key === 'a') throw new StoreError('damaged', 'a does not fit its checksum');
    return getRecord(kind, key);
  };
  await until(records.feedReader.apply([changed('a'), changed('b')]));
  assert.deepEqual([records.get('a'), records.get('b')], ['one', 'two']);
  assert.equal(records.bad, 1);
  mine.getRecord = getRecord;
  await until(records.feedReader.apply([changed('b')]));
  assert.equal(records.get('a'), 'two', 'it is read again with what comes next');
});

test('a writer decides by the row as it is, whoever wrote it', async () => {
  const { theirs, records, until } = await setUp();
  await until(theirs.putRecord(record('a', 'theirs')));
  await until(records.write('a', (now) => record('a', `${now}, mine`)));
  assert.equal(records.get('a'), 'theirs, mine');
});

test('writes at the same time lose nothing of each other', async () => {
  const { records, until } = await setUp();
  const writes = Array.from({ length: 10 }, (_, i) => records.write('a', (now) => record('a', `${now ?? ''}${i}`)));
  await until(Promise.all(writes));
  assert.equal(records.get('a'), '0123456789');
});

test('a full read shows what others wrote, drops what they removed, and tells of what differs alone', async () => {
  const { theirs, records, told, until } = await setUp();
  await until(records.write('gone', () => record('gone', '1')));
  await until(records.write('same', () => record('same', '1')));
  await until(theirs.removeRecord('service', 'gone'));
  await until(theirs.putRecord(record('new', '1')));
  told.length = 0;
  assert.equal(records.isLoaded, false);
  await until(records.feedReader.reread(1));
  assert.equal(records.isLoaded, true);
  assert.deepEqual([...records.entries()].sort(), [
    ['new', '1'],
    ['same', '1'],
  ]);
  assert.deepEqual(told, ['new: undefined > 1', 'gone: 1 > undefined']);
});

test('a change of the feed is told of even if the row is the same again', async () => {
  const { theirs, records, told, until } = await setUp();
  await until(records.write('a', () => record('a', 'x')));
  await until(theirs.putRecord(record('a', 'x')));
  told.length = 0;
  await until(records.feedReader.apply([changed('a'), changed('a')]));
  assert.deepEqual(told, ['a: x > x']);
});

test('rows that others changed are read few at once, and each once', async () => {
  const { mine, theirs, records, until } = await setUp();
  const keys = Array.from({ length: 5 * ROWS_READ_AT_ONCE }, (_, i) => `k${i}`);
  for (const key of keys) await until(theirs.putRecord(record(key, 'x')));
  const { getRecord } = mine;
  let [now, most, reads] = [0, 0, 0];
  mine.getRecord = async (...key) => {
    now += 1;
    reads += 1;
    most = Math.max(most, now);
    const found = await getRecord.apply(mine, key);
    now -= 1;
    return found;
  };
  await until(records.feedReader.apply([...keys, ...keys].map(changed)));
  assert.deepEqual([records.size, reads, most], [keys.length, keys.length, ROWS_READ_AT_ONCE]);
});

test('a row that cannot be read is counted, and what was known of it stays', async () => {
  const { theirs, records, until } = await setUp();
  await until(records.write('a', () => record('a', 'x')));
  await until(theirs.putRecord({ kind: 'service', key: 'a', value: '{}' }));
  await until(records.feedReader.apply([changed('a')]));
  assert.deepEqual([records.get('a'), records.bad], ['x', 1]);
});

test('a store that does not answer fails the write, and the next one works', async () => {
  const { database, records, until } = await setUp();
  database.faults.down = 'unavailable';
  await assert.rejects(until(records.write('a', () => record('a', 'x'))), /StoreError|unavailable|does not answer/i);
  database.faults.down = undefined;
  await until(records.write('a', () => record('a', 'y')));
  assert.equal(records.get('a'), 'y');
});

test('writes that wait for a store that hangs have a bound', async () => {
  const { host, database, records, until } = await setUp();
  database.faults.delayMs = 1_000;
  const waiting = Array.from({ length: WRITES_PENDING_MAX }, () => records.write('a', () => undefined));
  await assert.rejects(until(records.write('b', () => record('b', 'x'))), /overloaded/);
  database.faults.delayMs = 0;
  await host.advance(2_000);
  assert.equal((await Promise.all(waiting)).length, WRITES_PENDING_MAX);
});
