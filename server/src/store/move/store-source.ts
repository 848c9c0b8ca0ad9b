import {
  type Change,
  type ChangedThing,
  MOVED_PER_WRITE_MAX,
  type RecordKind,
  type Revision,
  type Store,
} from '../store.ts';
import { FeedGapError, MoveError } from './move-error.ts';
import { type MoveRow, RECORD_KINDS, withMd5 } from './move-row.ts';
import type { Patience } from './patience.ts';

/** What rows are read from: a store, or a backup of one. */
export interface MoveSource {
  readonly place: string;
  /** Of what never changes: tells it from another one at the same place. */
  readonly identity?: string;
  /** All rows; from a cursor on, those that were not told before it and perhaps some again. */
  pages(cursor?: string): AsyncIterable<MovePage>;
  /** What has changed after a revision; a backup never does. */
  changes?(after: Revision): AsyncIterable<ChangedPage>;
  revision?(): Promise<Revision>;
}

export interface MovePage {
  readonly rows: readonly MoveRow[];
  /** Where to go on after this page. */
  readonly cursor: string;
  /** Rows that the source itself found damaged and left out, in words. */
  readonly damaged: readonly string[];
}

export interface ChangedPage {
  readonly rows: readonly MoveRow[];
  readonly upTo: Revision;
}

const CHANGES_AT_ONCE = 500;
/** A source that is written without end is left behind after so many pages. */
const CHANGE_PAGES_MAX = 1000;

type Section = `record:${RecordKind}` | 'config' | 'variant' | 'history';
const SECTIONS: readonly Section[] = [
  ...RECORD_KINDS.map((kind): Section => `record:${kind}`),
  ...(['config', 'variant', 'history'] as const),
];

export class StoreSource implements MoveSource {
  readonly place: string;
  readonly #store: Store;
  readonly #patience: Patience;

  constructor(store: Store, place: string, patience: Patience) {
    this.#store = store;
    this.place = place;
    this.#patience = patience;
  }

  async *pages(cursor?: string): AsyncGenerator<MovePage> {
    let [section, after] = cursor === undefined ? [SECTIONS[0]!, undefined] : readCursor(cursor);
    for (;;) {
      const page = await this.#patience.with(() => this.#read(section, after));
      const next = SECTIONS[SECTIONS.indexOf(section) + 1];
      // The end stays at the last page, where later rows will be found.
      if (page.next !== undefined) after = page.next;
      else if (next !== undefined) [section, after] = [next, undefined];
      yield { rows: page.rows, cursor: `${section} ${after ?? ''}`, damaged: page.damaged };
      if (page.next === undefined && next === undefined) return;
    }
  }

  revision(): Promise<Revision> {
    return this.#patience.with(() => this.#store.revision());
  }

  async *changes(after: Revision): AsyncGenerator<ChangedPage> {
    let from = after;
    for (let pages = 0; pages < CHANGE_PAGES_MAX; pages += 1) {
      const ask = () => this.#patience.with(() => this.#store.changes(from, CHANGES_AT_ONCE));
      let page = await ask();
      // A server that was started again is told once, in case that something is gone: here all rows are compared anyway.
      if (page.gap) page = await ask();
      if (page.gap) throw new FeedGapError(`${this.place} changed more meanwhile than its feed keeps`);
      from = page.upTo;
      if (page.changes.length > 0) yield { rows: await this.#rowsOf(page.changes), upTo: page.upTo };
      if (page.changes.length < CHANGES_AT_ONCE) return;
    }
  }

  async #read(section: Section, after: string | undefined) {
    const store = this.#store;
    switch (section) {
      case 'config': {
        const { items, next, damaged = [] } = await store.scanConfigs(MOVED_PER_WRITE_MAX, after);
        return { rows: items.map((row): MoveRow => ({ what: 'config', row: withMd5(row) })), next, damaged };
      }
      case 'variant': {
        const { items, next, damaged = [] } = await store.scanVariants(MOVED_PER_WRITE_MAX, after);
        return { rows: items.map((row): MoveRow => ({ what: 'variant', row: withMd5(row) })), next, damaged };
      }
      case 'history': {
        if (store.scanHistory === undefined) return { rows: [], next: undefined, damaged: [] };
        const { items, next, damaged = [] } = await store.scanHistory(MOVED_PER_WRITE_MAX, after);
        return { rows: items.map((row): MoveRow => ({ what: 'history', row: withMd5(row) })), next, damaged };
      }
      default: {
        const kind = section.slice('record:'.length) as RecordKind;
        const { items, next, damaged = [] } = await store.scanRecords(kind, MOVED_PER_WRITE_MAX, after);
        return { rows: items.map((row): MoveRow => ({ what: 'record', row })), next, damaged };
      }
    }
  }

  /** Each thing once, as it is now. */
  async #rowsOf(changes: readonly Change[]): Promise<readonly MoveRow[]> {
    const things = new Map(changes.map(({ what }) => [JSON.stringify(what), what]));
    const rows: MoveRow[] = [];
    for (const thing of things.values()) rows.push(...(await this.#patience.with(() => this.#rowsOfThing(thing))));
    return rows;
  }

  async #rowsOfThing(thing: ChangedThing): Promise<readonly MoveRow[]> {
    switch (thing.kind) {
      case 'config': {
        const row = await this.#store.getConfig(thing.key);
        if (row !== undefined) return [{ what: 'config', row: withMd5(row) }];
        return [{ what: 'gone', row: { of: 'config', key: thing.key } }];
      }
      case 'variant': {
        const rows = await this.#store.getVariants(thing.key);
        const but = rows.map(({ variant }) => variant);
        const kept = rows.map((row): MoveRow => ({ what: 'variant', row: withMd5(row) }));
        return [{ what: 'gone', row: { of: 'variants', key: thing.key, but } }, ...kept];
      }
      default: {
        const { kind, key } = thing;
        const row = await this.#store.getRecord(kind, key);
        return row === undefined ? [{ what: 'gone', row: { of: 'record', kind, key } }] : [{ what: 'record', row }];
      }
    }
  }
}

/** Also what a state file says, which a hand may have changed. */
function readCursor(cursor: string): [Section, string | undefined] {
  const at = cursor.indexOf(' ');
  const section = SECTIONS.find((one) => one === cursor.slice(0, at));
  if (section === undefined) throw new MoveError(`nothing goes on from ${JSON.stringify(cursor)}`);
  const after = cursor.slice(at + 1);
  return [section, after === '' ? undefined : after];
}
