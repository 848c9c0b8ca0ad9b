import type { Host } from '@nacos-kube/core/host/host.ts';
import { HISTORY_KEPT_DAYS } from '../bounds.ts';
import type { Revision } from '../store.ts';
import { type CopyState, readState, START_ANEW, writeState } from './copy-state.ts';
import { FeedGapError, MoveError, MoveStoppedError } from './move-error.ts';
import { isGone, type MoveRow, rowName } from './move-row.ts';
import type { Progress } from './progress.ts';
import type { MoveSource } from './store-source.ts';
import type { StoreTarget } from './store-target.ts';

export interface CopyOptions {
  readonly host: Host;
  readonly source: MoveSource;
  readonly target: StoreTarget;
  readonly statePath: string;
  readonly isIntoExisting: boolean;
  readonly progress: Progress;
  readonly isStopped: () => boolean;
}

export interface CopyResult {
  /** Rows that the target does not have as the source does, in words; the first of them. */
  readonly wrong: readonly string[];
  /** Rows that were compared. */
  readonly compared: number;
}

const COMPARED_AT_ONCE = 16;
const HISTORY_KEPT_MS = HISTORY_KEPT_DAYS * 24 * 3600 * 1000;
/** More differences than this are no exception, and each costs memory. */
const WRONG_MAX = 10_000;

/**
 * Everything of the source into the target, then what changed meanwhile, then every row is compared. Each step may be
 * repeated, so a copy that was stopped goes on at the page it was at.
 */
export async function copyStore(options: CopyOptions): Promise<CopyResult> {
  const { host, source, target, statePath, progress } = options;
  const whose = { from: source.place, to: target.place, identity: source.identity ?? null };
  const known = await readState(host, statePath, whose);
  if (known !== undefined) await requireSame(options, known);
  if (known !== undefined) progress.tell(`going on where ${statePath} says that the last copy was stopped`);
  else if (!options.isIntoExisting && !(await target.isEmpty())) {
    throw new MoveError(`${target.place} is not empty: name an empty one, or write over it with --into-existing`);
  }
  const revision = known === undefined ? ((await source.revision?.()) ?? null) : known.revision;
  const facts = { version: 1, ...whose, revision } as const;
  await writeState(host, statePath, { ...facts, cursor: known?.cursor ?? null, counts: known?.counts ?? {} });

  progress.begin('copied');
  for (const [what, count] of Object.entries(known?.counts ?? {})) progress.counts.set(what, count);
  const end = await copyPages(options, known?.cursor ?? undefined, (cursor) =>
    writeState(host, statePath, { ...facts, cursor, counts: Object.fromEntries(progress.counts) }),
  );
  try {
    const upTo = await catchUp(options, revision, end);
    progress.tell(`copied ${progress.summary()}; comparing them`);
    const result = await compare(options, upTo, end);
    await host.disk.remove(statePath);
    return result;
  } catch (cause) {
    if (!(cause instanceof FeedGapError)) throw cause;
    const advice = `what it removed is still in ${target.place}: empty that, remove ${statePath}, and start anew`;
    throw new MoveError(`${cause.message}; ${advice}`, { cause });
  }
}

/** What can be told of a store: its revision never goes back, and what was copied stands in the target. */
async function requireSame({ source, target, statePath }: CopyOptions, known: CopyState): Promise<void> {
  const revision = (await source.revision?.()) ?? null;
  if (revision !== null && known.revision !== null && revision < known.revision) {
    const facts = `revision ${revision}, and had ${known.revision}`;
    throw new MoveError(`${source.place} is not the store that ${statePath} is of: it has ${facts}; ${START_ANEW}`);
  }
  const rows = Object.values(known.counts).reduce((sum, count) => sum + count, 0);
  if (rows > 0 && (await target.isEmpty())) {
    const message = `${target.place} is empty, but ${statePath} says that ${rows} rows were copied to it: ${START_ANEW}`;
    throw new MoveError(message);
  }
}

/** Resolves with where later past writes will be found. */
async function copyPages(
  { source, target, progress, isStopped }: CopyOptions,
  from: string | undefined,
  reached?: (cursor: string) => Promise<void>,
): Promise<string | undefined> {
  let end = from;
  for await (const { rows, cursor, damaged } of source.pages(from)) {
    requireRunning(isStopped);
    await target.put(rows);
    progress.moved(rows);
    progress.damaged(damaged);
    await reached?.(cursor);
    end = cursor;
  }
  return end;
}

async function catchUp(
  options: CopyOptions,
  revision: Revision | null,
  end: string | undefined,
): Promise<Revision | null> {
  if (revision === null || options.source.changes === undefined) return null;
  let upTo = revision;
  for await (const page of options.source.changes(revision)) {
    requireRunning(options.isStopped);
    await options.target.put(page.rows);
    options.progress.moved(page.rows);
    upTo = page.upTo;
  }
  if (upTo !== revision) await copyPages(options, end);
  return upTo;
}

/** The last word on a row counts: one that changed after it was copied comes again, by the changes. */
async function compare(options: CopyOptions, revision: Revision | null, end: string | undefined): Promise<CopyResult> {
  const { source, target, progress, isStopped } = options;
  const wrong = new Map<string, string>(target.refused);
  let compared = 0;
  progress.begin('compared');
  const look = async (row: MoveRow) => {
    const name = rowName(row);
    compared += 1;
    if (row.what === 'gone') for (const other of wrong.keys()) if (isGone(row.row, other)) wrong.delete(other);
    if (row.what === 'history') {
      if (target.pastLeftOut > 0) return;
      if (!(await target.has(row))) {
        // The target may have forgotten it already, as it does with all that are so old.
        if (row.row.atMs < options.host.clock.now() - HISTORY_KEPT_MS) return;
        // Of a source that is written, the newest came after they were copied.
        if (source.changes !== undefined) await target.put([row]);
      }
    }
    if (await target.has(row)) wrong.delete(name);
    else if (!target.refused.has(name)) wrong.set(name, 'it differs');
    if (wrong.size > WRONG_MAX) throw new MoveError(`over ${WRONG_MAX} rows differ in ${target.place}, one: ${name}`);
  };
  for await (const { rows, damaged } of source.pages()) {
    requireRunning(isStopped);
    // Of a copy that goes on, those of the pages before are told only here.
    progress.damaged(damaged);
    for (let i = 0; i < rows.length; i += COMPARED_AT_ONCE) {
      const some = rows.slice(i, i + COMPARED_AT_ONCE);
      // Of a backup, rows of one name count in their order.
      const isAnyOrder = new Set(some.map(rowName)).size === some.length && some.every(({ what }) => what !== 'gone');
      if (isAnyOrder) await Promise.all(some.map(look));
      else for (const row of some) await look(row);
    }
    progress.moved(rows);
  }
  if (revision !== null && source.changes !== undefined) {
    let isAny = false;
    for await (const { rows } of source.changes(revision)) {
      await target.put(rows);
      for (const row of rows) await look(row);
      isAny = true;
    }
    if (isAny) await copyPages(options, end);
  }
  return { wrong: [...wrong].map(([name, why]) => `${name}: ${why}`), compared };
}

function requireRunning(isStopped: () => boolean): void {
  if (isStopped()) throw new MoveStoppedError('stopped: the same command goes on from here');
}
