import { createHash, type Hash, hash } from 'node:crypto';
import type { MoveRow } from './move-row.ts';

/**
 * A backup of a store, as lines of text (docs/operating/moving.md, "The file of a backup"):
 *
 *     nacos-kube-backup 1 {"from":..,"kind":..,"atMs":..}
 *     <md5 of what follows it> {"what":"config","row":{..}}
 *     ...
 *     end <number of rows> <sha256 of all bytes before this line>
 *
 * A flipped byte shows in its line, a lost or foreign line in the last one, a torn file by the lack of that. A later row
 * of the same name takes the place of an earlier one.
 */
export const BACKUP_VERSION = 1;
const MAGIC = 'nacos-kube-backup';
/** Of the largest content, each of its UTF-16 units escaped. */
export const BACKUP_LINE_BYTES_MAX = 80 * 1024 * 1024;

export interface BackupHeader {
  readonly from: string;
  readonly kind: string;
  readonly atMs: number;
}

export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** Makes the lines of a file, one after the other. */
export class BackupEncoder {
  readonly #hash: Hash = createHash('sha256');
  #rows = 0;

  get rows(): number {
    return this.#rows;
  }

  header(header: BackupHeader): string {
    return this.#line(`${MAGIC} ${BACKUP_VERSION} ${JSON.stringify(header)}`);
  }

  row(row: MoveRow): string {
    this.#rows += 1;
    const json = JSON.stringify(row);
    return this.#line(`${hash('md5', json)} ${json}`);
  }

  end(): string {
    return `end ${this.#rows} ${this.#hash.digest('hex')}\n`;
  }

  #line(text: string): string {
    const line = `${text}\n`;
    this.#hash.update(line);
    return line;
  }
}

export type BackupLine =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | { readonly kind: 'row'; readonly row: MoveRow }
  | { readonly kind: 'end'; readonly rows: number; readonly sha256: string };

/** Reads what `BackupEncoder` made; throws `BackupError` for all else. `finish` throws when the end is missing. */
export class BackupDecoder {
  readonly #hash: Hash = createHash('sha256');
  #rows = 0;
  #lines = 0;
  #isEnded = false;

  take(bytes: Uint8Array, isWhole: boolean): BackupLine {
    this.#lines += 1;
    if (this.#isEnded) throw this.#wrong('something follows the end');
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    if (this.#lines === 1 && !text.startsWith(MAGIC)) throw new BackupError('it is no backup of nacos-kube');
    if (!isWhole) throw this.#wrong('the file is torn: its last line is not whole');
    if (this.#lines === 1) return this.#header(text);
    if (text.startsWith('end ')) return this.#end(text);
    this.#hash.update(bytes).update('\n');
    return this.#row(text);
  }

  finish(): void {
    if (this.#lines === 0) throw new BackupError('the file is empty');
    if (!this.#isEnded) throw new BackupError(`the file is torn: it has no end after ${this.#rows} rows`);
  }

  #header(text: string): BackupLine {
    const found = /^nacos-kube-backup (\d+) (\{.*\})$/.exec(text);
    if (found === null) throw new BackupError('it is no backup of nacos-kube');
    if (Number(found[1]) !== BACKUP_VERSION) {
      throw new BackupError(`the file has version ${found[1]}, this program reads ${BACKUP_VERSION}`);
    }
    this.#hash.update(`${text}\n`);
    try {
      return { kind: 'header', header: JSON.parse(found[2]!) as BackupHeader };
    } catch {
      throw this.#wrong('it is no JSON document');
    }
  }

  #row(text: string): BackupLine {
    this.#rows += 1;
    const json = text.slice(33);
    if (text[32] !== ' ' || hash('md5', json) !== text.slice(0, 32)) throw this.#wrong('it does not fit its checksum');
    return { kind: 'row', row: JSON.parse(json) as MoveRow };
  }

  #end(text: string): BackupLine {
    const [, rows, digest] = /^end (\d+) ([0-9a-f]{64})$/.exec(text) ?? [];
    if (Number(rows) !== this.#rows) throw this.#wrong(`it ends after ${this.#rows} rows and says ${rows}`);
    if (this.#hash.digest('hex') !== digest) throw this.#wrong('the file does not fit its checksum');
    this.#isEnded = true;
    return { kind: 'end', rows: this.#rows, sha256: digest };
  }

  #wrong(why: string): BackupError {
    return new BackupError(`line ${this.#lines}: ${why}`);
  }
}
