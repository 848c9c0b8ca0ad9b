import type { Store } from '../store/store.ts';

/** What the store has committed, in order; no content is written twice. */
export class CommitLog {
  readonly #contents = new Map<string, string[]>();

  /** Configurations that were ever written. */
  get size(): number {
    return this.#contents.size;
  }

  /** A store that notes each commit in the turn in which it happens. */
  watching<T extends Store>(store: T): T {
    const putConfig = store.putConfig.bind(store);
    store.putConfig = async (write) => {
      const written = await putConfig(write);
      if (written.outcome === 'written') this.#noted(write.dataId).push(write.content);
      return written;
    };
    return store;
  }

  /** -1 when it was never committed. */
  placeOf(dataId: string, content: string): number {
    return this.#noted(dataId).indexOf(content);
  }

  last(dataId: string): string | undefined {
    return this.#noted(dataId).at(-1);
  }

  #noted(dataId: string): string[] {
    let contents = this.#contents.get(dataId);
    if (contents === undefined) {
      contents = [];
      this.#contents.set(dataId, contents);
    }
    return contents;
  }
}
