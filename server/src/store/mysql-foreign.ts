import type { Clock } from '@nacos-kube/core/host/host.ts';
import { LATE_MS } from './mysql-feed.ts';
import { FOUND_MAX, nameSql, tell, tellRecords, tellRemovedVariants, tellVariants } from './mysql-foreign-rows.ts';
import { CONFIG_MARK_SQL } from './mysql-marks.ts';
import { ID_VALUE, type MysqlSession } from './mysql-session.ts';

/** Beside the time since the last look: clocks of other writers differ, and their rows have whole seconds. */
const LOOK_BACK_S = 10;
const LOOK_BACK_S_MAX = 3600;
const HISTORY_LOOK_BACK_ROWS = 1000;
const LOCK = `CONCAT(DATABASE(), '.nk_foreign')`;
/** The search by time has no index to use, so it takes at most this part of the time. */
const SEARCH_SHARE = 1 / 20;
/** Of a large table one statement for all of it would have no answer in time, each time anew. */
export const ROWS_PER_SEARCH = 20_000;
const SEARCH_MS_MAX = 1000;

/** What the feed said last of a config; null when nothing, '' when that it was removed. */
function toldOf(alias: string): string {
  const same = (column: string) => `n.${column} = ${nameSql(`${alias}.${column}`)}`;
  return `(SELECT IF(n.removed, '', n.mark) FROM nk_change n FORCE INDEX (nk_change_config)
    WHERE n.kind = 'config' AND ${same('data_id')} AND ${same('group_id')} AND ${same('tenant_id')}
    ORDER BY n.id DESC LIMIT 1)`;
}

/**
 * Writes of others on the same database, Java nodes or people, told in the feed like our own: where what stands differs
 * from what the feed said last. They are looked for where they leave traces: the history (Java writes it like us, also on
 * delete), `gmt_modified` of rows, and the small table of namespaces. One node looks at a time.
 */
export class MysqlForeign {
  readonly #clock: Clock;
  /** The newest history row at past looks; what came after the newest look that is `LATE_MS` ago may be incomplete. */
  readonly #seen: { readonly at: number; readonly nid: number }[] = [];
  /** More was found there than one look tells: it does not move on yet. */
  #isBehind = false;
  /** When the last search that came to the end of the table began; before any, the first one. */
  #searchedAt: number | undefined;
  /** Of one that goes on with the next look: since when, and behind which row. */
  #searching: { readonly since: number; after: string } | undefined;
  #notBefore = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when something was found. */
  async look(session: MysqlSession): Promise<boolean> {
    await this.#remember(session);
    const lock = await session.row(`SELECT GET_LOCK(${LOCK}, 0) AS got`);
    if (Number(lock?.['got']) !== 1) return false;
    try {
      const found = [
        await this.#followHistory(session),
        await tellRecords(session, 'namespace'),
        await tellRecords(session, 'group'),
        await tellRecords(session, 'tenant'),
        // The last, as it may fail where the others need a moment.
        await this.#searchByTime(session),
      ];
      return found.some(Boolean);
    } finally {
      if (!session.isBroken) await session.row(`SELECT RELEASE_LOCK(${LOCK}) AS released`);
    }
  }

  async #remember(session: MysqlSession): Promise<void> {
    const newest = Number((await session.row('SELECT MAX(nid) AS nid FROM his_config_info'))?.['nid'] ?? 0);
    const at = this.#clock.monotonic();
    if (this.#seen.length === 0) {
      this.#seen.push({ at: Number.NEGATIVE_INFINITY, nid: Math.max(0, newest - HISTORY_LOOK_BACK_ROWS) });
    }
    this.#seen.push({ at, nid: newest });
    while (!this.#isBehind && this.#seen[1] !== undefined && this.#seen[1].at <= at - LATE_MS) this.#seen.shift();
  }

