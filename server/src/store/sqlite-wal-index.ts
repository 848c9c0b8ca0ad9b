import { OpenFile } from '@nacos-kube/core/host/node/open-file.ts';

/** https://www.sqlite.org/walformat.html, "The WAL-Index File Format"; numbers are in the order of this machine. */
const VERSION = { at: 0, is: 3_007_000 };
/** How many pages of the log are in the database ("nBackfill"). */
const COPIED_AT = 96;

/**
 * The file that all connections to a database in WAL mode have in memory (`-shm`), by the descriptor of one of them.
 * The caller has one of these connections and keeps it while it uses this.
 */
export class WalIndex {
  readonly #file: OpenFile;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Undefined when it cannot be reached here, or is none that is known. `path`: of the database, no link to it. */
  static of(path: string): WalIndex | undefined {
    const file = OpenFile.at(`${path}-shm`);
    if (file === undefined) return undefined;
    return numberAt(file, VERSION.at) === VERSION.is ? new WalIndex(file) : undefined;
  }

  /**
   * From now on nothing of the log counts as copied, so the next checkpoint of whatever process copies all of it. As at the
   * recovery of a log, that is always right: readers take from the log whatever is in it.
   *
   * For a database that could not be synced. Sqlite syncs it only at the end of a checkpoint during which nothing was
   * written; what others copied already counts. Linux tells each open descriptor once of pages that it failed to write,
   * none that is opened after somebody was told, and takes them as written from then on. So whoever copies forgets when
   * it has opened the file, for what was told before, and when it is told itself. A pass of another process that is under way
   * may count again what it has copied: that process is told as well, when it syncs.
   */
  forgetCopied(): void {
    this.#file.write(COPIED_AT, new Uint8Array(Uint32Array.BYTES_PER_ELEMENT));
  }
}

function numberAt(file: OpenFile, at: number): number | undefined {
  const bytes = file.read(at, Uint32Array.BYTES_PER_ELEMENT);
  return new Uint32Array(Uint8Array.from(bytes).buffer)[0];
}
