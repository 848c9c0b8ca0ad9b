import { fileIdentity } from '@nacos-kube/core/host/node/file-identity.ts';

/** Under the name of the file that was opened, or of its log, there is another one, or none. */
export class MovedFileError extends Error {
  override readonly name = 'MovedFileError';
}

interface OpenedFile {
  readonly path: string;
  readonly what: string;
  opened?: string | undefined;
}

/**
 * In WAL mode sqlite goes on with a file that was removed or replaced: what it acknowledges then is in a file without a
 * name, and gone with the process. Its log has no other name than that of the new file, so such a file is not even closed.
 * A log that was removed is as bad: it stands beside the file for as long as anybody has that open.
 */
export class SqliteIdentity {
  readonly #log: OpenedFile;
  readonly #files: readonly OpenedFile[];

  constructor(path: string) {
    this.#log = { path: `${path}-wal`, what: 'its log' };
    this.#files = [{ path, what: 'it' }, this.#log];
  }

  /** Also of one that is opened again. */
  opened(): void {
    for (const file of this.#files) file.opened ??= fileIdentity(file.path);
  }

  /** Who closes it as the last one removes the log. */
  closed(): void {
    this.#log.opened = undefined;
  }

  require(): void {
    for (const { path, what, opened } of this.#files) {
      if (opened === undefined) continue;
      const found = fileIdentity(path);
      if (found === opened) continue;
      throw new MovedFileError(`${what} was ${found === undefined ? 'removed' : 'replaced by another file'}`);
    }
  }
}