  async #followHistory(session: MysqlSession): Promise<boolean> {
    const count = await this.#tellConfigs(session, historySql(this.#seen[0]!.nid));
    this.#isBehind = count === FOUND_MAX;
    return count > 0;
  }

  async #searchByTime(session: MysqlSession): Promise<boolean> {
    const startedAt = this.#clock.monotonic();
    if (startedAt < this.#notBefore) return false;
    this.#searchedAt ??= startedAt;
    this.#searching ??= { since: startedAt, after: '0' };
    try {
      const isFound = await this.#searchOn(session, this.#searching, startedAt + SEARCH_MS_MAX);
      const rest =
        this.#searching === undefined ? [await tellVariants(session), await tellRemovedVariants(session)] : [];
      return isFound || rest.some(Boolean);
    } finally {
      const endedAt = this.#clock.monotonic();
      this.#notBefore = endedAt + (endedAt - startedAt) / SEARCH_SHARE;
    }
  }

  async #searchOn(session: MysqlSession, searching: { readonly since: number; after: string }, untilMs: number) {
    let isFound = false;
    while (this.#clock.monotonic() < untilMs) {
      const { after } = searching;
      const row = await session.row(
        `SELECT id FROM config_info WHERE id > ${ID_VALUE} ORDER BY id LIMIT 1 OFFSET ${ROWS_PER_SEARCH - 1}`,
        [after],
      );
      const end = row === undefined ? undefined : String(row['id']);
      const sinceS = Math.ceil((this.#clock.monotonic() - this.#searchedAt!) / 1000);
      const lookBackS = Math.min(LOOK_BACK_S_MAX, sinceS + LOOK_BACK_S);
      const count = await this.#tellConfigs(session, rowsSql(lookBackS, after, end));
      isFound ||= count > 0;
      if (count === FOUND_MAX) continue;
      if (end === undefined) {
        this.#searchedAt = searching.since;
        this.#searching = undefined;
        return isFound;
      }
      searching.after = end;
    }
    return isFound;
  }

  async #tellConfigs(session: MysqlSession, sql: string): Promise<number> {
    const rows = await session.rowsOfText(sql);
    await tell(session, 'config', rows);
    return rows.length;
  }
}

/** Keys with history that is not ours, where row and feed differ. */
function historySql(afterNid: number): string {
  return `
    SELECT * FROM (
      SELECT h.data_id, h.group_id, h.tenant_id, ${toldOf('h')} AS told,
        (SELECT ${CONFIG_MARK_SQL} FROM config_info c
         WHERE c.data_id = h.data_id AND c.group_id = h.group_id AND c.tenant_id = h.tenant_id) AS mark
      FROM (
        SELECT DISTINCT r.data_id, r.group_id, r.tenant_id
        FROM his_config_info r LEFT JOIN nk_change o ON o.history_nid = r.nid
        WHERE r.nid > ${afterNid} AND o.id IS NULL
      ) h
    ) found WHERE NOT told <=> COALESCE(mark, '') LIMIT ${FOUND_MAX}`;
}

/**
 * Rows that say they were modified lately, where row and feed differ. A person's `NOW()` is in the zone of the server,
 * which need not be that of the columns.
 */
function rowsSql(lookBackS: number, afterId: string, lastId: string | undefined): string {
  const theirNow = 'CONVERT_TZ(NOW(), @@session.time_zone, @@global.time_zone)';
  const lately = (now: string) => `c.gmt_modified BETWEEN ${now} - INTERVAL ${lookBackS} SECOND AND ${now}`;
  return `
    SELECT * FROM (
      SELECT c.data_id, c.group_id, c.tenant_id, ${CONFIG_MARK_SQL} AS mark, ${toldOf('c')} AS told
      FROM config_info c WHERE c.id > ${afterId} ${lastId === undefined ? '' : `AND c.id <= ${lastId}`}
        AND (c.gmt_modified >= NOW() - INTERVAL ${lookBackS} SECOND OR ${lately(theirNow)})
    ) found WHERE NOT told <=> mark LIMIT ${FOUND_MAX}`;
}
