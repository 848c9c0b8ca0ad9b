import { DiskError, type FileLock, type HeldLock, type Host } from '@nacos-kube/core/host/host.ts';

/** A process that ends has so long before another is refused. */
export const LOCK_WAIT_MS = 10_000;
const LOCK_RETRY_MS = 200;
const LOCK = 'node.lock';
/** As the embedded store is called in the folder of its node; under another name nodes may share it. */
const OWN_STORE = 'store.sqlite';

export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

/**
 * The data folder is one process's: of two that write their copies and journals there each takes the other's files for
 * what it left over itself, and removes them. Undefined where the disk knows no locks, which is told.
 */
export async function takeDataFolder(host: Host, directory: string): Promise<FileLock | undefined> {
  try {
    return await take(host, directory);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    host.log.warn('the data folder cannot be locked: see to it that no other process uses it', { directory, error });
    return undefined;
  }
}

/** Of `<folder>/store.sqlite`: the folder, while the file is written. Nobody has that of other files. */
export async function takeFolderOfStore(host: Host, path: string): Promise<FileLock | undefined> {
  const end = path.lastIndexOf('/') + 1;
  const directory = path.slice(0, end) || './';
  if (path.slice(end) !== OWN_STORE || (await host.disk.stat(`${directory}${LOCK}`)) === undefined) return undefined;
  return takeDataFolder(host, directory.replace(/(.)\/$/, '$1'));
}

async function take(host: Host, directory: string): Promise<FileLock | undefined> {
  const path = `${directory}/${LOCK}`;
  const untilMs = host.clock.monotonic() + LOCK_WAIT_MS;
  for (let tries = 0; ; tries += 1) {
    const lock = await host.disk.lock(path);
    if (!lock.isHeld) {
      if (tries > 0) host.log.info('the data folder is free now', { directory });
      return lock;
    }
    if (host.clock.monotonic() >= untilMs) return refuse(host, directory, lock);
    const facts = { directory, by: lock.by, waitsMs: LOCK_WAIT_MS };
    if (tries === 0) host.log.warn('the data folder is in use, waiting for the other process to end', facts);
    await host.clock.sleep(LOCK_RETRY_MS);
  }
}

async function refuse(host: Host, directory: string, { by }: HeldLock): Promise<undefined> {
  if (!(await canLock(host, directory))) {
    host.log.warn('the file system of the data folder has no locks: see to it that no other process uses it', {
      directory,
    });
    return undefined;
  }
  const other = by ?? 'another process';
  throw new DataFolderError(
    `the data folder ${directory} is in use by ${other}: stop that one, or name another folder (--data)`,
  );
}

/** Of some network file systems without locks all that is known is that they give none. */
async function canLock(host: Host, directory: string): Promise<boolean> {
  const path = `${directory}/${LOCK}.${host.random.uuid()}`;
  const lock = await host.disk.lock(path);
  if (!lock.isHeld) await lock.release();
  for (const end of ['', '.holder']) await host.disk.remove(`${path}${end}`);
  return !lock.isHeld;
}
