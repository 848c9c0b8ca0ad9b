import { fdatasyncSync, fstatSync, readdirSync } from 'node:fs';
import { fileIdentity } from './file-identity.ts';

/** Where Linux lists what this process has open. */
const OPEN_FILES = '/proc/self/fd';

/**
 * A file that some library has open in this process. To open it once more, only to make it durable, would be wrong for
 * one with locks: POSIX ends all that a process has on a file as soon as it closes any descriptor of it.
 */
export class OpenFile {
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Waits until what was written to it is on the disk. False when nobody has it open, or that cannot be found out here. */
  sync(): boolean {
    const identity = fileIdentity(this.#path);
    if (identity === undefined) return false;
    if (this.#descriptor === undefined || identityOf(this.#descriptor) !== identity) {
      this.#descriptor = descriptors().find((descriptor) => identityOf(descriptor) === identity);
    }
    if (this.#descriptor === undefined) return false;
    try {
      fdatasyncSync(this.#descriptor);
      return true;
    } catch {
      return false;
    }
  }
}

function descriptors(): number[] {
  try {
    return readdirSync(OPEN_FILES).map(Number);
  } catch {
    return [];
  }
}

function identityOf(descriptor: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
