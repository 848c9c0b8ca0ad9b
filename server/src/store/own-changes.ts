import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import type { Change, ChangePage, Revision } from './store.ts';

/** Of more than this the oldest are forgotten, and read from where they are stored. */
export const OWN_CHANGES_MAX = 4_096;

type ReadPage = (from: Revision, limit: number) => Promise<ChangePage>;

/**
 * The configurations that this process has published, until the feed has told them: from memory, where to read each of
 * them again would cost a part of what its publish did. For engines that count their revisions one by one: what follows
 * without a hole is told from here; behind a hole somebody else may have written, or this process something else.
 */
export class OwnChanges {
  readonly #byRevision = new Map<Revision, Change>();
  readonly #readAgain: () => void;
  #underWay = 0;
  /** Somebody was told what is ours, and not what may stand behind it. */
  #isHalfRead = false;

  /** `readAgain`: has the feed read. */
  constructor(readAgain: () => void) {
    this.#readAgain = readAgain;
  }

  /** A publish begins; `ended` follows, and before it `note` if it was written. */
  began(): void {
    this.#underWay += 1;
  }

  /** In the order of the revisions, else it is told later than it could be. */
  note(revision: Revision, { dataId, group, namespaceId }: ConfigKey): void {
    const what = { kind: 'config', key: { dataId, group, namespaceId } } as const;
    this.#byRevision.set(revision, { revision, what, removed: false });
    if (this.#byRevision.size <= OWN_CHANGES_MAX) return;
    const [oldest] = this.#byRevision.keys();
    this.#byRevision.delete(oldest!);
  }

  ended(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0 || !this.#isHalfRead) return;
    this.#isHalfRead = false;
    this.#readAgain();
  }

  /** At most `limit` changes behind the revision; `read` asks the engine for them. */
  async page(from: Revision, limit: number, read: ReadPage): Promise<ChangePage> {
    const own = this.#following(from, limit);
    if (own.length === 0) return this.#read(from, limit, read);
    const upTo = own.at(-1)!.revision;
    // What is under way tells by its revisions soon whether anybody else has written; most often nobody has.
    const isWorthWaiting = this.#underWay > 0 && this.#byRevision.size === own.length;
    this.#isHalfRead ||= isWorthWaiting;
    if (isWorthWaiting || own.length === limit) return { gap: false, changes: own, upTo };
    const page = await this.#read(upTo, limit - own.length, read);
    return page.gap ? page : { ...page, changes: own.concat(page.changes) };
  }

  async #read(from: Revision, limit: number, read: ReadPage): Promise<ChangePage> {
    const page = await read(from, limit);
    // Behind a gap revisions may have begun anew, and be given to others.
    if (page.gap) this.#byRevision.clear();
    return page;
  }

  /** Those up to the revision are not needed again. */
  #following(from: Revision, limit: number): Change[] {
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
    return changes;
  }
}
