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

export async function readMark(host: Host, directory: string): Promise<FoundMark> {
  try {
    return markOf(new TextDecoder().decode(await host.disk.read(`${directory}/${MARK}`)));
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return 'none';
    if (!(error instanceof DiskError) && !(error instanceof SyntaxError)) throw error;
    host.log.area('dump').warn('the mark of the dump cannot be read: all its files count', { error });
    return 'unreadable';
  }
}

export async function writeMark(host: Host, directory: string, mark: DumpMark): Promise<void> {
  await host.disk.write(`${directory}/${MARK}`, textOf(mark), { sync: true });
}

/** The facts in a fixed order, and the md5 of their JSON behind them. */
function textOf({ generation, configs, atMs, gone }: DumpMark): string {
  const facts = { generation, configs, atMs, gone: [...gone] };
  return `${JSON.stringify({ ...facts, md5: hash('md5', JSON.stringify(facts)) })}\n`;
}

/** Earlier releases wrote two facts, and no md5. */
function markOf(text: string): DumpMark {
  const { generation, configs, atMs, gone } = JSON.parse(text) ?? {};
  if (/^\{"configs":\d+,"atMs":\d+\}\n$/.test(text)) return { generation: 0, configs, atMs, gone: new Set() };
  const mark = { generation, configs, atMs, gone: new Set<DumpName>(Array.isArray(gone) ? gone : []) };
  if (textOf(mark) !== text) throw new SyntaxError('its md5 is not that of its facts');
  return mark;
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

/** All files of the dump, those of one key together; what is none of them goes to `stray`. */
export async function walkDump(
  host: Host,
  root: string,
  visit: (entries: readonly DumpEntry[]) => Promise<void>,
  stray: (path: string) => Promise<void> = async () => undefined,
): Promise<void> {
  for (const first of await names(host, root)) {
    if (!isPart(first)) {
      if (first.endsWith('.tmp')) await stray(`${root}/${first}`);
      continue;
    }
    const seconds = (await names(host, `${root}/${first}`)).filter(isPart);
    for (let i = 0; i < seconds.length; i += DIRECTORIES_AT_ONCE) {
      const some = seconds.slice(i, i + DIRECTORIES_AT_ONCE);
      await Promise.all(some.map((second) => walkLeaf(host, root, `${root}/${first}/${second}`, visit, stray)));
    }
  }
}

async function walkLeaf(
  host: Host,
  root: string,
  directory: string,
  visit: (entries: readonly DumpEntry[]) => Promise<void>,
  stray: (path: string) => Promise<void>,
): Promise<void> {
  let entries: DumpEntry[] = [];
  for (const name of await names(host, directory)) {
    const path = `${directory}/${name}`;
    if (!isDumpName(name) || dumpPath(root, name) !== path) {
      await stray(path);
      continue;
    }
    if (entries.length > 0 && keyPart(entries[0]!.name) !== keyPart(name)) {
      await visit(entries);
      entries = [];
    }
    const entry = await readEntry(host, root, name);
    if (entry !== undefined) entries.push(entry);
  }
  if (entries.length > 0) await visit(entries);
}

/** The files of one key, whoever wrote them. */
export async function versionsOf(host: Host, root: string, key: ViewKey): Promise<readonly DumpName[]> {
  const part = keyName(key);
  const all = await host.disk.list(dumpLeaf(root, part));
  return all.filter((name) => isDumpName(name) && keyPart(name) === part);
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
