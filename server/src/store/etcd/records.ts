import { PAGE_BYTES_MAX } from '../bounds.ts';
import type { Page, RecordKind, Revision, StoredRecord } from '../store.ts';
import type { EtcdContext } from './context.ts';
import { type Refused, writeGuarded } from './guarded.ts';
import { type KeyRange, rangeAfter, restOf } from './keys.ts';
import { get, getKey, isAbsent, isNoNewer, isPresent, put, readOf, readRange, remove } from './kv.ts';
import type { ResponseOp } from './protocol.ts';
import { DamagedValueError, readRecord, writeChanges, writeRecord } from './values.ts';

/** A record may be large; most are small. */
const RECORDS_PER_READ = 100;

export function putRecords(etcd: EtcdContext, records: readonly StoredRecord[]): Promise<Revision> {
  const { client, keys, turns } = etcd;
  // Of a key that comes twice the last counts, and etcd takes no key twice.
  const byName = new Map(records.map((record) => [`${record.kind} ${record.key}`, record]));
  const last = [...byName.values()];
  const values = last.map(writeRecord);
  const places = last.map(({ kind, key }) => keys.record(kind, key));
  const changes = records.map(({ kind, key }) => ({ what: { kind, key }, removed: false }));
  const operations = [...places.map((place, i) => put(place, values[i]!)), put(keys.head, writeChanges(changes))];
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  const patience = client.patience();
  return turns.take([...byName.keys()], patience, bytes, () =>
    writeGuarded(etcd, patience, {
      compare: (since) => {
        const marks = new Map(last.map(({ kind, key }) => keys.removals(kind, key)).map((mark) => [`${mark}`, mark]));
        return [...places, ...marks.values()].map((key) => isNoNewer(key, since));
      },
      operations,
      bytes,
      otherwise: places.map(get),
      done: (revision) => revision,
      refused: (told, lost) => (lost === undefined ? 'undone' : writtenSince(lost, values, told)),
    }),
  );
}

/** Whether an attempt that was not answered was carried out, now that none can be any more. */
function writtenSince(lost: Revision, values: readonly Buffer[], told: readonly ResponseOp[]): Refused<Revision> {
  const found = told.map(({ response_range }) => readOf(response_range!).kvs[0]);
  const revisions = found.map((kv) => Number(kv?.mod_revision ?? 0));
  const [revision] = revisions as [Revision];
  const isOurs = found.every((kv, i) => revisions[i] === revision && kv?.value.equals(values[i]!) === true);
  if (isOurs && revision > lost) return { done: revision };
  // It would have written them all.
  return revisions.some((one) => one > 0 && one <= lost) ? 'undone' : 'unknown';
}

/** Removes nothing that was written since either. Whether it was there is not known when an answer was lost: then true. */
export function removeRecord(etcd: EtcdContext, kind: RecordKind, key: string): Promise<boolean> {
  const { client, keys, turns } = etcd;
  const record = keys.record(kind, key);
  // Removals leave no revision with the record, which is why they have a mark of their own; so has the word that there
  // is none, since a write of it that was given up may still be under way.
  const mark = put(keys.removals(kind, key), Buffer.alloc(0));
  const changes = writeChanges([{ what: { kind, key }, removed: true }]);
  const patience = client.patience();
  return turns.take([`${kind} ${key}`], patience, 0, () =>
    writeGuarded<boolean>(etcd, patience, {
      compare: (since) => [isPresent(record), isNoNewer(record, since)],
      bytes: 0,
      operations: [remove({ key: record }), mark, put(keys.head, changes)],
      otherwise: [{ request_txn: { compare: [isAbsent(record)], success: [mark] } }],
      done: () => true,
      refused: (told, lost) => {
        if (told[0]!.response_txn!.succeeded) return { done: lost !== undefined };
        return lost === undefined ? 'undone' : 'unknown';
      },
    }),
  );
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
