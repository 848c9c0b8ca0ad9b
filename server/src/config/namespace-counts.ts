import type { Changes } from '@nacos-kube/core/changes.ts';
import type { CacheChange } from './cache.ts';

/** How many configurations each namespace has, kept as they come and go: the console asks for all of them at once. */
export class NamespaceCounts {
  readonly #counts = new Map<string, number>();

  constructor(changes: Changes<CacheChange>) {
    changes.subscribe(({ before, after }) => {
      if (before === undefined && after !== undefined) this.#add(after.key.namespaceId, 1);
      if (before !== undefined && after === undefined) this.#add(before.key.namespaceId, -1);
    });
  }

  /** The empty text is the public one. */
  of(namespaceId: string): number {
    return this.#counts.get(namespaceId) ?? 0;
  }

  #add(namespaceId: string, by: 1 | -1): void {
    const count = this.of(namespaceId) + by;
    if (count > 0) this.#counts.set(namespaceId, count);
    else this.#counts.delete(namespaceId);
  }
}
