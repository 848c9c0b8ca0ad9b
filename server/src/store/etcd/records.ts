import { PAGE_BYTES_MAX } from '../bounds.ts';
import type { Page, RecordKind, Revision, StoredRecord } from '../store.ts';
import type { Patience } from './client.ts';
import { type EtcdContext, requireTime } from './context.ts';
import { EtcdFailure } from './failure.ts';
import { type KeyRange, rangeAfter, restOf } from './keys.ts';
import {
  get,
  getKey,
  isAbsent,
  isNoNewer,
  isPresent,
  put,
  readEach,
  readOf,
  readRange,
  remove,
  revisionOf,
  transactionOf,
} from './kv.ts';
import type { Compare } from './protocol.ts';
import { DamagedValueError, readRecord, writeChanges, writeRecord } from './values.ts';

/** A record may be large; most are small. */
const RECORDS_PER_READ = 100;

/** So many records are compared one by one; of more, all from the first to the last key of each kind. */
const COMPARED_APART_MAX = 16;

/**
 * Writes over what is known at the time, and nothing that comes later: a call that its caller has given up, for the
 * member that it was sent to hangs, may be carried out when that one wakes. So each attempt holds only as long as none
 * of its records was written or removed since the newest revision that was known when it began. Removals leave no
 * revision with the record, which is why they have a mark of their own.
 */
export async function putRecords(etcd: EtcdContext, records: readonly StoredRecord[]): Promise<Revision> {
  const { client, keys, known } = etcd;
  // Of a key that comes twice the last counts, and etcd takes no key twice.
  const last = [...new Map(records.map((record) => [`${record.kind} ${record.key}`, record])).values()];
  const puts = last.map((record) => put(keys.record(record.kind, record.key), writeRecord(record)));
  const changes = records.map(({ kind, key }) => ({ what: { kind, key }, removed: false }));
  const operations = [...puts, put(keys.head, writeChanges(changes))];
  const patience = client.patience();
  let open: { readonly since: Revision; readonly error: EtcdFailure } | undefined;
  for (let since = known.revision; ; since = known.revision) {
    try {
      const answer = await client.once('KV/Txn', transactionOf(noneNewer(etcd, last, since), operations), patience);
      noteRevision(etcd, revisionOf(answer));
      if (answer.succeeded) return revisionOf(answer);
      if (open === undefined) requireTime(etcd, patience);
    } catch (error) {
      if (!(error instanceof EtcdFailure)) throw error;
      if (!error.mayBeDone || patience.leftMs <= 0) throw open?.error ?? error;
      open ??= { since, error };
    }
    if (open === undefined) continue;
    const { error } = open;
    const written = await revisionWritten(etcd, patience, last, open.since).catch(() => Promise.reject(error));
    if (written !== undefined) return written;
    if (patience.leftMs <= 0) throw error;
  }
}

/** Removes nothing that was written since either. Whether it was there is not known when an answer was lost: then true. */
export async function removeRecord(etcd: EtcdContext, kind: RecordKind, key: string): Promise<boolean> {
  const { client, keys, known } = etcd;
  const record = keys.record(kind, key);
  const mark = put(keys.removals(kind, key), Buffer.alloc(0));
  const changes = writeChanges([{ what: { kind, key }, removed: true }]);
  const success = [remove({ key: record }), mark, put(keys.head, changes)];
  const patience = client.patience();
  let wasThere = false;
  for (let since = known.revision; ; since = known.revision) {
    try {
      const compare = [isPresent(record), isNoNewer({ key: record }, since)];
      const answer = await client.once('KV/Txn', { compare, success, failure: [get(record)] }, patience);
      noteRevision(etcd, revisionOf(answer));
      if (answer.succeeded) return true;
      if (readOf(answer.responses[0]!.response_range!).kvs.length === 0) {
        // Also then: a write of it that was given up may still be under way.
        const marked = await client.repeat('KV/Txn', { compare: [isAbsent(record)], success: [mark] }, patience);
        noteRevision(etcd, revisionOf(marked));
        if (marked.succeeded) return wasThere;
      }
    } catch (error) {
      if (!(error instanceof EtcdFailure) || !error.mayBeDone || patience.leftMs <= 0) throw error;
      const read = await getKey(client, patience, record).catch(() => Promise.reject(error));
      noteRevision(etcd, read.revision);
      wasThere = true;
    }
    requireTime(etcd, patience);
  }
}

function noneNewer(etcd: EtcdContext, records: readonly StoredRecord[], since: Revision): readonly Compare[] {
  const { keys } = etcd;
  if (records.length > COMPARED_APART_MAX) {
    const byKind = Map.groupBy(records, ({ kind }) => kind);
    const ranges = [...byKind.values()].map((some) => spanOf(some.map(({ kind, key }) => keys.record(kind, key))));
    return [keys.allRemovals(), ...ranges].map((range) => isNoNewer(range, since));
  }
  return records.flatMap(({ kind, key }) =>
    [keys.record(kind, key), keys.removals(kind, key)].map((one) => isNoNewer({ key: one }, since)),
  );
}

function spanOf(keys: readonly Buffer[]): KeyRange {
  const sorted = keys.toSorted(Buffer.compare);
  return { key: sorted[0]!, range_end: Buffer.concat([sorted.at(-1)!, Buffer.of(0)]) };
}

/** Whether an attempt that was not answered was carried out all the same. */
async function revisionWritten(
  etcd: EtcdContext,
  patience: Patience,
  records: readonly StoredRecord[],
  since: Revision,
): Promise<Revision | undefined> {
  const { client, keys } = etcd;
  const reads = await readEach(
    client,
    patience,
    records.map(({ kind, key }) => ({ key: keys.record(kind, key) })),
  );
  noteRevision(etcd, reads[0]!.revision);
  const found = reads.map(({ kvs }) => kvs[0]);
  const revision = Number(found[0]?.mod_revision ?? 0);
  const isOurs = (i: number) =>
    Number(found[i]?.mod_revision ?? 0) === revision && found[i]!.value.equals(writeRecord(records[i]!));
  return revision > since && records.every((_, i) => isOurs(i)) ? revision : undefined;
}

function noteRevision({ known }: EtcdContext, revision: Revision): void {
  known.revision = Math.max(known.revision, revision);
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
