import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';

/** The process that this is, as the machine knows it. */
export interface OwnProcess {
  readonly pid: number;
  isRunning(pid: number): boolean;
}

export class LockedError extends Error {
  override readonly name = 'LockedError';
}

/** One `up` per cluster: two would start every process twice. A lock whose holder is gone is taken over. */
export async function takeLock(host: Host, file: string, own: OwnProcess): Promise<void> {
  const holder = await readLock(host, file);
  if (holder !== undefined && holder !== own.pid && own.isRunning(holder)) throw locked(file, holder);
  await host.disk.write(file, `${own.pid}\n`, { sync: true });
  // Two that found no lock at the same moment both wrote it: the last one has it.
  const winner = await readLock(host, file);
  if (winner !== own.pid) throw locked(file, winner);
}

export async function releaseLock(host: Host, file: string, own: OwnProcess): Promise<void> {
  if ((await readLock(host, file)) === own.pid) await host.disk.remove(file);
}

function locked(file: string, holder: number | undefined): LockedError {
  return new LockedError(
    `this cluster is run already by process ${holder}: stop that one, or name another directory with --data ` +
      `(if process ${holder} is something else, remove ${file})`,
  );
}

async function readLock(host: Host, file: string): Promise<number | undefined> {
  try {
    const text = new TextDecoder().decode(await host.disk.read(file));
    return /^\d{1,10}\n$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'missing') return undefined;
    throw error;
  }
}
