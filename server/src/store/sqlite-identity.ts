import { fileIdentity } from '@nacos-kube/core/host/node/file-identity.ts';

/** Under the name of the file that was opened there is another one, or none. */
export class MovedFileError extends Error {
  override readonly name = 'MovedFileError';
}

/**
 * In WAL mode sqlite goes on with a file that was removed or replaced: what it acknowledges then is in a file without a
 * name, and gone with the process. Its log has no other name than that of the new file, so such a file is not even closed.
 */
export class SqliteIdentity {
  readonly #path: string;
  #opened: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Also of one that is opened again. */
  opened(): void {
    this.#opened ??= fileIdentity(this.#path);
  }

  require(): void {
    if (this.#opened === undefined) return;
    const found = fileIdentity(this.#path);
    if (found === this.#opened) return;
    throw new MovedFileError(found === undefined ? 'it was removed' : 'another file took its place');
  }
}
