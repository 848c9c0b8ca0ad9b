import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { ConfigCache } from './cache.ts';
import type { Dump } from './dump.ts';
import {
  type DumpedConfig,
  type DumpName,
  dumpName,
  dumpPath,
  isDumpName,
  readDumpFile,
  viewKey,
} from './dump-file.ts';
import type { CachedView } from './view.ts';

/** Written once a dump was whole: tells a dump of nothing from no dump. */
const MARK = 'whole';
const DIRECTORIES_AT_ONCE = 8;
const KEYS_PER_TURN = 1_000;
/** What is no file of ours is a temporary one of a node that died; younger ones may be under way. */
const STRAY_AGE_MS = 3_600_000;

/**
 * Puts the last dump into an empty cache, for a node that starts without its store (F12). Stops as soon as
 * `isOvertaken`, for then the store has answered and knows better. False when there never was a whole dump.
 */
export async function loadDump(
  host: Host,
  dump: Dump,
  cache: ConfigCache,
  isOvertaken: () => boolean,
): Promise<{ readonly wasWhole: boolean; readonly configs: number }> {
  let configs = 0;
  await walk(host, dump.directory, async (name, bytes) => {
    const file = readDumpFile(name, bytes);
    if (file === undefined) dump.noteDamaged(name);
    else if (!isOvertaken() && viewOf(cache, file.config) === undefined) {
      putDumped(cache, file.config, file.content);
      configs += 1;
    }
  });
  return { wasWhole: (await host.disk.stat(`${dump.directory}/${MARK}`)) !== undefined, configs };
}

/**
 * Compares every file with the cache, which has all rows of the store, and queues what differs: damaged, missing and
 * outdated files are written, those of configurations that are gone are removed.
 */
export async function checkDump(host: Host, dump: Dump, cache: ConfigCache): Promise<void> {
  const good = new Set<DumpName>();
  const damaged = new Set<DumpName>();
  await walk(host, dump.directory, async (name, bytes) => {
    const file = readDumpFile(name, bytes);
    if (file === undefined) {
      dump.noteDamaged(name);
      damaged.add(name);
      return;
    }
    const view = viewOf(cache, file.config);
    if (view === undefined) dump.enqueue(groupKey(file.config.key), file.config.variant?.id);
    else if (isUpToDate(view, file.config)) good.add(name);
    await dump.room();
  });
  let turn = 0;
  for (const view of views(cache)) {
    const variant = 'variant' in view ? view.variant : undefined;
    const name = dumpName(viewKey(view.groupKey, variant));
    damaged.delete(name);
    if (!good.has(name)) dump.enqueue(view.groupKey, variant);
    turn += 1;
    if (turn % KEYS_PER_TURN > 0) continue;
    await host.clock.sleep(0);
    await dump.room();
  }
  for (const name of damaged) dump.enqueueStray(name);
  await dump.flush();
  if (dump.metrics().dumpQueue === 0) await markWhole(host, dump, cache.size);
}

/** Every whole file of a dump, one at a time. Tells how many were damaged. */
export async function readDump(
  host: Host,
  directory: string,
  take: (config: DumpedConfig, content: Uint8Array) => Promise<void>,
): Promise<{ readonly wasWhole: boolean; readonly damaged: number }> {
  let damaged = 0;
  let last = Promise.resolve();
  await walk(host, directory, async (name, bytes) => {
    const file = readDumpFile(name, bytes);
    if (file === undefined) damaged += 1;
    else last = last.then(() => take(file.config, file.content));
    await last;
  });
  return { wasWhole: (await host.disk.stat(`${directory}/${MARK}`)) !== undefined, damaged };
}

function* views(cache: ConfigCache): Generator<CachedView> {
  for (const key of cache.keys()) {
    const config = cache.get(key);
    if (config !== undefined) yield config;
  }
  yield* cache.variants.all();
}

function viewOf(cache: ConfigCache, { key, variant }: DumpedConfig): CachedView | undefined {
  const text = groupKey(key);
  return variant === undefined ? cache.get(text) : cache.variants.find(text, variant.id);
}

function putDumped(cache: ConfigCache, dumped: DumpedConfig, content: Uint8Array): void {
  const { key, md5, modifiedMs, variant } = dumped;
  if (variant === undefined) cache.put({ ...dumped, revision: 0 }, content);
  else cache.variants.put({ key, variant: variant.id, md5, modifiedMs, betaIps: variant.betaIps }, content);
}

function isUpToDate(view: CachedView, { md5, type, variant }: DumpedConfig): boolean {
  if (view.md5 !== md5) return false;
  return 'variant' in view ? view.betaIps === variant?.betaIps : view.type === type;
}

async function markWhole(host: Host, dump: Dump, configs: number): Promise<void> {
  try {
    await host.disk.write(`${dump.directory}/${MARK}`, `${JSON.stringify({ configs, atMs: host.clock.now() })}\n`);
  } catch (error) {
    host.log.area('dump').warn('the dump could not be marked as whole', { error });
  }
}

async function walk(
  host: Host,
  root: string,
  visit: (name: DumpName, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (const first of await names(host, root)) {
    if (!isPart(first)) continue;
    const seconds = (await names(host, `${root}/${first}`)).filter(isPart);
    for (let i = 0; i < seconds.length; i += DIRECTORIES_AT_ONCE) {
      const some = seconds.slice(i, i + DIRECTORIES_AT_ONCE);
      await Promise.all(some.map((second) => walkLeaf(host, root, `${root}/${first}/${second}`, visit)));
    }
  }
}

async function walkLeaf(
  host: Host,
  root: string,
  directory: string,
  visit: (name: DumpName, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (const name of await names(host, directory)) {
    const path = `${directory}/${name}`;
    const isOurs = isDumpName(name) && dumpPath(root, name) === path;
    try {
      if (isOurs) await visit(name, await host.disk.read(path));
      else await removeStray(host, path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.kind !== 'missing' && isOurs) await visit(name, new Uint8Array());
    }
  }
}

async function removeStray(host: Host, path: string): Promise<void> {
  const stat = await host.disk.stat(path);
  if (stat !== undefined && stat.modifiedMs < host.clock.now() - STRAY_AGE_MS) await host.disk.remove(path);
}

async function names(host: Host, directory: string): Promise<readonly string[]> {
  try {
    return await host.disk.list(directory);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    host.log.area('dump').warn('a directory of the dump cannot be read', { directory, error });
    return [];
  }
}

function isPart(name: string): boolean {
  return /^[0-9a-f]{2}$/.test(name);
}
