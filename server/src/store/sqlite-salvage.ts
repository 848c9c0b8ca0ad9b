import { DatabaseSync } from 'node:sqlite';
import { type MoveRow, RECORD_KINDS } from './move/move-row.ts';
import { SqliteReads } from './sqlite-read.ts';
import { hasOwnSchema } from './sqlite-schema.ts';
import type { Page } from './store.ts';

const ROWS_AT_ONCE = 100;
const STEP_MAX = 16;
/** A table of which so many pages in a row cannot be read has its root destroyed. */
const FAILURES_MAX = 10_000;

export type SalvagedSection = 'config' | 'variant' | 'history' | (typeof RECORD_KINDS)[number];

export interface Salvaged {
  readonly section: SalvagedSection;
  readonly rows: readonly MoveRow[];
  /** Something may be missing from here on: a page that cannot be read, or a row that does not fit its checksum. */
  readonly isHole: boolean;
}

/**
 * What can still be read of a damaged file, row by row: pages that cannot are stepped over. Only rows that fit their
 * checksums are told.
 */
export function* salvageRows(path: string): Generator<Salvaged> {
  let database: DatabaseSync | undefined;
  let reads: SqliteReads;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 0, allowExtension: false });
    if (!hasOwnSchema(database)) return;
    reads = new SqliteReads(database);
  } catch {
    // Not even the schema can be read.
    database?.close();
    return;
  }
  try {
    for (const kind of RECORD_KINDS) {
      const scan = (limit: number, after: string) => reads.scanRecords(kind, limit, after);
      yield* byKey(kind, scan, (row): MoveRow => ({ what: 'record', row }));
    }
    const last = (table: string) => lastIdOf(database, table);
    yield* byId(
      'config',
      last('config'),
      (limit, after) => reads.scanConfigs(limit, after),
      (row) => ({ what: 'config', row }),
    );
    yield* byId(
      'variant',
      last('variant'),
      (limit, after) => reads.scanVariants(limit, after),
      (row) => ({ what: 'variant', row }),
    );
    yield* byId(
      'history',
      last('config_history'),
      (limit, after) => reads.scanHistory(limit, after),
      (row) => ({ what: 'history', row }),
    );
  } finally {
    database.close();
  }
}

type Scan<After, Row> = (limit: number, after: After) => Page<Row>;

function* byKey<Row>(
  section: SalvagedSection,
  scan: Scan<string, Row>,
  toMove: (row: Row) => MoveRow,
): Generator<Salvaged> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: Page<Row> | undefined = pageOrNone(scan, ROWS_AT_ONCE, after);
    yield told(section, page, toMove);
    after = page?.next;
  }
}

/** Behind a page that cannot be read ids are tried in steps: the next leaf may be well. */
function* byId<Row>(
  section: SalvagedSection,
  lastId: number | undefined,
  scan: Scan<number, Row>,
  toMove: (row: Row) => MoveRow,
): Generator<Salvaged> {
  if (lastId === undefined) yield told(section, undefined, toMove);
  let failures = 0;
  // Of a table that never had a row, one look tells that it is empty.
  for (let after = 0; after < (lastId || Number.MAX_SAFE_INTEGER) && failures < FAILURES_MAX; ) {
    // Single rows where many cannot be had at once: those before the hole.
    const page = (failures === 0 ? pageOrNone(scan, ROWS_AT_ONCE, after) : undefined) ?? pageOrNone(scan, 1, after);
    yield told(section, page, toMove);
    if (page === undefined) {
      failures += 1;
      after += Math.min(failures, STEP_MAX);
      continue;
    }
    if (page.next === undefined) return;
    after = Number(page.next);
    failures = 0;
  }
}

function told<Row>(section: SalvagedSection, page: Page<Row> | undefined, toMove: (row: Row) => MoveRow): Salvaged {
  if (page === undefined) return { section, rows: [], isHole: true };
  return { section, rows: page.items.map(toMove), isHole: (page.damaged ?? []).length > 0 };
}

function pageOrNone<After, Row>(scan: Scan<After, Row>, limit: number, after: After): Page<Row> | undefined {
  try {
    return scan(limit, after);
  } catch {
    return undefined;
  }
}

/** Also of rows that are gone; undefined when even that cannot be read. */
function lastIdOf(database: DatabaseSync, table: string): number | undefined {
  try {
    const row = database.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table) as
      | { seq: number }
      | undefined;
    return row?.seq ?? 0;
  } catch {
    return undefined;
  }
}
