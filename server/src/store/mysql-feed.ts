import type { Clock } from '@nacos-kube/core/host/host.ts';
import { readKey, readRecordKey } from './mysql-read.ts';
import { MysqlRuns } from './mysql-runs.ts';
import { ABANDONED_AFTER_S, type MysqlSession, type Row } from './mysql-session.ts';
import type { Change, ChangedThing, ChangePage, Revision } from './store.ts';

/**
 * Ids are taken when a change is written and become visible when it commits, so they appear out of order, and a reader
 * that simply went on from the highest would miss the slower one (F10). The rule here:
 *
 * - A missing id is waited for while the row after it is younger than `HOLD_MS`: an open transaction fills it.
 * - Then it is passed, for it may never come (a rollback), but remembered for `LATE_MS`.
 * - Should it come after all, as from a process that was frozen before its commit, its change is told again under a new
 *   id, so that every reader meets it in order. The server ends transactions before `LATE_MS` are over.
 *
 * So the revisions of the feed only ever grow, and a page can be read again with the same result.
 */
export const HOLD_MS = 300;
export const LATE_MS = 2 * ABANDONED_AFTER_S * 1000 + 5000;
const HOLES_MAX = 10_000;
const HOLES_PER_STATEMENT = 500;
const TAIL_ROWS_MAX = 10_000;

/** Milliseconds by the database's clock; the absolute value, for that clock may have been set back. */
const AGE = 'ROUND(ABS(UNIX_TIMESTAMP(NOW(3)) - UNIX_TIMESTAMP(created)) * 1000) AS age';

export class MysqlFeed {
  readonly #clock: Clock;
  /** Ids that were passed, with the time when they were. */
  readonly #holes = new Map<number, number>();

  readonly #runs = new MysqlRuns();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `waits`: rows follow that cannot be told yet. */
  async changes(session: MysqlSession, from: Revision, limit: number): Promise<{ page: ChangePage; waits: boolean }> {
    if (this.#runs.isAnother(session.server)) {
      const upTo = await this.revision(session);
      // Not before: a reader whose connection breaks asks again, and must be told then.
      this.#runs.met(session.server);
      return { page: { gap: true, upTo }, waits: false };
    }
    this.#runs.begin(session.server);
    const rows = await session.rows(
      `SELECT id, kind, removed, data_id, group_id, tenant_id, record_key, ${AGE}
       FROM nk_change WHERE id > ? ORDER BY id LIMIT ${limit}`,
      [from],
    );
    if (rows.length === 0 || Number(rows[0]!['id']) !== from + 1) {
      const { forgotten, newest } = await this.#range(session);
      if (from < forgotten || from > newest) return { page: { gap: true, upTo: newest }, waits: false };
    }
    const count = this.#reliable(rows, from);
    const changes = rows.slice(0, count).map(readChange);
    return { page: { gap: false, changes, upTo: changes.at(-1)?.revision ?? from }, waits: count < rows.length };
  }

  /** Whoever reads everything after this call and then the feed from here misses nothing. */
  async revision(session: MysqlSession): Promise<Revision> {
    this.#runs.begin(session.server);
    const old = await session.row(
      `SELECT id FROM nk_change WHERE created < NOW(3) - INTERVAL ${LATE_MS / 1000} SECOND ORDER BY created DESC, id DESC LIMIT 1`,
    );
    let revision = old === undefined ? (await this.#range(session)).forgotten : Number(old['id']);
    for (;;) {
      const rows = await session.rows(
        `SELECT id, ${AGE} FROM nk_change WHERE id > ? ORDER BY id LIMIT ${TAIL_ROWS_MAX}`,
        [revision],
      );
      const count = this.#reliable(rows, revision);
      if (count > 0) revision = Number(rows[count - 1]!['id']);
      if (count < TAIL_ROWS_MAX) return revision;
    }
  }

  /** Tells those again that came after they were passed. Run every few seconds; true when there were any. */
  async retellLate(session: MysqlSession): Promise<boolean> {
    const now = this.#clock.monotonic();
    let isAny = false;
    for (const holes of chunks([...this.#holes.keys()], HOLES_PER_STATEMENT)) {
      const ids = holes.join(', ');
      for (const row of await session.rows(`SELECT id FROM nk_change WHERE id IN (${ids})`)) {
        const id = Number(row['id']);
        // Of the nodes that notice, one inserts.
        await session.change(
          `INSERT IGNORE INTO nk_change (kind, removed, data_id, group_id, tenant_id, record_key, mark, late_of)
           SELECT kind, removed, data_id, group_id, tenant_id, record_key, mark, id FROM nk_change WHERE id = ?`,
          [id],
        );
        this.#holes.delete(id);
        isAny = true;
      }
    }
    for (const [id, passedAt] of this.#holes) if (now - passedAt > LATE_MS) this.#holes.delete(id);
    return isAny;
  }

  /** Forgets old changes, a bounded number at a time. */
  async forget(session: MysqlSession, kept: number): Promise<void> {
    const { forgotten, newest } = await this.#range(session);
    const upTo = newest - kept;
    if (upTo <= forgotten) return;
    // First said, then done: a reader in between is told of a gap, and never reads past one.
    await session.change(`UPDATE nk_meta SET value = GREATEST(value, ?) WHERE name = 'forgotten'`, [upTo]);
    await session.change(`DELETE FROM nk_change WHERE id <= ? ORDER BY id LIMIT ${FORGOTTEN_AT_ONCE}`, [upTo]);
  }

  /** How many rows can be told: up to the first id that is missing and may still come. */
  #reliable(rows: readonly Row[], from: Revision): number {
    let last = from;
    for (const [i, row] of rows.entries()) {
      const id = Number(row['id']);
      const ageMs = Number(row['age']);
      if (id > last + 1) {
        if (ageMs < HOLD_MS) return i;
        if (ageMs < LATE_MS) this.#passed(last + 1, id);
      }
      last = id;
    }
    return rows.length;
  }

  #passed(from: number, to: number): void {
    for (let id = Math.max(from, to - HOLES_MAX); id < to; id += 1) {
      if (!this.#holes.has(id)) this.#holes.set(id, this.#clock.monotonic());
    }
    for (const id of this.#holes.keys()) {
      if (this.#holes.size <= HOLES_MAX) break;
      this.#holes.delete(id);
    }
  }

  async #range(session: MysqlSession): Promise<{ forgotten: Revision; newest: Revision }> {
    const row = await session.row(
      `SELECT (SELECT value FROM nk_meta WHERE name = 'forgotten') AS forgotten, (SELECT MAX(id) FROM nk_change) AS newest`,
    );
    const forgotten = Number(row?.['forgotten'] ?? 0);
    return { forgotten, newest: Math.max(forgotten, Number(row?.['newest'] ?? 0)) };
  }
}

const FORGOTTEN_AT_ONCE = 5000;

function readChange(row: Row): Change {
  const kind = row['kind'] as ChangedThing['kind'];
  return {
    revision: Number(row['id']),
    what: kind === 'config' || kind === 'variant' ? { kind, key: readKey(row) } : { kind, key: readRecordKey(row) },
    removed: Number(row['removed']) === 1,
  };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
