import type { AppendFile, Host } from '@nacos-kube/core/host/host.ts';
import { BackupEncoder } from './backup-file.ts';
import { MoveStoppedError } from './move-error.ts';
import type { Progress } from './progress.ts';
import type { MoveSource } from './store-source.ts';

const PIECE_CHARS = 1024 * 1024;

export interface BackupOptions {
  readonly host: Host;
  readonly source: MoveSource;
  /** Of the engine, for whoever reads the header. */
  readonly kind: string;
  readonly path: string;
  readonly progress: Progress;
  readonly isStopped: () => boolean;
}

/** Writes beside the file and renames once all is on the disk: there is a whole backup of that name or none. */
export async function writeBackup({ host, source, kind, path, progress, isStopped }: BackupOptions): Promise<number> {
  const part = `${path}.part`;
  // Contents may be secrets, and appending would make a file that all may read.
  await host.disk.write(part, '', { mode: 0o600 });
  const file = await host.disk.append(part);
  try {
    const rows = await writeAll(file, { host, source, kind, progress, isStopped });
    await file.sync();
    await file.close();
    await host.disk.rename(part, path);
    return rows;
  } catch (error) {
    await file.close();
    await host.disk.remove(part);
    throw error;
  }
}

async function writeAll(
  file: AppendFile,
  { host, source, kind, progress, isStopped }: Omit<BackupOptions, 'path'>,
): Promise<number> {
  const encoder = new BackupEncoder();
  const revision = await source.revision?.();
  let piece = encoder.header({ from: source.place, kind, atMs: host.clock.now() });
  const write = async (text: string) => {
    piece += text;
    if (piece.length < PIECE_CHARS) return;
    await file.write(piece);
    piece = '';
  };
  let end: string | undefined;
  const pages = async () => {
    for await (const { rows, damaged, cursor } of source.pages(end)) {
      end = cursor;
      if (isStopped()) throw new MoveStoppedError('stopped: no file was written');
      for (const row of rows) await write(encoder.row(row));
      progress.moved(rows);
      progress.damaged(damaged);
    }
  };
  await pages();
  if (revision !== undefined && source.changes !== undefined) {
    let isAny = false;
    for await (const { rows } of source.changes(revision)) {
      for (const row of rows) await write(encoder.row(row));
      progress.moved(rows);
      isAny = true;
    }
    if (isAny) await pages();
  }
  await file.write(`${piece}${encoder.end()}`);
  return encoder.rows;
}
