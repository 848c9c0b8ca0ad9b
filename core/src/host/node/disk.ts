import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  type AppendFile,
  type Disk,
  DiskError,
  type DiskErrorKind,
  type FileLock,
  type HeldLock,
  type Log,
  type WriteOptions,
} from '../host.ts';
import { watchDirectory } from './disk-watch.ts';
import { lockFile } from './file-lock.ts';
import type { FileOutcome } from './file-tasks.ts';
import { FileThread, HANDED_OVER_BYTES_MAX } from './file-thread.ts';

const MODE = 0o644;

export function createNodeDisk(log: Log): Disk {
  const thread = new FileThread();
  return {
    read: (path) => guarded('reading', path, () => readFile(path)),
    write: (path, content, options = {}) => guarded('writing', path, () => writeBy(thread, path, content, options)),
    append: (path) => guarded('opening', path, () => openAppend(path)),
    list: (path) => guarded('listing', path, () => listBy(thread, path)),
    remove: (path) => guarded('removing', path, () => removeBy(thread, path)),
    sync: (path) => guarded('syncing', path, () => syncBy(thread, path)),
    rename: (from, to) => guarded('renaming', from, () => rename(from, to)),
    stat: (path) => guarded('looking at', path, () => statOrUndefined(path)),
    makeDirectory: (path) => guarded('making', path, () => makeDirectories(path)),
    watch: (directory, run) => watchDirectory(directory, run, log),
    lock: (path) => guarded('locking', path, () => lockMakingDirectory(path)),
  };
}

async function guarded<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDiskError(error, `${doing} ${path}`);
  }
}

async function writeBy(
  thread: FileThread,
  path: string,
  content: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  if (content.length > HANDED_OVER_BYTES_MAX) return replaceFile(path, content, options);
  const temporary = temporaryOf(path);
  const task = {
    do: 'write',
    path,
    temporary,
    content,
    mode: options.mode ?? MODE,
    sync: options.sync === true,
  } as const;
  done(await thread.ask(task, () => replaceFile(path, content, options).then(() => null)));
}

async function listBy(thread: FileThread, path: string): Promise<readonly string[]> {
  return done(await thread.ask({ do: 'list', path }, () => listOrEmpty(path))) ?? [];
}

async function removeBy(thread: FileThread, path: string): Promise<void> {
  done(await thread.ask({ do: 'remove', path }, () => removeAny(path).then(() => null)));
}

async function syncBy(thread: FileThread, path: string): Promise<void> {
  done(await thread.ask({ do: 'sync', path }, () => syncAny(path).then(() => null)));
}

function done(outcome: FileOutcome): readonly string[] | null {
  if (outcome === null || !('code' in outcome)) return outcome;
  throw Object.assign(new Error(outcome.message), { code: outcome.code });
}

/** Nearly always it is a file, and to look first would cost as much as to remove it. */
async function removeAny(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') await rm(path, { recursive: true, force: true });
  }
}

async function makeDirectories(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

async function lockMakingDirectory(path: string): Promise<FileLock | HeldLock> {
  await makeDirectories(dirname(path));
  return lockFile(path);
}

async function replaceFile(path: string, content: string | Uint8Array, options: WriteOptions): Promise<void> {
  const directory = dirname(path);
  const temporary = temporaryOf(path);
  try {
    const file = await openMakingDirectory(temporary, directory, options.mode ?? MODE);
    try {
      await file.writeFile(content);
      if (options.sync === true) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // what made the write fail is what counts
    throw error;
  }
  if (options.sync === true) await syncDirectory(directory);
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
}

/** Nearly always the directory is there, and making it again would cost as much as opening. */
async function openMakingDirectory(path: string, directory: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await makeDirectories(directory);
    return open(path, 'wx', mode);
  }
}

/** Also what was opened for reading alone can be synced. */
async function syncAny(path: string): Promise<void> {
  const file = await open(path, 'r');
  let isDirectory: boolean;
  try {
    await file.sync();
    isDirectory = (await file.stat()).isDirectory();
  } finally {
    await file.close();
  }
  if (!isDirectory) await syncDirectory(dirname(path));
}

/** A new name survives power loss only once its directory is written too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function openAppend(path: string): Promise<AppendFile> {
  await makeDirectories(dirname(path));
  return new NodeAppendFile(path, await open(path, 'a', 0o644));
}

/** Writes take effect in the order in which they were asked for, also when nobody awaits them one by one. */
class NodeAppendFile implements AppendFile {
  readonly #path: string;
  readonly #file: FileHandle;
  #last: Promise<unknown> = Promise.resolve();
  #nameIsSynced = false;
  #closed = false;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  write(content: string | Uint8Array): Promise<void> {
    return this.#next('appending to', () => this.#file.appendFile(content));
  }

  sync(): Promise<void> {
    return this.#next('syncing', async () => {
      await this.#file.sync();
      if (this.#nameIsSynced) return;
      await syncDirectory(dirname(this.#path));
      this.#nameIsSynced = true;
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const closing = this.#next('closing', () => this.#file.close());
    this.#closed = true;
    await closing;
  }

  #next(doing: string, work: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(new DiskError('io', `${doing} ${this.#path}: the file is closed`));
    const result = this.#last.then(() => guarded(doing, this.#path, work));
    this.#last = result.catch(() => {}); // told to whoever asked; the next one tries for itself
    return result;
  }
}

async function listOrEmpty(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function statOrUndefined(path: string): Promise<{ bytes: number; modifiedMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { bytes: size, modifiedMs: mtimeMs };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

const KIND_BY_CODE: ReadonlyMap<string, DiskErrorKind> = new Map([
  ['ENOENT', 'missing'],
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EROFS', 'denied'],
]);

function toDiskError(error: unknown, doing: string): DiskError {
  if (error instanceof DiskError) return error;
  const kind = KIND_BY_CODE.get(codeOf(error)) ?? 'io';
  return new DiskError(kind, `${doing}: ${(error as Error).message}`, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
