import { hash } from 'node:crypto';
import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import {
  type DumpFile,
  type DumpName,
  dumpLeaf,
  dumpPath,
  isDumpName,
  isOfEarlierRelease,
  keyName,
  keyPart,
  readDumpFile,
  type ViewKey,
} from './dump-file.ts';

const MARK = 'whole';
const DIRECTORIES_AT_ONCE = 8;

/**
 * The file `whole`: which generation of the dump is served at a start without the store. To replace it is the swap, in
 * one step: until then the files of the generation that is written count for nothing, from then on they do, and those
 * that are gone no longer do.
 */
export interface DumpMark {
  /** 0 in the marks of earlier releases. */
  readonly generation: number;
  readonly configs: number;
  readonly atMs: number;
  /** All that it counts was synced before it was written; not so in the marks of earlier releases. */
  readonly isSettled: boolean;
  /** Files of what the store no longer has, which may still stand. */
  readonly gone: ReadonlySet<DumpName>;
}

/** What is known of the mark: 'none' of a dump that never was whole, 'unreadable' when it may have been. */
export type FoundMark = DumpMark | 'none' | 'unreadable';

export interface DumpEntry {
  readonly name: DumpName;
  /** Undefined: damaged. */
  readonly file: DumpFile | undefined;
}

export function markPath(directory: string): string {
  return `${directory}/${MARK}`;
}

export async function readMark(host: Host, directory: string): Promise<FoundMark> {
  try {
    return markOf(new TextDecoder().decode(await host.disk.read(markPath(directory))));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return 'none';
    if (!(error instanceof DiskError) && !(error instanceof SyntaxError)) throw error;
    host.log.area('dump').warn('the mark of the dump cannot be read: all its files count', { error });
    return 'unreadable';
  }
}

export async function writeMark(host: Host, directory: string, mark: DumpMark): Promise<void> {
  await host.disk.write(markPath(directory), textOf(mark), { sync: true });
}

/** The facts in a fixed order, and the md5 of their JSON behind them. */
function textOf({ generation, configs, atMs, isSettled, gone }: DumpMark): string {
  const facts = { generation, configs, atMs, ...(isSettled && { isSettled }), gone: [...gone] };
  return `${JSON.stringify({ ...facts, md5: hash('md5', JSON.stringify(facts)) })}\n`;
}

/** Earlier releases wrote two facts, and no md5. */
function markOf(text: string): DumpMark {
  const { generation, configs, atMs, isSettled = false, gone } = JSON.parse(text) ?? {};
  if (/^\{"configs":\d+,"atMs":\d+\}\n$/.test(text)) {
    return { generation: 0, configs, atMs, isSettled: false, gone: new Set() };
  }
  const mark = { generation, configs, atMs, isSettled, gone: new Set<DumpName>(Array.isArray(gone) ? gone : []) };
  if (textOf(mark) !== text) throw new SyntaxError('its md5 is not that of its facts');
  return mark;
}

/** Files that were not written later, and names in directories not changed later, power loss leaves as they are. */
export interface SettledUntil {
  readonly stampMs: number;
  readonly changedMs: number;
}

/** What an earlier process left; nobody knows what it did since it wrote the mark. */
export async function settledUntil(host: Host, directory: string, mark: FoundMark): Promise<SettledUntil> {
  const stat = await host.disk.stat(markPath(directory));
  if (typeof mark === 'string' || !mark.isSettled || stat === undefined) return { stampMs: 0, changedMs: 0 };
  return { stampMs: mark.atMs, changedMs: stat.modifiedMs };
}

/** Of the versions of one key, the one that a start without the store serves. Without a mark any file may do. */
export function servedOf(entries: readonly DumpEntry[], mark: FoundMark): DumpFile | undefined {
  let served: DumpFile | undefined;
  for (const { name, file } of entries) {
    if (file === undefined || !isCounted(name, file, mark)) continue;
    if (served === undefined || file.writtenMs > served.writtenMs) served = file;
  }
  return served;
}

function isCounted(name: DumpName, { generation, writtenMs }: DumpFile, mark: FoundMark): boolean {
  if (typeof mark === 'string') return true;
  // After the first swap of this release only what was left over of an earlier one has such a name.
  if (isOfEarlierRelease(name)) return mark.generation === 0;
  return generation <= mark.generation && (writtenMs > mark.atMs || !mark.gone.has(name));
}

export interface DumpVisitor {
  /** All files of one key. */
  entries(entries: readonly DumpEntry[]): Promise<void>;
  /** What is none of the dump. */
  stray?(path: string): Promise<void>;
  /** A directory of such files, before them. */
  leaf?(directory: string): Promise<void>;
}

export async function walkDump(host: Host, root: string, visitor: DumpVisitor): Promise<void> {
  for (const first of await names(host, root)) {
    if (!isPart(first)) {
      if (first.endsWith('.tmp')) await visitor.stray?.(`${root}/${first}`);
      continue;
    }
    const seconds = (await names(host, `${root}/${first}`)).filter(isPart);
    for (let i = 0; i < seconds.length; i += DIRECTORIES_AT_ONCE) {
      const some = seconds.slice(i, i + DIRECTORIES_AT_ONCE);
      await Promise.all(some.map((second) => walkLeaf(host, root, `${root}/${first}/${second}`, visitor)));
    }
  }
}

async function walkLeaf(host: Host, root: string, directory: string, visitor: DumpVisitor): Promise<void> {
  await visitor.leaf?.(directory);
  let entries: DumpEntry[] = [];
  for (const name of await names(host, directory)) {
    const path = `${directory}/${name}`;
    if (!isDumpName(name) || dumpPath(root, name) !== path) {
      await visitor.stray?.(path);
      continue;
    }
    if (entries.length > 0 && keyPart(entries[0]!.name) !== keyPart(name)) {
      await visitor.entries(entries);
      entries = [];
    }
    const entry = await readEntry(host, root, name);
    if (entry !== undefined) entries.push(entry);
  }
  if (entries.length > 0) await visitor.entries(entries);
}

/** The files of one key, whoever wrote them. */
export async function versionsOf(host: Host, root: string, key: ViewKey): Promise<readonly DumpName[]> {
  const part = keyName(key);
  const all = await host.disk.list(dumpLeaf(root, part));
  return all.filter((name) => isDumpName(name) && keyPart(name) === part);
}

/** Those that are there, the last written last. */
export async function versionsByAge(host: Host, root: string, key: ViewKey): Promise<readonly DumpName[]> {
  const names = await versionsOf(host, root, key);
  if (names.length < 2) return names;
  const entries = await Promise.all(names.map((name) => readEntry(host, root, name)));
  const age = (entry: DumpEntry | undefined) => entry?.file?.writtenMs ?? -1;
  return entries
    .sort((one, other) => age(one) - age(other))
    .flatMap((entry) => (entry === undefined ? [] : [entry.name]));
}

export async function readEntry(host: Host, root: string, name: DumpName): Promise<DumpEntry | undefined> {
  try {
    return { name, file: readDumpFile(name, await host.disk.read(dumpPath(root, name))) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error.kind === 'missing' ? undefined : { name, file: undefined };
  }
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
