import { PAGE_BYTES_MAX } from '../bounds.ts';
import type { Page, RecordKind, Revision, StoredRecord } from '../store.ts';
import type { EtcdContext } from './context.ts';
import { type KeyRange, rangeAfter, restOf } from './keys.ts';
import { getKey, isPresent, put, readRange, remove, revisionOf, transactionOf } from './kv.ts';
import { DamagedValueError, readRecord, writeChanges, writeRecord } from './values.ts';

/** A record may be large; most are small. */
const RECORDS_PER_READ = 100;

export async function putRecords(etcd: EtcdContext, records: readonly StoredRecord[]): Promise<Revision> {
  const { client, keys } = etcd;
  // Of a key that comes twice the last counts, and etcd takes no key twice.
  const last = new Map(records.map((record) => [`${record.kind} ${record.key}`, record]));
  const puts = [...last.values()].map((record) => put(keys.record(record.kind, record.key), writeRecord(record)));
  const changes = records.map(({ kind, key }) => ({ what: { kind, key }, removed: false }));
  const request = transactionOf([], [...puts, put(keys.head, writeChanges(changes))]);
  return revisionOf(await client.once('KV/Txn', request, client.patience()));
}

export async function removeRecord(etcd: EtcdContext, kind: RecordKind, key: string): Promise<boolean> {
  const { client, keys } = etcd;
  const record = keys.record(kind, key);
  const changes = writeChanges([{ what: { kind, key }, removed: true }]);
  const request = { compare: [isPresent(record)], success: [remove({ key: record }), put(keys.head, changes)] };
  return (await client.once('KV/Txn', request, client.patience())).succeeded;
}

export async function getRecord(etcd: EtcdContext, kind: RecordKind, key: string): Promise<StoredRecord | undefined> {
  const { kvs } = await getKey(etcd.client, etcd.client.patience(), etcd.keys.record(kind, key));
  return kvs[0] === undefined ? undefined : readRecord(kind, key, kvs[0].value);
}

export async function scanRecords(
  etcd: EtcdContext,
  kind: RecordKind,
  size: number,
  after: string,
): Promise<Page<StoredRecord>> {
  const { client, keys, host } = etcd;
  const patience = client.patience();
  const all = keys.records(kind);
  const items: StoredRecord[] = [];
  const damaged: string[] = [];
  let range: KeyRange = after === '' ? all : rangeAfter(all, keys.record(kind, after));
  let bytes = 0;
  for (let left = size; ; ) {
    const { kvs, count } = await readRange(client, patience, { ...range, limit: Math.min(left, RECORDS_PER_READ) });
    for (const { key, value } of kvs) {
      bytes += value.length;
      try {
        items.push(readRecord(kind, restOf(all, key), value));
      } catch (error) {
        if (!(error instanceof DamagedValueError)) throw error;
        host.log.error('a damaged record is left out', { error });
        damaged.push(error.message);
      }
    }
    left -= kvs.length;
    const last = kvs.at(-1)?.key;
    const isEnd = last === undefined || count <= kvs.length;
    if (isEnd || left <= 0 || bytes > PAGE_BYTES_MAX) {
      return { items, next: isEnd ? undefined : restOf(all, last), ...(damaged.length > 0 && { damaged }) };
    }
    range = rangeAfter(all, last);
  }
}
