import assert from 'node:assert/strict';
import type { Host } from '@nacos-kube/core/host/host.ts';
import type { UnsyncedFate } from '@nacos-kube/core/sim/disk-state.ts';
import type { World } from '@nacos-kube/core/sim/world.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { ConfigCache } from './cache.ts';
import { Dump } from './dump.ts';
import { checkDump, loadDump } from './dump-check.ts';

/** Scenes of a node's dump in the simulated world, without the rest of the node. */
export type Texts = Readonly<Record<string, string>>;

export const DIRECTORY = '/data/config';
export const FATES: readonly UnsyncedFate[] = ['lost', 'torn', 'kept', 'zeroed', 'reordered'];
/** The kernel of the world has written out everything by then. */
export const WRITTEN_OUT_MS = 60_000;

export function* steps(toMs: number, fromMs: number): Generator<number> {
  for (let ms = fromMs; ms < toMs; ms += (toMs - fromMs) / 25) yield ms;
}

/** A node whose cache has these texts, read from the store, and follows. */
export function startNode(world: World, texts: Texts, clockSkewMs = 0) {
  const host = hasProcess(world) ? world.restart('n') : world.process('n', { address: '10.0.0.1', clockSkewMs });
  const cache = cacheOf(texts);
  const dump: Dump = new Dump(host, DIRECTORY, cache, async () => undefined);
  const check = () => checkDump(host, dump, cache);
  dump.follow(() => host.background('check', check()));
  return {
    ...{ host, cache, dump, check },
    put: (dataId: string, text: string) => put(cache, dataId, text),
    remove: (dataId: string) => cache.remove(`${dataId}+g`),
  };
}

function hasProcess(world: World): boolean {
  try {
    world.isAlive('n');
    return true;
  } catch {
    return false;
  }
}

/** A node whose dump of these texts is whole and long on the platter. */
export async function startWhole(world: World, texts: Texts, clockSkewMs = 0) {
  const node = startNode(world, texts, clockSkewMs);
  await world.finish(node.check());
  await world.advance(WRITTEN_OUT_MS);
  return node;
}

export async function bootWithoutStore(world: World): Promise<Texts> {
  return readBeside(world, world.restart('n'));
}

export async function readBeside(world: World, host: Host): Promise<Texts> {
  const cache = new ConfigCache();
  const dump = new Dump(host, DIRECTORY, cache, async () => undefined);
  const { wasWhole } = await world.finish(loadDump(dump, cache, () => false));
  assert.ok(wasWhole);
  const texts = [...cache.keys()].map((key) => {
    const content = cache.content(cache.get(key)!)!;
    return [cache.get(key)!.key.dataId, new TextDecoder().decode(content)] as const;
  });
  return Object.fromEntries(texts);
}

export function cacheOf(texts: Texts): ConfigCache {
  const cache = new ConfigCache();
  for (const [dataId, text] of Object.entries(texts)) put(cache, dataId, text);
  return cache;
}

function put(cache: ConfigCache, dataId: string, text: string): void {
  const row = { md5: contentMd5(text), type: 'text', modifiedMs: 0, revision: 1 } as const;
  cache.put({ ...row, key: { dataId, group: 'g', namespaceId: '' } }, new TextEncoder().encode(text));
}

export async function filesBelow(host: Host, directory: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const name of await host.disk.list(directory)) {
    const path = `${directory}/${name}`;
    if ((await host.disk.stat(path))?.bytes) files.push(path);
    else files.push(...(await filesBelow(host, path)));
  }
  return files;
}
