import type { Host } from '@nacos-kube/core/host/host.ts';
import type { DumpName } from './dump-file.ts';
import { readEntry } from './dump-walk.ts';

/** Between files of one millisecond. */
const STAMP_STEP_MS = 0.001;

/**
 * When a file was written, which says of the versions of one key the one that counts: so it is later than those of all
 * files of the key and than that of the mark, also where the wall clock went back, or was ahead for a while.
 */
export class Stamps {
  /** Every file that an earlier process left was looked at; until then those of a key are when its turn comes. */
  knowsAll = false;
  readonly #host: Host;
  readonly #directory: string;
  #lastMs = 0;

  constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = directory;
  }

  next(): number {
    const nowMs = this.#host.clock.now();
    this.#lastMs = nowMs > this.#lastMs ? nowMs : this.#lastMs + STAMP_STEP_MS;
    return this.#lastMs;
  }

  raise(stampMs: number): void {
    if (stampMs > this.#lastMs) this.#lastMs = stampMs;
  }

  async know(names: readonly DumpName[]): Promise<void> {
    if (this.knowsAll) return;
    for (const name of names) {
      const entry = await readEntry(this.#host, this.#directory, name);
      this.raise(entry?.file?.writtenMs ?? 0);
    }
  }
}
