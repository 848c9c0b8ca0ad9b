import type { Config, ConfigVariant } from '@nacos-kube/core/model/config.ts';
import type { ConfigHistory } from '../history.ts';
import type { MovedRow } from '../store.ts';
import type { Upload } from './blobs.ts';
import type { Patience } from './client.ts';
import { floorOf, pastOperations } from './configs.ts';
import { type EtcdContext, requireTime } from './context.ts';
import { firstIdAt, isKept, isOurs } from './ids.ts';
import { type KeyRange, nameOf, rangeAfter, readBackward, variantNameOf } from './keys.ts';
import { getKey, isAbsent, isUnchanged, put, type Read, readEach, readRange, transactionOf } from './kv.ts';
import type { Compare, RangeRequest, RequestOp } from './protocol.ts';
import {
  type Blob,
  type Changes,
  type PastHead,
  readConfigHead,
  readPastHead,
  readPastMark,
  readVariantHead,
  writeChanges,
  writeConfigHead,
  writeVariantHead,
} from './values.ts';

/** Of one transaction; each row compares at most twice. */
const ROWS_AT_ONCE = 16;
const BYTES_AT_ONCE = 700_000;
const LOOKED_THROUGH_AT_ONCE = 500;

/** Some rows in each transaction, so a failure may leave the first of them; told again they change nothing. */
export async function putMoved(etcd: EtcdContext, rows: readonly MovedRow[]): Promise<void> {
  await raiseFloor(etcd, rows);
  for (let start = 0; start < rows.length; ) {
    const part = takeTogether(rows, start);
    await putTogether(etcd, part);
    start += part.length;
  }
}

/** So that ids given later are higher than those which came along. */
async function raiseFloor(etcd: EtcdContext, rows: readonly MovedRow[]): Promise<void> {
  const { client, keys } = etcd;
  const ids = rows.flatMap(({ what, row }) => {
    if (what === 'variant') return [];
    return what === 'config' ? [row.id] : [row.nid, row.configId];
  });
  const highest = Math.max(0, ...ids.filter(isKept).map(Number));
  const patience = client.patience();
  for (;;) {
    const read = await getKey(client, patience, keys.floor);
    const floor = floorOf(read);
    if (firstIdAt(read.revision, floor) > highest) return;
    const higher = highest + 1 - firstIdAt(read.revision, 0);
    const compare = [isUnchanged(keys.floor, Number(read.kvs[0]?.mod_revision ?? 0))];
    await client.repeat('KV/Txn', { compare, success: [put(keys.floor, Buffer.from(String(higher)))] }, patience);
    requireTime(etcd, patience);
  }
}

/** At least one; of those that would meet at a key each has a transaction of its own. */
function takeTogether(rows: readonly MovedRow[], start: number): readonly MovedRow[] {
  const taken = new Set<string>();
  let bytes = 0;
  let end = start;
  for (; end < rows.length && end - start < ROWS_AT_ONCE; end += 1) {
    const moved = rows[end]!;
    const marks = marksOf(moved);
    bytes += Buffer.byteLength(moved.row.content);
    if (end > start && (bytes > BYTES_AT_ONCE || marks.some((mark) => taken.has(mark)))) break;
    for (const mark of marks) taken.add(mark);
  }
  return rows.slice(start, end);
}

function marksOf({ what, row }: MovedRow): readonly string[] {
  if (what === 'config') return [`config ${nameOf(row)}`, `id ${row.id}`];
  return what === 'variant' ? [`variant ${variantNameOf(row, row.variant)}`] : [`nid ${row.nid}`];
}

/** What one row comes to. */
interface Plan {
  readonly compare: readonly Compare[];
  readonly operations: readonly RequestOp[];
  readonly changes: Changes;
}

const NOTHING: Plan = { compare: [], operations: [], changes: [] };

async function putTogether(etcd: EtcdContext, rows: readonly MovedRow[]): Promise<void> {
  const { client, keys, blobs } = etcd;
  const uploads: Upload[] = [];
  for (const { row } of rows) uploads.push(await blobs.upload(row.content));
  const patience = client.patience();
  for (;;) {
    const wanted = rows.map((moved) => readsOf(etcd, moved));
    const [floorRead, ...reads] = (await readEach(client, patience, [{ key: keys.floor }, ...wanted.flat()])) as [
      Read,
      ...Read[],
    ];
    const ids = etcd.ids.inOrder(floorRead.revision, floorOf(floorRead), rows.length);
    const plans: Plan[] = [];
    for (const [i, moved] of rows.entries()) {
      const own = reads.splice(0, wanted[i]!.length);
      plans.push(await planOf(etcd, patience, moved, own, uploads[i]!, ids[i]!));
    }
    const changes = plans.flatMap((plan) => plan.changes);
    const operations = distinct(plans.flatMap((plan) => plan.operations));
    if (operations.length === 0) return;
    if (changes.length > 0) operations.push(put(keys.head, writeChanges(changes)));
    const compare = plans.flatMap((plan) => plan.compare);
    if ((await client.once('KV/Txn', transactionOf(compare, operations), patience)).succeeded) return;
    requireTime(etcd, patience);
  }
}

function readsOf({ keys }: EtcdContext, { what, row }: MovedRow): readonly RangeRequest[] {
  if (what === 'variant') return [{ key: keys.variant(variantNameOf(row, row.variant)) }];
  if (what === 'config') {
    const name = nameOf(row);
    return [{ key: keys.config(name) }, { key: keys.id(idFor(row.id)) }, { ...keys.historyOf(name), limit: 1 }];
  }
  return [{ key: keys.nid(idFor(row.nid)) }, { key: keys.id(idFor(row.configId)) }];
}

