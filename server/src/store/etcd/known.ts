import type { Revision } from '../store.ts';
import type { ConfigHead } from './values.ts';

/** Those written last by this process; of another one the next write finds what stands, at the price of one more call. */
const CONFIGS_MAX = 5000;

export interface KnownConfig {
  readonly head: ConfigHead;
  readonly modRevision: Revision;
}

/**
 * What this process has seen last. A write that begins with it needs one call instead of two, and nothing depends on its
 * being so still: the transaction compares.
 */
export class Known {
  /** Etcd's, at least. */
  revision: Revision = 0;
  /** Undefined until it was read. */
  floor: { readonly value: number; readonly modRevision: Revision } | undefined;
  readonly #configs = new Map<string, KnownConfig>();

  config(name: string): KnownConfig | undefined {
    return this.#configs.get(name);
  }

  wrote(name: string, known: KnownConfig): void {
    this.#configs.delete(name);
    this.#configs.set(name, known);
    if (this.#configs.size <= CONFIGS_MAX) return;
    for (const oldest of this.#configs.keys()) {
      this.#configs.delete(oldest);
      return;
    }
  }

  forgetAll(): void {
    this.revision = 0;
    this.floor = undefined;
    this.#configs.clear();
  }

  forget(name: string): void {
    this.#configs.delete(name);
  }
}
