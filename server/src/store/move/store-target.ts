import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { variantText } from '../history.ts';
import { type MovedRow, type Operator, RECORDS_PER_WRITE_MAX, type Store, StoreError } from '../store.ts';
import { MoveError } from './move-error.ts';
import { type GoneThing, type MoveRow, RECORD_KINDS, rowDigest, rowName, withMd5 } from './move-row.ts';
import type { Patience } from './patience.ts';

/** More rows that the target does not take are no exception any more. */
const REFUSED_MAX = 1000;
const PAST_PER_PAGE = 500;
const NOBODY: Operator = { ip: '', user: null };

/** Puts rows into a store, and looks whether they stand there. */
export class StoreTarget {
  readonly place: string;
  /** Rows that the engine does not take, with its words. */
  readonly refused = new Map<string, string>();
  /** Past writes that the engine has no way to take. */
  pastLeftOut = 0;
  readonly #store: Store;
  readonly #patience: Patience;

  constructor(store: Store, place: string, patience: Patience) {
    this.#store = store;
    this.place = place;
    this.#patience = patience;
  }

  async isEmpty(): Promise<boolean> {
    const store = this.#store;
    const scans = [
      ...RECORD_KINDS.map((kind) => () => store.scanRecords(kind, 1)),
      () => store.scanConfigs(1),
      () => store.scanVariants(1),
      () => store.scanHistory?.(1) ?? Promise.resolve({ items: [], next: undefined }),
    ];
    for (const scan of scans) {
      const { items, next } = await this.#patience.with<{ items: readonly unknown[]; next: string | undefined }>(scan);
      if (items.length > 0 || next !== undefined) return false;
    }
    return true;
  }

  /** In order; resolves once they are committed. What is there already changes nothing. */
  async put(rows: readonly MoveRow[]): Promise<void> {
    for (const run of runsOf(rows)) {
      const [first] = run;
      if (first!.what === 'gone') for (const row of run) await this.#remove(row.row as GoneThing);
      else if (first!.what === 'record') await this.#putRecords(run);
      else await this.#putMoved(run as readonly MovedRow[]);
    }
  }

  /** Whether it stands there as it is said; `gone`: that it does not. */
  async has(row: MoveRow): Promise<boolean> {
    const found = await this.#patience.with(() => this.#find(row));
    if (row.what === 'gone') return found === undefined;
    return found !== undefined && rowDigest(found) === rowDigest(row);
  }

