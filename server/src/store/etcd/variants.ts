import type { ConfigKey, ConfigVariant, VariantId } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX } from '../bounds.ts';
import { variantAfter } from '../history.ts';
import { type Page, type Revision, StoreError, type VariantWrite } from '../store.ts';
import type { Patience } from './client.ts';
import { type EtcdContext, requireTime } from './context.ts';
import { nameOf, rangeAfter, readVariantName, restOf, variantNameOf } from './keys.ts';
import { get, getKey, isUnchanged, put, readOf, readRange, remove, revisionOf } from './kv.ts';
import type { KeyValue, RequestOp } from './protocol.ts';
import { DamagedValueError, readVariantHead, type VariantHead, writeChanges, writeVariantHead } from './values.ts';

export function putVariant(etcd: EtcdContext, write: VariantWrite): Promise<Revision> {
  return writeVariant(etcd, write, write.content, (old) => variantAfter(write, old, etcd.host.clock.now()));
}

/** The new content, what is said of it and the end of the old content in one transaction. */
export async function writeVariant(
  etcd: EtcdContext,
  named: ConfigKey & { readonly variant: VariantId },
  content: string,
  after: (old: VariantHead | undefined) => ConfigVariant,
): Promise<Revision> {
  const { client, keys, blobs } = etcd;
  const key = keys.variant(variantNameOf(named, named.variant));
  const { blob, operations } = await blobs.upload(content);
  const patience = client.patience();
  let old = (await getKey(client, patience, key)).kvs[0];
  for (;;) {
    const oldHead = old === undefined ? undefined : headOf(etcd, old, undefined);
    const { dataId, group, namespaceId, variant, content: _, ...rest } = after(oldHead);
    const changes = writeChanges([{ what: { kind: 'variant', key: { dataId, group, namespaceId } }, removed: false }]);
    const request = {
      compare: [isUnchanged(key, Number(old?.mod_revision ?? 0))],
      success: [
        ...operations,
        put(key, writeVariantHead({ dataId, group, namespaceId }, variant, { ...rest, blob })),
        ...(oldHead === undefined ? [] : [blobs.removed(oldHead.blob.id)]),
        put(keys.head, changes),
      ],
      failure: [get(key)],
    };
    const answer = await client.once('KV/Txn', request, patience);
    if (answer.succeeded) return revisionOf(answer);
    old = readOf(answer.responses[0]!.response_range!).kvs[0];
    requireTime(etcd, patience);
  }
}

export async function removeVariant(
  etcd: EtcdContext,
  { dataId, group, namespaceId }: ConfigKey,
  variant: VariantId,
): Promise<boolean> {
  const { client, keys, blobs } = etcd;
  const what = { kind: 'variant' as const, key: { dataId, group, namespaceId } };
  const key = keys.variant(variantNameOf(what.key, variant));
  const patience = client.patience();
  let old = (await getKey(client, patience, key)).kvs[0];
  for (;;) {
    if (old === undefined) return false;
    const head = headOf(etcd, old, undefined);
    const success: RequestOp[] = [remove({ key }), put(keys.head, writeChanges([{ what, removed: true }]))];
    if (head !== undefined) success.push(blobs.removed(head.blob.id));
    const compare = [isUnchanged(key, Number(old.mod_revision))];
    const answer = await client.once('KV/Txn', { compare, success, failure: [get(key)] }, patience);
    if (answer.succeeded) return true;
    old = readOf(answer.responses[0]!.response_range!).kvs[0];
    requireTime(etcd, patience);
  }
}

export async function getVariants(etcd: EtcdContext, key: ConfigKey): Promise<readonly ConfigVariant[]> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const { kvs, revision } = await readRange(client, patience, keys.variantsOf(nameOf(key)));
  const inOrder = [...kvs].sort((one, other) => Number(one.create_revision) - Number(other.create_revision));
  const heads = inOrder.map((kv) => headOf(etcd, kv, 'throw')!);
  return withContents(etcd, patience, heads, revision, 'throw');
}

/** In order of the keys. */
export async function scanVariants(
  etcd: EtcdContext,
  size: number,
  after: string | undefined,
): Promise<Page<ConfigVariant>> {
  const { client, keys } = etcd;
  if (after !== undefined && readVariantName(after) === undefined) {
    throw new StoreError('invalid', `no page starts after ${after}`);
  }
  const patience = client.patience();
  const all = keys.variants();
  const range = after === undefined ? all : rangeAfter(all, keys.variant(after));
  const { kvs, count, revision } = await readRange(client, patience, { ...range, limit: size });
  const damaged: string[] = [];
  const heads: VariantHead[] = [];
  let bytes = 0;
  let read = 0;
  for (; read < kvs.length && (read === 0 || bytes <= PAGE_BYTES_MAX); read += 1) {
    const head = headOf(etcd, kvs[read]!, damaged);
    if (head === undefined) continue;
    bytes += head.blob.bytes;
    heads.push(head);
  }
  const items = await withContents(etcd, patience, heads, revision, damaged);
  const next = count > read ? restOf(all, kvs[read - 1]!.key) : undefined;
  return { items, next, ...(damaged.length > 0 && { damaged }) };
}

async function withContents(
  { blobs, host }: EtcdContext,
  patience: Patience,
  heads: readonly VariantHead[],
  revision: number,
  damaged: string[] | 'throw',
): Promise<readonly ConfigVariant[]> {
  const contents = await blobs.read(patience, heads, revision, (i, error) => {
    if (damaged === 'throw') throw error;
    host.log.error('a damaged variant is left out', { name: nameOf(heads[i]!), error });
    damaged.push(`variant of ${nameOf(heads[i]!)}: ${error.message}`);
  });
  return heads.flatMap(({ blob, ...rest }, i) =>
    contents[i] === undefined ? [] : [{ ...rest, content: contents[i]! }],
  );
}

/** A damaged one is undefined and told, or an error where all are asked for. */
function headOf({ keys, host }: EtcdContext, kv: KeyValue, damaged: string[] | 'throw' | undefined) {
  const { variant, ...key } = readVariantName(restOf(keys.variants(), kv.key))!;
  try {
    return readVariantHead(key, variant, kv.value);
  } catch (error) {
    if (!(error instanceof DamagedValueError) || damaged === 'throw') throw error;
    host.log.error('a damaged variant is left out', { error });
    damaged?.push(error.message);
    return undefined;
  }
}
