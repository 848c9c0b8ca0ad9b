import type { Host } from '@nacos-kube/core/host/host.ts';
import { DiskError } from '@nacos-kube/core/host/host.ts';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { fewAtOnce } from '../store/few-at-once.ts';
import type { ConfigCache } from './cache.ts';
import type { Dump } from './dump.ts';
import { type DumpedConfig, type DumpName, dumpLeaf, dumpPath, isOfEarlierRelease, readDumpFile } from './dump-file.ts';
import { idOf, nameOf } from './dump-view.ts';
import { type DumpEntry, readMark, servedOf, settledUntil, walkDump } from './dump-walk.ts';
import type { CachedView } from './view.ts';

const KEYS_PER_TURN = 1_000;
/** So many files are removed before the dump may be written again. */
const CLEARED_PER_TURN = 16;
const CLEARED_AT_ONCE = 4;
const SYNCED_AT_ONCE = 16;

/**
 * Puts the last whole generation of the dump, with what was published since, into an empty cache, for a node that starts
 * without its store (F12). Stops as soon as `isOvertaken`, for then the store has answered and knows better. `wasWhole`
 * is false when there never was a whole generation: then all that there is comes in.
 */
export async function loadDump(
  dump: Dump,
  cache: ConfigCache,
  isOvertaken: () => boolean,
): Promise<{ readonly wasWhole: boolean; readonly configs: number }> {
  let configs = 0;
  const mark = await dump.mark();
  const entries = async (all: readonly DumpEntry[]) => {
    for (const { name, file } of all) if (file === undefined) dump.noteDamaged(name);
    const served = servedOf(all, mark);
    if (served === undefined || isOvertaken() || viewOf(cache, served.config) !== undefined) return;
    putDumped(cache, served.config, served.content);
    configs += 1;
  };
  await dump.walk({ entries });
  return { wasWhole: mark !== 'none', configs };
}

/** A file that the next generation does not have; of a damaged one nothing else is known. */
interface Left {
  readonly name: DumpName;
  readonly of?: { readonly groupKey: GroupKey; readonly variant: VariantId | undefined };
}

/**
 * Makes the next generation of the cache, which has all rows of the store. Files that are right are part of it as they
 * are; what is damaged, missing or outdated is written beside the current generation. Only once all of it is on the disk
 * it takes the place of that one, in one step, and then the files go that it does not have.
 */