  async #putRecords(rows: readonly MoveRow[]): Promise<void> {
    const records = rows.flatMap((row) => (row.what === 'record' ? [row] : []));
    if (records.length === 0) return;
    for (let start = 0; start < records.length; start += RECORDS_PER_WRITE_MAX) {
      const together = records.slice(start, start + RECORDS_PER_WRITE_MAX);
      await this.#each(together, (some) => this.#store.putRecords(some.map(({ row }) => row)));
    }
  }

  async #putMoved(rows: readonly MovedRow[]): Promise<void> {
    if (rows.length === 0) return;
    const putMoved = this.#store.putMoved?.bind(this.#store);
    if (putMoved !== undefined) await this.#each(rows, putMoved);
    else for (const row of rows) await this.#each([row], () => this.#write(row));
  }

  /** As one; when the engine does not take one of them, each by itself. */
  async #each<Row extends MoveRow>(
    rows: readonly Row[],
    put: (rows: readonly Row[]) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.#patience.with(() => put(rows));
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'invalid') throw error;
      if (rows.length > 1) for (const row of rows) await this.#each([row], put);
      else this.#refuse(rowName(rows[0]!), error);
    }
  }

  #refuse(name: string, error: StoreError): void {
    this.refused.set(name, error.message);
    if (this.refused.size <= REFUSED_MAX) return;
    throw new MoveError(`${this.place} does not take over ${REFUSED_MAX} rows, the last: ${name}: ${error.message}`);
  }

  /** For an engine that knows only writes of now; one that would change nothing must not become a past one. */
  async #write(moved: MovedRow): Promise<void> {
    const by = { ip: moved.row.sourceIp, user: moved.row.sourceUser };
    if (moved.what === 'history') this.pastLeftOut += 1;
    else if (await this.has(moved)) return;
    else if (moved.what === 'config') await this.#store.putConfig({ ...moved.row, by });
    else await this.#store.putVariant({ ...moved.row, by });
  }

  async #remove(gone: GoneThing): Promise<void> {
    await this.#patience.with(async () => {
      switch (gone.of) {
        case 'config':
          await this.#store.removeConfig(gone.key, NOBODY);
          return;
        case 'variants':
          for (const { variant } of await this.#strayVariants(gone)) await this.#store.removeVariant(gone.key, variant);
          return;
        case 'record':
          await this.#store.removeRecord(gone.kind, gone.key);
      }
    });
  }

  async #strayVariants({ key, but }: Extract<GoneThing, { of: 'variants' }>) {
    const kept = new Set(but.map(variantText));
    return (await this.#store.getVariants(key)).filter(({ variant }) => !kept.has(variantText(variant)));
  }

  async #find(row: MoveRow): Promise<MoveRow | undefined> {
    switch (row.what) {
      case 'config': {
        const found = await this.#store.getConfig(row.row);
        return found && { what: 'config', row: withMd5(found) };
      }
      case 'variant': {
        const text = variantText(row.row.variant);
        const found = (await this.#store.getVariants(row.row)).find(({ variant }) => variantText(variant) === text);
        return found && { what: 'variant', row: withMd5(found) };
      }
      case 'record': {
        const found = await this.#store.getRecord(row.row.kind, row.row.key);
        return found && { what: 'record', row: found };
      }
      case 'history':
        return this.#findPast(row);
      case 'gone':
        return this.#findGone(row);
    }
  }

  async #findGone(row: Extract<MoveRow, { what: 'gone' }>): Promise<MoveRow | undefined> {
    const gone = row.row;
    if (gone.of === 'variants') return (await this.#strayVariants(gone)).length === 0 ? undefined : row;
    if (gone.of === 'record') return (await this.#store.getRecord(gone.kind, gone.key)) && row;
    return (await this.#store.getConfig(gone.key)) && row;
  }

  /** Under its own number, else among the past writes of its configuration. */
  async #findPast(row: Extract<MoveRow, { what: 'history' }>): Promise<MoveRow | undefined> {
    const digest = rowDigest(row);
    const isSame = (nid: string) =>
      this.#past(nid).then((past) => (past && rowDigest(past) === digest ? past : undefined));
    const own = await isSame(row.row.nid);
    if (own !== undefined) return own;
    const { md5, operation } = row.row;
    const key: ConfigKey = row.row;
    for (let offset = 0; ; offset += PAST_PER_PAGE) {
      const { items } = await this.#store.searchHistory(key, offset, PAST_PER_PAGE);
      for (const entry of items) {
        if (entry.operation !== operation || (entry.md5 !== md5 && entry.md5 !== '')) continue;
        const past = await isSame(entry.nid);
        if (past !== undefined) return past;
      }
      if (items.length < PAST_PER_PAGE) return undefined;
    }
  }

  async #past(nid: string): Promise<MoveRow | undefined> {
    const found = await this.#store.getHistory(nid);
    return found && { what: 'history', row: withMd5(found) };
  }
}

/** Neighbours that can be written together. */
function runsOf(rows: readonly MoveRow[]): readonly (readonly MoveRow[])[] {
  const classOf = ({ what }: MoveRow) => (what === 'record' || what === 'gone' ? what : 'moved');
  const runs: MoveRow[][] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last !== undefined && classOf(last[0]!) === classOf(row)) last.push(row);
    else runs.push([row]);
  }
  return runs;
}
