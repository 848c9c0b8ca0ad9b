import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import type { FileLock, HeldLock } from '../host.ts';

const SQLITE_BUSY = 5;
/** The last byte says what happened, those above it how. */
const PRIMARY_CODE = 0xff;

/** What is no longer referred to would be closed with the garbage, and the lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Node has no call to lock a file; SQLite has, of which an open transaction on a database that stays empty is enough. The
 * kernel frees it with the process, however that ends, so no file that is left over ever means anything. Nobody in
 * this process may open the file otherwise: to close it again would free the lock, which is why who holds it is told
 * by a file beside it.
 */
export async function lockFile(path: string): Promise<FileLock | HeldLock> {
  // Only those that lock need it.
  const sqlite = await import('node:sqlite');
  const database = new sqlite.DatabaseSync(path, { timeout: 0 });
  try {
    // Else there is a journal beside it.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    return { isHeld: true, by: await holderOf(path) };
  }
  held.add(database);
  await noteHolder(path);
  return {
    isHeld: false,
    async release() {
      if (held.delete(database)) database.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & PRIMARY_CODE) === SQLITE_BUSY
  );
}

function noteOf(path: string): string {
  return `${path}.holder`;
}

/** For people: the lock holds without it. */
async function noteHolder(path: string): Promise<void> {
  await writeFile(noteOf(path), `process ${process.pid} on ${hostname()}\n`).catch(() => {});
}

async function holderOf(path: string): Promise<string | undefined> {
  const text = await readFile(noteOf(path), 'utf8').catch(() => '');
  return text.trim().split('\n', 1)[0]?.slice(0, 300) || undefined;
}
