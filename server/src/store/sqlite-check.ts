import type { Host } from '@nacos-kube/core/host/host.ts';
import { damagedText } from './sqlite-schema.ts';
import { BusyError, SqliteThread } from './sqlite-thread.ts';
import { StoreError } from './store.ts';

/** Looked at in the reader's thread, in some 30 ms; a larger one has a thread of its own. */
const SMALL_FILE_BYTES = 16 * 1024 * 1024;
/** A start waits no longer for it: half a gigabyte is done in a second, the rest is told when it is known. */
export const CHECK_WITHIN_MS = 2_000;

/**
 * Looks through the file before it is opened to be written. Rejects with `StoreError` when its structure is damaged; what
 * single rows hold is checked by their checksums whenever they are read. The file is left as it is.
 */
export async function checkAtStart(host: Host, path: string, reader: SqliteThread): Promise<void> {
  const bytes = (await host.disk.stat(path))?.bytes ?? 0;
  if (bytes === 0) {
    // Made anew, it would be taken for a store in which nothing stands.
    if ((await host.disk.stat(rebuiltPath(path))) === undefined) return;
    const message = `it is missing and ${rebuiltPath(path)} is there: a rebuild was broken off, rename that file to it`;
    throw new StoreError('misconfigured', `sqlite file ${path}: ${message}`);
  }
  const isSmall = bytes <= SMALL_FILE_BYTES;
  const thread = isSmall ? reader : new SqliteThread(host, { path, role: 'reader', changesKept: 0 });
  const found = thread.askOnce('check').finally(() => (isSmall ? undefined : thread.stop()));
  const late = Promise.withResolvers<'late'>();
  const timer = host.clock.after(CHECK_WITHIN_MS, () => late.resolve('late'));
  try {
    const damage = await Promise.race([found, late.promise]);
    if (damage === 'late') host.background('check the sqlite file', tellLate(host, path, found));
    else if (damage !== null) throw new StoreError('misconfigured', `sqlite file ${path}: ${damagedText(damage)}`);
  } catch (error) {
    // Another process holds it just now, and has looked itself; what else it is, the writer will say.
    if (!(error instanceof BusyError) && isDamage(error)) throw error;
  } finally {
    timer.cancel();
  }
}

/** What a rebuild makes before the damaged file is set aside. */
export function rebuiltPath(path: string): string {
  return `${path}.rebuilt`;
}

async function tellLate(host: Host, path: string, found: Promise<string | null>): Promise<void> {
  const startMs = host.clock.monotonic();
  const damage = await found.catch((error: unknown) => {
    host.log.debug('the sqlite file could not be checked to its end', { path, error });
    return null;
  });
  const tookMs = Math.round(host.clock.monotonic() - startMs) + CHECK_WITHIN_MS;
  if (damage === null) host.log.info('the sqlite file was checked behind the start', { path, tookMs });
  else host.log.error(`sqlite file ${path}: ${damagedText(damage)}`, { tookMs });
}

function isDamage(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'misconfigured';
}
