import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX } from '../bounds.ts';
import type { ConfigHistory, HistoryEntry } from '../history.ts';
import type { Found, Page } from '../store.ts';
import type { Patience } from './client.ts';
import type { EtcdContext } from './context.ts';
import { type KeyRange, nameOf, rangeAfter, readBackward, readName, readSortable } from './keys.ts';
import { getKey, readEach, readRange } from './kv.ts';
import { DamagedValueError, type PastHead, readPastHead, readPastMark } from './values.ts';

/** Keys alone are small; so many are passed over at once. */
const PASSED_AT_ONCE = 10_000;
const LOOKED_THROUGH_AT_ONCE = 200;

export async function searchHistory(
  etcd: EtcdContext,
  key: ConfigKey,
  offset: number,
  limit: number,
): Promise<Found<HistoryEntry>> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const all = keys.historyOf(nameOf(key));
  const { count: total, revision } = await readRange(client, patience, { ...all, count_only: true });
  if (offset >= total) return { items: [], total };
  let range: KeyRange = all;
  for (let left = offset; left > 0; ) {
    const request = { ...range, revision, keys_only: true, limit: Math.min(left, PASSED_AT_ONCE) };
    const { kvs } = await readRange(client, patience, request);
    left -= kvs.length;
    range = rangeAfter(all, kvs.at(-1)!.key);
  }
  const { kvs } = await readRange(client, patience, { ...range, revision, limit });
  const heads = kvs.flatMap((kv) => headOf(etcd, key, kv) ?? []);
  return { items: heads.map(({ blob, ...entry }) => entry), total };
}

export async function getHistory(etcd: EtcdContext, nid: string): Promise<ConfigHistory | undefined> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const { kvs, revision } = await getKey(client, patience, keys.nid(nid));
  if (kvs[0] === undefined) return undefined;
  const { name } = readPastMark(kvs[0].value);
  const read = await readRange(client, patience, { key: keys.history(name, nid), revision });
  if (read.kvs[0] === undefined) return undefined;
  return withContent(etcd, patience, readPastHead(readName(name), nid, read.kvs[0].value), revision);
}

export async function previousHistory(etcd: EtcdContext, configId: string): Promise<ConfigHistory | undefined> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const [standing, gone] = await readEach(client, patience, [{ key: keys.id(configId) }, { key: keys.gone(configId) }]);
  const found = standing!.kvs[0] ?? gone!.kvs[0];
  if (found === undefined) return undefined;
  const { revision } = standing!;
  const key = readName(found.value.toString());
  const all = keys.historyOf(nameOf(key));
  for (let range: KeyRange | undefined = all; range !== undefined; ) {
    const read = await readRange(client, patience, { ...range, revision, limit: LOOKED_THROUGH_AT_ONCE });
    const heads = read.kvs.flatMap((kv) => headOf(etcd, key, kv) ?? []);
    const head = heads.find((past) => past.configId === configId);
    if (head !== undefined) return withContent(etcd, patience, head, revision);
    range = read.count > read.kvs.length ? rangeAfter(all, read.kvs.at(-1)!.key) : undefined;
  }
  return undefined;
}

/** Past writes of all configurations, in order of their numbers. */
export async function scanHistory(etcd: EtcdContext, size: number, after: string): Promise<Page<ConfigHistory>> {
  const { client, keys, blobs, host } = etcd;
  const patience = client.patience();
  const range = rangeAfter(keys.nids(), keys.nid(after));
  const { kvs, count, revision } = await readRange(client, patience, { ...range, limit: size });
  const listed = kvs.map((kv) => ({ nid: readSortable(kv.key), key: readName(readPastMark(kv.value).name) }));
  const requests = listed.map(({ nid, key }) => ({ key: keys.history(nameOf(key), nid) }));
  const reads = await readEach(client, patience, requests, revision);
  const damaged: string[] = [];
  const heads: PastHead[] = [];
  let bytes = 0;
  let last = listed.at(-1)?.nid;
  let isCut = false;
  for (const [i, { key, nid }] of listed.entries()) {
    if (heads.length > 0 && bytes > PAGE_BYTES_MAX) {
      isCut = true;
      break;
    }
    last = nid;
    const head = reads[i]!.kvs[0] && headOf(etcd, key, reads[i]!.kvs[0]!, damaged);
    if (head === undefined) continue;
    bytes += head.blob.bytes;
    heads.push(head);
  }
  const contents = await blobs.read(patience, heads, revision, (i, error) => {
    host.log.error('a damaged past write is left out', { nid: heads[i]!.nid, error });
    damaged.push(`past write ${heads[i]!.nid}: ${error.message}`);
  });
  const items = heads.flatMap(({ blob, ...entry }, i) => {
    return contents[i] === undefined ? [] : [{ ...entry, content: contents[i]! }];
  });
  return { items, next: isCut || count > kvs.length ? last : undefined, ...(damaged.length > 0 && { damaged }) };
}

async function withContent(
  etcd: EtcdContext,
  patience: Patience,
  head: PastHead,
  revision: number,
): Promise<ConfigHistory> {
  const [content] = await etcd.blobs.read(patience, [head], revision, (_, error) => {
    throw error;
  });
  const { blob, ...entry } = head;
  return { ...entry, content: content! };
}

function headOf(
  { host }: EtcdContext,
  { dataId, group, namespaceId }: ConfigKey,
  kv: { readonly key: Buffer; readonly value: Buffer },
  damaged?: string[],
): PastHead | undefined {
  try {
    return readPastHead({ dataId, group, namespaceId }, readBackward(kv.key), kv.value);
  } catch (error) {
    if (!(error instanceof DamagedValueError)) throw error;
    host.log.error('a damaged past write is left out', { error });
    damaged?.push(error.message);
    return undefined;
  }
}
