import { open } from 'node:fs/promises';
import { DiskError } from '../host.ts';

const PIECE_BYTES = 1024 * 1024;
const LINE_END = 10;

/**
 * The lines of a file that may be larger than memory, as bytes without their ends; the last one is told also when no end
 * follows it. A longer line than `lineBytesMax` is an error.
 */
export async function* fileLines(path: string, lineBytesMax: number): AsyncGenerator<FileLine> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of piecesOf(path)) {
    let start = 0;
    for (let end = piece.indexOf(LINE_END); end >= 0; end = piece.indexOf(LINE_END, start)) {
      yield { bytes: Buffer.concat([...begun, piece.subarray(start, end)]), isEnded: true };
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    if (start < piece.length) begun.push(piece.subarray(start));
    begunBytes += piece.length - start;
    if (begunBytes > lineBytesMax) throw new DiskError('io', `reading ${path}: a line is over ${lineBytesMax} bytes`);
  }
  if (begunBytes > 0) yield { bytes: Buffer.concat(begun), isEnded: false };
}

export interface FileLine {
  readonly bytes: Uint8Array;
  /** False only of the last line, when the file ends without a line end. */
  readonly isEnded: boolean;
}

async function* piecesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(new Uint8Array(PIECE_BYTES), 0, PIECE_BYTES, null);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof DiskError) throw cause;
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new DiskError(isMissing ? 'missing' : 'io', `reading ${path}: ${(cause as Error).message}`, { cause });
  }
}
