/** Keys whose moment is remembered one by one; of older ones only that they may have been touched. */
export const TOUCHED_KEYS_MAX = 10_000;

/**
 * Which keys were touched since a moment. Whoever reads a row notes the moment before, and uses what was read only if the
 * key was not touched meanwhile: so an older state never replaces a newer one, whichever answer of the store is slower.
 */
export class Touches {
  readonly #keysMax: number;
  readonly #touched = new Map<string, number>();
  #forgottenAt = 0;
  #now = 0;

  constructor(keysMax = TOUCHED_KEYS_MAX) {
    this.#keysMax = keysMax;
  }

  get moment(): number {
    return this.#now;
  }

  touch(key: string): void {
    this.#touched.delete(key);
    this.#touched.set(key, ++this.#now);
    if (this.#touched.size <= this.#keysMax) return;
    const [oldest, moment] = this.#touched.entries().next().value as [string, number];
    this.#touched.delete(oldest);
    this.#forgottenAt = moment;
  }

  touchAll(): void {
    this.#touched.clear();
    this.#forgottenAt = ++this.#now;
  }

  /** True when it was touched after the moment, or may have been. */
  since(key: string, moment: number): boolean {
    return (this.#touched.get(key) ?? this.#forgottenAt) > moment;
  }
}
