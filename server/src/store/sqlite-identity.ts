import { fileIdentity, realPath } from '@nacos-kube/core/host/node/file-identity.ts';

/** Under the name of the file that was opened, or of its log, there is another one, or none. */
export class MovedFileError extends Error {
  override readonly name = 'MovedFileError';
}

/** Of the files that were opened, as `fileIdentity` tells them. */
export interface OpenedFiles {
  /** No link to it: sqlite puts its files beside the one that is meant. */
  readonly path: string;
  readonly file: string | undefined;
  readonly log: string | undefined;
}

interface OpenedFile {
  readonly path: string;
  readonly what: string;
  readonly opened: string | undefined;
}

/**
 * In WAL mode sqlite goes on with a file that was removed or replaced: what it acknowledges then is in a file without a
 * name, and gone with the process. Its log has no other name than that of the new file, so such a file is not even closed.
 * A log that was removed is as bad: it stands beside the file for as long as anybody has that open.
 */
export class SqliteIdentity {
  readonly #path: string;
  #opened: OpenedFiles;

  /** `opened`: by somebody else in this process. */
  constructor(path: string, opened: OpenedFiles = { path, file: undefined, log: undefined }) {
    this.#path = path;
    this.#opened = opened;
  }

  /** Also of one that is opened again. */
  opened(): OpenedFiles {
    const { file, log } = this.#opened;
    const path = realPath(this.#path);
    this.#opened = { path, file: file ?? fileIdentity(path), log: log ?? fileIdentity(logOf(path)) };
    return this.#opened;
  }

  /** Who closes it as the last one removes the log. */
  closed(): void {
    this.#opened = { ...this.#opened, log: undefined };
  }

  require(): void {
    const { path, file, log } = this.#opened;
    requireSame({ path: this.#path, what: 'it', opened: file });
    requireSame({ path: logOf(path), what: 'its log', opened: log });
  }
}

function requireSame({ path, what, opened }: OpenedFile): void {
  if (opened === undefined) return;
  const found = fileIdentity(path);
  if (found === opened) return;
  throw new MovedFileError(`${what} was ${found === undefined ? 'removed' : 'replaced by another file'}`);
}

function logOf(path: string): string {
  return `${path}-wal`;
}
