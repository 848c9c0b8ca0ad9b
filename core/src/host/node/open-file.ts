import { fdatasyncSync, fstatSync, readdirSync, readSync, writeSync } from 'node:fs';
import { fileIdentity } from './file-identity.ts';

/** Where Linux lists what this process has open. */
const OPEN_FILES = '/proc/self/fd';

/** No descriptor of this process leads to the file, or not any more. */
export class NotOpenError extends Error {
  override readonly name = 'NotOpenError';
}

/**
 * A file that some library has open in this process, used by the descriptor of that library. To open it once more would be
 * wrong for one with locks: POSIX ends all that a process has on a file as soon as it closes any descriptor of it.
 * Whoever uses it takes care that the library keeps it open meanwhile. All calls throw `NotOpenError` and errors of the disk.
 */
export class OpenFile {
  readonly #identity: string;
  readonly #others: readonly number[];
  #descriptor: number | undefined;

  private constructor(identity: string, others: readonly number[]) {
    this.#identity = identity;
    this.#others = others;
  }

  /**
   * Undefined when no file has that name, none that is open in this process, or that cannot be found out here. `others`:
   * descriptors that are used only if there is none beside them.
   */
  static at(path: string, others: readonly number[] = []): OpenFile | undefined {
    const identity = fileIdentity(path);
    if (identity === undefined) return undefined;
    const file = new OpenFile(identity, others);
    return file.#found() === undefined ? undefined : file;
  }

  /** All that lead to it. */
  get descriptors(): readonly number[] {
    return descriptors().filter((descriptor) => identityOf(descriptor) === this.#identity);
  }

  /** Waits until what was written to it, by whatever descriptor, is on the disk. */
  sync(): void {
    try {
      this.#use((descriptor) => fdatasyncSync(descriptor));
    } catch (error) {
      // Closed by its owner meanwhile; another one does as well.
      if (identityOf(this.#descriptor) === this.#identity) throw error;
      this.#use((descriptor) => fdatasyncSync(descriptor));
    }
  }

  /** `length` bytes from `at` on, fewer where it ends. */
  read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(
      0,
      this.#use((descriptor) => readSync(descriptor, bytes, 0, length, at)),
    );
  }

  write(at: number, bytes: Uint8Array): void {
    this.#use((descriptor) => writeSync(descriptor, bytes, 0, bytes.length, at));
  }

  #use<Result>(run: (descriptor: number) => Result): Result {
    const descriptor = this.#found();
    if (descriptor === undefined) throw new NotOpenError(`no open file ${this.#identity}`);
    const result = run(descriptor);
    // Were it closed meanwhile, its number may have become that of another file.
    if (identityOf(descriptor) !== this.#identity) throw new NotOpenError(`file ${this.#identity} was closed`);
    return result;
  }

  #found(): number | undefined {
    if (identityOf(this.#descriptor) !== this.#identity) {
      const all = this.descriptors;
      this.#descriptor = all.find((descriptor) => !this.#others.includes(descriptor)) ?? all[0];
    }
    return this.#descriptor;
  }
}

function descriptors(): number[] {
  try {
    return readdirSync(OPEN_FILES).map(Number);
  } catch {
    return [];
  }
}

function identityOf(descriptor: number | undefined): string | undefined {
  if (descriptor === undefined) return undefined;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