export async function checkDump(host: Host, dump: Dump, cache: ConfigCache): Promise<void> {
  const { losses } = dump;
  await dump.beginNext();
  try {
    const left = await writeNext(host, dump, cache);
    if (losses !== dump.losses) return; // told to the service, which has all checked again
    if (left === undefined) {
      dump.noteUnfinished();
      return;
    }
    const isGone = ({ name, of }: Left) =>
      of !== undefined && !isOfEarlierRelease(name) && find(cache, of) === undefined;
    const gone = () => new Set(left.filter(isGone).map(({ name }) => name));
    await dump.swap(() => ({ configs: cache.size, gone: gone() }));
    dump.noteFinished();
    for (let i = 0; i < left.length && losses === dump.losses; i += CLEARED_PER_TURN) {
      const some = left.slice(i, i + CLEARED_PER_TURN);
      await dump.alone(() => fewAtOnce(some, CLEARED_AT_ONCE, (one) => clear(host, dump, cache, one)));
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    dump.noteUnfinished(error);
  } finally {
    dump.endNext();
  }
}

/** Resolves with the files that it does not have, or undefined when the disk does not take it. */
async function writeNext(host: Host, dump: Dump, cache: ConfigCache): Promise<readonly Left[] | undefined> {
  const generation = (await dump.generation()) + 1;
  const mark = await dump.mark();
  // Of what this process did itself since its last swap the dump knows.
  const settled = dump.hasSwapped ? undefined : await settledUntil(host, dump.directory, mark);
  const good = new Set<DumpName>();
  /** Of those: what power loss may still undo. */
  const unsure = new Set<DumpName>();
  const served = new Set<DumpName>();
  const left = new Map<DumpName, Left>();
  const sort = (entries: readonly DumpEntry[]) => {
    let newest: DumpEntry | undefined;
    for (const entry of entries) {
      const { name, file } = entry;
      if (file === undefined) {
        dump.noteDamaged(name);
        left.set(name, { name });
        continue;
      }
      const { key, variant } = file.config;
      left.set(name, { name, of: { groupKey: groupKey(key), variant: variant?.id } });
      if (file.generation > generation || file.writtenMs < (newest?.file?.writtenMs ?? 0)) continue;
      newest = entry;
    }
    const view = newest?.file === undefined ? undefined : viewOf(cache, newest.file.config);
    if (view === undefined) return;
    const right = entries.find(({ name }) => name === nameOf(view));
    if (right === undefined) return;
    // What stands there cannot be trusted, and must not go before it is written again.
    if (dump.unsettled.isSuspect(idOf(view), right.name)) served.add(right.name);
    else if (right === newest) {
      good.add(right.name);
      if (settled !== undefined && (right.file?.writtenMs ?? 0) > settled.stampMs) unsure.add(right.name);
    } else if (right.file !== undefined && right.file === servedOf(entries, mark)) served.add(right.name);
  };
  await dump.walk({
    entries: async (entries) => sort(entries),
    stray: (path) => removeStray(host, dump, path),
    async leaf(directory) {
      if (settled === undefined) return;
      const stat = await host.disk.stat(directory);
      if ((stat?.modifiedMs ?? 0) >= settled.changedMs) dump.unsettled.noteNames(directory);
    },
  });
  const unsynced: CachedView[] = [];
  let turn = 0;
  for (const view of views(cache)) {
    const name = nameOf(view);
    left.delete(name);
    // What is served already goes on to be, newer than what a full dump that was broken off left.
    if (!good.has(name)) dump.enqueueMissing(view, !served.has(name));
    if (mark === 'none' || unsure.has(name)) unsynced.push(view);
    turn += 1;
    if (turn % KEYS_PER_TURN > 0) continue;
    await host.clock.sleep(0);
    await dump.room();
  }
  if (!(await dump.flush())) return undefined;
  await fewAtOnce(unsynced, SYNCED_AT_ONCE, (view) => dump.unsettled.sync(idOf(view), nameOf(view)));
  return [...left.values()];
}

/** A file that cannot be removed holds up none, and no longer counts anyway. */
async function clear(host: Host, dump: Dump, cache: ConfigCache, { name, of }: Left): Promise<void> {
  const path = dumpPath(dump.directory, name);
  const view = of === undefined || isOfEarlierRelease(name) ? undefined : find(cache, of);
  try {
    if (view !== undefined) await dump.settle(view, name);
    // What was damaged may have been written again meanwhile.
    else if (of !== undefined || !(await isWhole(host, path, name))) {
      await host.disk.remove(path);
      dump.unsettled.noteNames(dumpLeaf(dump.directory, name));
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    dump.noteLeft(error);
  }
}

async function isWhole(host: Host, path: string, name: DumpName): Promise<boolean> {
  try {
    return readDumpFile(name, await host.disk.read(path)) !== undefined;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return false;
  }
}

/** What a process that died was writing. It is part of nothing, so that it cannot be removed holds up none either. */
async function removeStray(host: Host, dump: Dump, path: string): Promise<void> {
  try {
    const stat = await host.disk.stat(path);
    if (stat !== undefined && stat.modifiedMs < dump.startedMs) await host.disk.remove(path);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    dump.noteLeft(error);
  }
}

/** Every configuration of a dump, one at a time. Tells how many files were damaged. */
export async function readDump(
  host: Host,
  directory: string,
  take: (config: DumpedConfig, content: Uint8Array) => Promise<void>,
): Promise<{ readonly wasWhole: boolean; readonly damaged: number }> {
  let damaged = 0;
  let last = Promise.resolve();
  const mark = await readMark(host, directory);
  const entries = async (all: readonly DumpEntry[]) => {
    damaged += all.filter(({ file }) => file === undefined).length;
    const served = servedOf(all, mark);
    if (served !== undefined) last = last.then(() => take(served.config, served.content));
    await last;
  };
  await walkDump(host, directory, { entries });
  return { wasWhole: mark !== 'none', damaged };
}

function* views(cache: ConfigCache): Generator<CachedView> {
  for (const key of cache.keys()) {
    const config = cache.get(key);
    if (config !== undefined) yield config;
  }
  yield* cache.variants.all();
}

function viewOf(cache: ConfigCache, { key, variant }: DumpedConfig): CachedView | undefined {
  return find(cache, { groupKey: groupKey(key), variant: variant?.id });
}

function find(cache: ConfigCache, { groupKey: text, variant }: Required<Left>['of']): CachedView | undefined {
  return variant === undefined ? cache.get(text) : cache.variants.find(text, variant);
}

function putDumped(cache: ConfigCache, dumped: DumpedConfig, content: Uint8Array): void {
  const { key, md5, modifiedMs, variant } = dumped;
  if (variant === undefined) cache.put({ ...dumped, revision: 0 }, content);
  else cache.variants.put({ key, variant: variant.id, md5, modifiedMs, betaIps: variant.betaIps }, content);
}
