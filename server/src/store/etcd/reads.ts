import type { Config, ConfigKey } from '@nacos-kube/core/model/config.ts';
import { PAGE_BYTES_MAX, requireSearchBytes } from '../bounds.ts';
import type { ConfigQuery, Found, Page } from '../store.ts';
import { fitsText } from '../text-query.ts';
import type { Patience } from './client.ts';
import type { EtcdContext } from './context.ts';
import { type KeyRange, nameOf, rangeAfter, readName, readSortable, restOf } from './keys.ts';
import { readEach, readRange } from './kv.ts';
import { type ConfigHead, DamagedValueError, readConfigHead } from './values.ts';

/** Of a namespace that is searched, at once; without contents each takes some hundred bytes. */
const HEADS_PER_READ = 5000;

export async function getConfig(etcd: EtcdContext, key: ConfigKey): Promise<Config | undefined> {
  const { client, keys, blobs } = etcd;
  const patience = client.patience();
  const { kvs, revision } = await readRange(client, patience, { key: keys.config(nameOf(key)) });
  if (kvs[0] === undefined) return undefined;
  const { dataId, group, namespaceId } = key;
  const head = readConfigHead({ dataId, group, namespaceId }, kvs[0].value);
  const [content] = await blobs.read(patience, [head], revision, (_, error) => {
    throw error;
  });
  return configOf(head, content!);
}

export async function scanConfigs(etcd: EtcdContext, size: number, after: string | undefined): Promise<Page<Config>> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const all = keys.ids();
  const range = after === undefined ? all : rangeAfter(all, keys.id(after));
  const { kvs, count, revision } = await readRange(client, patience, { ...range, limit: size });
  const damaged: string[] = [];
  const listed = kvs.map((kv) => ({ id: readSortable(kv.key), name: kv.value.toString() }));
  const heads = await readHeads(etcd, patience, listed, revision, damaged);
  let bytes = 0;
  const taken = heads.filter((head, i) => {
    const isTaken = i === 0 || bytes <= PAGE_BYTES_MAX;
    bytes += head.blob.bytes;
    return isTaken;
  });
  const items = await withContents(etcd, patience, taken, revision, damaged);
  const isCut = taken.length < heads.length;
  const last = isCut ? taken.at(-1)!.id : listed.at(-1)?.id;
  return { items, next: isCut || count > kvs.length ? last : undefined, ...(damaged.length > 0 && { damaged }) };
}

export async function countConfigs(etcd: EtcdContext, namespaceId: string): Promise<number> {
  const range = etcd.keys.configs(namespaceId);
  return (await readRange(etcd.client, etcd.client.patience(), { ...range, count_only: true })).count;
}

export async function getConfigs(etcd: EtcdContext, ids: readonly string[]): Promise<readonly Config[]> {
  const { client, keys } = etcd;
  const patience = client.patience();
  const reads = await readEach(
    client,
    patience,
    ids.map((id) => ({ key: keys.id(id) })),
  );
  const listed = reads.flatMap(({ kvs }, i) => kvs.map((kv) => ({ id: ids[i]!, name: kv.value.toString() })));
  if (listed.length === 0) return [];
  const { revision } = reads[0]!;
  const heads = await readHeads(etcd, patience, listed, revision, []);
  requireSearchBytes(lengthOf(heads));
  return withContents(etcd, patience, heads.sort(byId), revision, []);
}

/** Reads the whole namespace but for its contents, since nothing is indexed; then the contents of the page. */
export async function searchConfigs(etcd: EtcdContext, query: ConfigQuery): Promise<Found<Config>> {
  const patience = etcd.client.patience();
  const { heads, revision } = await readNamespace(etcd, patience, query);
  const page = heads.sort(byId).slice(query.offset, query.offset + query.limit);
  requireSearchBytes(lengthOf(page));
  return { items: await withContents(etcd, patience, page, revision, []), total: heads.length };
}

async function readNamespace(etcd: EtcdContext, patience: Patience, query: ConfigQuery) {
  const { client, keys, host } = etcd;
  const all = keys.configs(query.namespaceId);
  const heads: ConfigHead[] = [];
  let revision: number | undefined;
  for (let range: KeyRange | undefined = all; range !== undefined; ) {
    const request = { ...range, limit: HEADS_PER_READ, ...(revision !== undefined && { revision }) };
    const read = await readRange(client, patience, request);
    revision ??= read.revision;
    for (const { key, value } of read.kvs) {
      const name = readName(restOf(keys.configs(), key));
      if (!fitsText(query.dataId, name.dataId) || !fitsText(query.group, name.group)) continue;
      try {
        const head = readConfigHead(name, value);
        if (fitsFacts(query, head)) heads.push(head);
      } catch (error) {
        if (!(error instanceof DamagedValueError)) throw error;
        host.log.error('a damaged configuration is left out', { error });
      }
    }
    range = read.count > read.kvs.length ? rangeAfter(all, read.kvs.at(-1)!.key) : undefined;
  }
  return { heads, revision: revision! };
}

function fitsFacts({ appName, tags }: ConfigQuery, head: ConfigHead): boolean {
  if (appName !== undefined && head.appName !== appName) return false;
  return tags.length === 0 || tags.some((tag) => head.tags.includes(tag));
}

async function readHeads(
  etcd: EtcdContext,
  patience: Patience,
  listed: readonly { readonly id: string; readonly name: string }[],
  revision: number,
  damaged: string[],
): Promise<ConfigHead[]> {
  const { client, keys, host } = etcd;
  const reads = await readEach(
    client,
    patience,
    listed.map(({ name }) => ({ key: keys.config(name) })),
    revision,
  );
  return reads.flatMap(({ kvs }, i) => {
    const { id, name } = listed[i]!;
    if (kvs[0] === undefined) return [];
    try {
      const head = readConfigHead(readName(name), kvs[0].value);
      // One that was damaged and written over has another id now.
      return head.id === id ? [head] : [];
    } catch (error) {
      if (!(error instanceof DamagedValueError)) throw error;
      host.log.error('a damaged configuration is left out', { error });
      damaged.push(error.message);
      return [];
    }
  });
}

async function withContents(
  etcd: EtcdContext,
  patience: Patience,
  heads: readonly ConfigHead[],
  revision: number,
  damaged: string[],
): Promise<readonly Config[]> {
  const contents = await etcd.blobs.read(patience, heads, revision, (i, error) => {
    const message = `config ${nameOf(heads[i]!)}: ${error.message}`;
    etcd.host.log.error('a damaged configuration is left out', { error: message });
    damaged.push(message);
  });
  return heads.flatMap((head, i) => (contents[i] === undefined ? [] : [configOf(head, contents[i]!)]));
}

export function configOf({ blob, ...rest }: ConfigHead, content: string): Config {
  return { ...rest, content };
}

function byId(one: ConfigHead, other: ConfigHead): number {
  return Number(one.id) - Number(other.id);
}

function lengthOf(heads: readonly ConfigHead[]): number {
  return heads.reduce((sum, head) => sum + head.blob.length, 0);
}
