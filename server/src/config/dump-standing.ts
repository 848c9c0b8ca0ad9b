import type { DumpName, ViewKey } from './dump-file.ts';

/** Beyond it all is forgotten, which costs a write of each. */
export const STANDING_MAX = 20_000;

/**
 * The version of each key that this process wrote last for the generation that counts: what is published again before
 * another version had its turn need not be written. Forgotten wherever it is not sure.
 */
export class Standing {
  readonly #names = new Map<ViewKey, DumpName>();

  has(key: ViewKey, name: () => DumpName): boolean {
    const standing = this.#names.get(key);
    return standing !== undefined && standing === name();
  }

  note(key: ViewKey, name: DumpName): void {
    if (this.#names.size >= STANDING_MAX) this.#names.clear();
    this.#names.set(key, name);
  }

  forget(key: ViewKey): void {
    this.#names.delete(key);
  }

  forgetAll(): void {
    this.#names.clear();
  }
}
