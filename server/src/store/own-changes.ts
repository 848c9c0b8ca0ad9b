import type { Change, Revision } from './store.ts';

/** Of more than this the oldest are forgotten, and read from where they are stored. */
export const OWN_CHANGES_MAX = 4_096;

/**
 * What this process has committed, until the feed has told it: from memory, where to read each row again would cost a
 * third of what its publish did. Only what follows without a hole is told from here, for what is between two of ours
 * may be somebody else's.
 */
export class OwnChanges {
  readonly #byRevision = new Map<Revision, Change>();

  /** In the order of their revisions. */
  note(change: Change): void {
    this.#byRevision.set(change.revision, change);
    if (this.#byRevision.size <= OWN_CHANGES_MAX) return;
    const [oldest] = this.#byRevision.keys();
    this.#byRevision.delete(oldest!);
  }

  /**
   * At most `limit` that follow the revision; those up to it are not needed again. `isCut`: there are later ones, behind
   * the limit or behind what is not ours.
   */
  following(from: Revision, limit: number): { readonly changes: readonly Change[]; readonly isCut: boolean } {
    for (const revision of this.#byRevision.keys()) {
      if (revision > from) break;
      this.#byRevision.delete(revision);
    }
    const changes: Change[] = [];
    while (changes.length < limit) {
      const change = this.#byRevision.get(from + changes.length + 1);
      if (change === undefined) break;
      changes.push(change);
    }
    return { changes, isCut: this.#byRevision.size > changes.length };
  }
}
