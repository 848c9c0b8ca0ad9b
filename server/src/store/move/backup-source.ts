import { DiskError } from '@nacos-kube/core/host/host.ts';
import { fileLines } from '@nacos-kube/core/host/node/file-lines.ts';
import { MOVED_PER_WRITE_MAX } from '../store.ts';
import { BACKUP_LINE_BYTES_MAX, BackupDecoder, BackupError, type BackupHeader } from './backup-file.ts';
import { MoveError } from './move-error.ts';
import type { MoveRow } from './move-row.ts';
import type { MovePage, MoveSource } from './store-source.ts';

const PAGE_CHARS_MAX = 2 * 1024 * 1024;

/** A backup as what it was made of; `checkBackup` first, for rows of a torn file are told until the tear. */
export class BackupSource implements MoveSource {
  readonly place: string;
  readonly identity: string;
  readonly #path: string;

  constructor(path: string, { sha256 }: Pick<BackupFacts, 'sha256'>) {
    this.#path = path;
    this.place = `backup ${path}`;
    this.identity = `sha256 ${sha256}`;
  }

  /** A cursor is the number of rows before it. */
  async *pages(cursor = '0'): AsyncGenerator<MovePage> {
    const skipped = Number(cursor);
    if (!Number.isSafeInteger(skipped)) throw new MoveError(`nothing goes on from ${JSON.stringify(cursor)}`);
    let rows: MoveRow[] = [];
    let chars = 0;
    let count = 0;
    for await (const line of linesOf(this.#path)) {
      if (line.kind !== 'row') continue;
      count += 1;
      if (count <= skipped) continue;
      rows.push(line.row);
      chars += 'content' in line.row.row ? line.row.row.content.length : 0;
      if (rows.length < MOVED_PER_WRITE_MAX && chars < PAGE_CHARS_MAX) continue;
      yield { rows, cursor: String(count), damaged: [] };
      rows = [];
      chars = 0;
    }
    if (rows.length > 0) yield { rows, cursor: String(count), damaged: [] };
  }
}

export interface BackupFacts {
  readonly header: BackupHeader;
  readonly rows: number;
  readonly counts: ReadonlyMap<string, number>;
  /** Of all bytes before the last line. */
  readonly sha256: string;
}

/** Reads all of it; throws `MoveError` when it is not whole and unaltered. */
export async function checkBackup(path: string): Promise<BackupFacts> {
  let header: BackupHeader | undefined;
  let rows = 0;
  let sha256 = '';
  const counts = new Map<string, number>();
  for await (const line of linesOf(path)) {
    if (line.kind === 'header') header = line.header;
    if (line.kind === 'end') sha256 = line.sha256;
    if (line.kind !== 'row') continue;
    rows += 1;
    counts.set(line.row.what, (counts.get(line.row.what) ?? 0) + 1);
  }
  return { header: header!, rows, counts, sha256 };
}

async function* linesOf(path: string) {
  const decoder = new BackupDecoder();
  try {
    for await (const { bytes, isEnded } of fileLines(path, BACKUP_LINE_BYTES_MAX)) yield decoder.take(bytes, isEnded);
    decoder.finish();
  } catch (cause) {
    if (cause instanceof DiskError && cause.kind === 'missing')
      throw new MoveError(`there is no file ${path}`, { cause });
    if (!(cause instanceof BackupError)) throw cause;
    throw new MoveError(`backup ${path}: ${cause.message}`, { cause });
  }
}