async function planOf(
  etcd: EtcdContext,
  patience: Patience,
  moved: MovedRow,
  reads: readonly Read[],
  upload: Upload,
  freshId: string,
): Promise<Plan> {
  switch (moved.what) {
    case 'config':
      return configPlan(etcd, moved.row, reads, upload, freshId);
    case 'variant':
      return variantPlan(etcd, moved.row, reads, upload);
    case 'history': {
      const { configId } = moved.row;
      const nid = await nidFor(etcd, patience, moved.row, reads[0]!, freshId);
      if (nid === undefined) return NOTHING;
      const name = nameOf(moved.row);
      const isGone = isOurs(configId) && reads[1]!.kvs.length === 0;
      const { content, ...entry } = moved.row;
      const operations = [...upload.operations, ...pastOperations(etcd, { ...entry, nid, blob: upload.blob })];
      if (isGone) operations.push(put(etcd.keys.gone(configId), Buffer.from(name)));
      return { compare: [isAbsent(etcd.keys.nid(nid))], operations, changes: [] };
    }
  }
}

function configPlan(
  { keys, blobs }: EtcdContext,
  config: Config,
  reads: readonly Read[],
  upload: Upload,
  freshId: string,
) {
  const { dataId, group, namespaceId } = config;
  const key = { dataId, group, namespaceId };
  const name = nameOf(key);
  const [standing, sameId, newestPast] = reads.map((read) => read.kvs[0]);
  const old = standing && readConfigHead(key, standing.value);
  const isFree = isKept(config.id) && sameId === undefined;
  const id = old?.id ?? (isFree ? config.id : freshId);
  const valueWith = (blob: Blob) => writeConfigHead(key, { id, md5: config.md5, blob, ...factsOf(config) });
  if (old !== undefined && valueWith(old.blob).equals(standing!.value)) return NOTHING;
  const operations = [...upload.operations, put(keys.config(name), valueWith(upload.blob))];
  if (old === undefined) operations.push(put(keys.id(id), Buffer.from(name)));
  // Nothing else names the content, unless the newest past write is the one that inserted it.
  const past = newestPast && readPastHead(key, readBackward(newestPast.key), newestPast.value);
  if (old !== undefined && past?.blob.id !== old.blob.id) operations.push(blobs.removed(old.blob.id));
  const compare = [isUnchanged(keys.config(name), Number(standing?.mod_revision ?? 0))];
  if (old === undefined) compare.push(isAbsent(keys.id(id)));
  return { compare, operations, changes: [{ what: { kind: 'config' as const, key }, removed: false }] };
}

function variantPlan({ keys, blobs }: EtcdContext, row: ConfigVariant, reads: readonly Read[], upload: Upload): Plan {
  const { dataId, group, namespaceId, variant, content: _, ...rest } = row;
  const key = { dataId, group, namespaceId };
  const standing = reads[0]!.kvs[0];
  const old = standing && readVariantHead(key, variant, standing.value);
  const valueWith = (blob: Blob) => writeVariantHead(key, variant, { ...rest, blob });
  if (old !== undefined && valueWith(old.blob).equals(standing!.value)) return NOTHING;
  const place = keys.variant(variantNameOf(key, variant));
  const operations = [...upload.operations, put(place, valueWith(upload.blob))];
  if (old !== undefined) operations.push(blobs.removed(old.blob.id));
  const compare = [isUnchanged(place, Number(standing?.mod_revision ?? 0))];
  return { compare, operations, changes: [{ what: { kind: 'variant', key }, removed: false }] };
}

/** Its own where that is free; undefined when the past write is there already. */
async function nidFor(
  etcd: EtcdContext,
  patience: Patience,
  past: ConfigHistory,
  sameNid: Read,
  freshId: string,
): Promise<string | undefined> {
  const mark = sameNid.kvs[0] && readPastMark(sameNid.kvs[0].value);
  if (isKept(past.nid) && mark === undefined) return past.nid;
  if (mark !== undefined && isSame(mark, past) && mark.name === nameOf(past)) return undefined;
  // It may have come before and been given another number.
  const { client, keys } = etcd;
  const all = keys.historyOf(nameOf(past));
  for (let range: KeyRange | undefined = all; range !== undefined; ) {
    const { kvs, count } = await readRange(client, patience, { ...range, limit: LOOKED_THROUGH_AT_ONCE });
    const heads = kvs.map((kv): PastHead => readPastHead(past, readBackward(kv.key), kv.value));
    if (heads.some((head) => isSame(head, past) && head.md5 === past.md5)) return undefined;
    range = count > kvs.length ? rangeAfter(all, kvs.at(-1)!.key) : undefined;
  }
  return freshId;
}

type Told = Pick<ConfigHistory, 'operation' | 'configId' | 'atMs'>;

function isSame(one: Told, other: Told): boolean {
  return one.operation === other.operation && one.configId === other.configId && one.atMs === other.atMs;
}

/** In the order in which writes of ours have them, so that the same facts are the same text. */
function factsOf(config: Config) {
  const { type, appName, description, use, effect, schema, tags, createdMs, modifiedMs, sourceIp, sourceUser } = config;
  return { type, appName, description, use, effect, schema, tags, createdMs, modifiedMs, sourceIp, sourceUser };
}

/** Several past writes of one configuration name it as gone; etcd takes no key twice. */
function distinct(operations: readonly RequestOp[]): RequestOp[] {
  const byKey = new Map<string, RequestOp>();
  for (const operation of operations) {
    const key = 'request_put' in operation ? operation.request_put.key : undefined;
    byKey.set(key === undefined ? `${byKey.size} removal` : Buffer.from(key).toString(), operation);
  }
  return [...byKey.values()];
}

/** No id of ours is 0, so nothing stands there. */
function idFor(id: string): string {
  return isOurs(id) ? id : '0';
}
