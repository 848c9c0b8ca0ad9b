import { backup, DatabaseSync } from 'node:sqlite';
import type { Host } from '@nacos-kube/core/host/host.ts';
import { CODES, codeOf, damagedText, failureOf } from './sqlite-schema.ts';
import { StoreError } from './store.ts';

/** In one step: a copy page by page would start anew with each write of the nodes, which go on meanwhile. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * The file as it stands at one moment, whole and without a log beside it, while others read and write it. There is a
 * checked copy of that name or none.
 */
export async function backupSqlite(host: Host, from: string, to: string): Promise<void> {
  if ((await host.disk.stat(from)) === undefined) throw new StoreError('misconfigured', `there is no file ${from}`);
  const part = `${to}.part`;
  await removeDatabase(host, part);
  // Made first, so that it is nobody else's to read.
  await host.disk.write(part, '', { mode: 0o600 });
  try {
    await copyDatabase(from, part);
    requireWhole(part, from);
    const file = await host.disk.append(part);
    await file.sync();
    await file.close();
    await host.disk.rename(part, to);
  } finally {
    await removeDatabase(host, part);
  }
}

export async function removeDatabase(host: Host, path: string): Promise<void> {
  for (const end of ['', '-wal', '-shm', '-journal']) await host.disk.remove(`${path}${end}`);
}

async function copyDatabase(from: string, to: string): Promise<void> {
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(from, { readOnly: true, timeout: 3_000 });
    await backup(source, to, { rate: ALL_PAGES });
  } catch (error) {
    throw storeErrorOf(error, codeOf(error) === CODES.full ? to : from);
  } finally {
    source?.close();
  }
}

function requireWhole(path: string, from: string): void {
  const database = new DatabaseSync(path);
  try {
    // Not in WAL mode any more: one file is what is kept.
    database.exec('PRAGMA journal_mode = DELETE');
    const rows = database.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
    const found = rows[0]?.integrity_check;
    if (found === 'ok') return;
    // Its lines are parts of one message here.
    const damage = damagedText(`${found}`.replaceAll(/\s+/g, ' '));
    throw new StoreError('misconfigured', `sqlite file ${from}: ${damage}`);
  } catch (error) {
    throw error instanceof StoreError ? error : storeErrorOf(error, path);
  } finally {
    database.close();
  }
}

function storeErrorOf(error: unknown, path: string): StoreError {
  const { kind, message } = failureOf(error, path);
  return new StoreError(kind === 'busy' ? 'unavailable' : kind, message, { cause: error });
}
