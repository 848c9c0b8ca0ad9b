import type { Clock } from '@nacos-kube/core/host/host.ts';
import { rowsOfAnyKind } from './mysql-damaged.ts';
import { isOfDamage } from './mysql-errors.ts';
import { LATE_MS } from './mysql-feed.ts';
import {
  FOUND_MAX,
  find,
  nameSql,
  type Search,
  tell,
  tellRecords,
  tellRemovedVariants,
  tellVariants,
} from './mysql-foreign-rows.ts';
import { CONFIG_MARK_SQL } from './mysql-marks.ts';
import { ID_VALUE, type MysqlSession } from './mysql-session.ts';

/** Beside the time since the last look: clocks of other writers differ, and their rows have whole seconds. */
const LOOK_BACK_S = 10;
const LOOK_BACK_S_MAX = 3600;
const HISTORY_LOOK_BACK_ROWS = 1000;
const LOCK = `CONCAT(DATABASE(), '.nk_foreign')`;
/** The search by time has no index to use, so it takes at most this part of the time. */
const SEARCH_SHARE = 1 / 20;
/** So many rows that are damaged are told of, those of a store that goes on for long. */
const DAMAGED_TOLD_MAX = 100;
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
  readonly #onDamage: (what: string) => void;

  /** `onDamage`: of rows that cannot be read, once of each. */
  constructor(clock: Clock, onDamage: (what: string) => void) {
    this.#clock = clock;
    const told = new Set<string>();
    this.#onDamage = (what) => {
      if (told.has(what) || told.size >= DAMAGED_TOLD_MAX) return;
      told.add(what);
      onDamage(what);
    };
  }

  /** True when something was found. */
  async look(session: MysqlSession): Promise<boolean> {
    await this.#remember(session);
    const lock = await session.row(`SELECT GET_LOCK(${LOCK}, 0) AS got`);
    if (Number(lock?.['got']) !== 1) return false;
    try {
      const found = [
        await this.#unlessDamaged(this.#followHistory(session)),
        await this.#unlessDamaged(tellRecords(session, 'namespace', this.#onDamage)),
        await this.#unlessDamaged(tellRecords(session, 'group', this.#onDamage)),
        await this.#unlessDamaged(tellRecords(session, 'tenant', this.#onDamage)),
        // The last, as it may fail where the others need a moment.
        await this.#unlessDamaged(this.#searchByTime(session)),
      ];
      return found.some(Boolean);
    } finally {
      if (!session.isBroken) await session.row(`SELECT RELEASE_LOCK(${LOCK}) AS released`);
    }
  }

  /** What is damaged beyond single rows holds up only what looks there. */
  async #unlessDamaged(looking: Promise<boolean>): Promise<boolean> {
    try {
      return await looking;
    } catch (error) {
      if (!isOfDamage(error)) throw error;
      this.#onDamage((error as Error).message);
      return false;
    }
  }

  async #remember(session: MysqlSession): Promise<void> {
    const [last] = await rowsOfAnyKind(session, 'SELECT MAX(nid) AS nid FROM his_config_info');
    const newest = Number(last?.['nid'] ?? 0);
    const at = this.#clock.monotonic();
    if (this.#seen.length === 0) {
      this.#seen.push({ at: Number.NEGATIVE_INFINITY, nid: Math.max(0, newest - HISTORY_LOOK_BACK_ROWS) });
    }
    this.#seen.push({ at, nid: newest });
    while (!this.#isBehind && this.#seen[1] !== undefined && this.#seen[1].at <= at - LATE_MS) this.#seen.shift();
  }

  async #followHistory(session: MysqlSession): Promise<boolean> {
    const count = await this.#tellConfigs(session, historySearch(this.#seen[0]!.nid));
    this.#isBehind = count >= FOUND_MAX;
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
        this.#searching === undefined
          ? [await tellVariants(session, this.#onDamage), await tellRemovedVariants(session)]
          : [];
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
      const [row] = await rowsOfAnyKind(
        session,
        `SELECT id FROM config_info WHERE id > ${ID_VALUE} ORDER BY id LIMIT 1 OFFSET ${ROWS_PER_SEARCH - 1}`,
        [after],
      );
      const end = row === undefined ? undefined : String(row['id']);
      const sinceS = Math.ceil((this.#clock.monotonic() - this.#searchedAt!) / 1000);
      const lookBackS = Math.min(LOOK_BACK_S_MAX, sinceS + LOOK_BACK_S);
      const count = await this.#tellConfigs(session, rowsSearch(lookBackS, after, end));
      isFound ||= count > 0;
      if (count >= FOUND_MAX) continue;
      if (end === undefined) {
        this.#searchedAt = searching.since;
        this.#searching = undefined;
        return isFound;
      }
      searching.after = end;
    }
    return isFound;
  }

  async #tellConfigs(session: MysqlSession, search: Search): Promise<number> {
    const rows = await find(session, search, this.#onDamage);
    await tell(session, 'config', rows);
    return rows.length;
  }
}

/** Keys with history that is not ours, where row and feed differ. */
function historySearch(afterNid: number): Search {
  const from = 'his_config_info r LEFT JOIN nk_change o ON o.history_nid = r.nid';
  const where = `r.nid > ${afterNid} AND o.id IS NULL`;
  return {
    sql: (narrowed) => `
    SELECT * FROM (
      SELECT h.data_id, h.group_id, h.tenant_id, ${toldOf('h')} AS told,
        (SELECT ${CONFIG_MARK_SQL} FROM config_info c
         WHERE c.data_id = h.data_id AND c.group_id = h.group_id AND c.tenant_id = h.tenant_id) AS mark
      FROM (
        SELECT DISTINCT r.data_id, r.group_id, r.tenant_id FROM ${from} WHERE ${where} ${narrowed}
      ) h
    ) found WHERE NOT told <=> COALESCE(mark, '') LIMIT ${FOUND_MAX}`,
    ids: `SELECT r.nid AS id FROM ${from} WHERE ${where}`,
    id: 'r.nid',
    name: (nid) => `row ${nid} of his_config_info or its configuration`,
  };
}

/**
 * Rows that say they were modified lately, where row and feed differ. A person's `NOW()` is in the zone of the server,
 * which need not be that of the columns.
 */
function rowsSearch(lookBackS: number, afterId: string, lastId: string | undefined): Search {
  const theirNow = 'CONVERT_TZ(NOW(), @@session.time_zone, @@global.time_zone)';
  const lately = (now: string) => `c.gmt_modified BETWEEN ${now} - INTERVAL ${lookBackS} SECOND AND ${now}`;
  const where = `c.id > ${afterId} ${lastId === undefined ? '' : `AND c.id <= ${lastId}`}
        AND (c.gmt_modified >= NOW() - INTERVAL ${lookBackS} SECOND OR ${lately(theirNow)})`;
  return {
    sql: (narrowed) => `
    SELECT * FROM (
      SELECT c.data_id, c.group_id, c.tenant_id, ${CONFIG_MARK_SQL} AS mark, ${toldOf('c')} AS told
      FROM config_info c WHERE ${where} ${narrowed}
    ) found WHERE NOT told <=> mark LIMIT ${FOUND_MAX}`,
    ids: `SELECT c.id FROM config_info c WHERE ${where}`,
    id: 'c.id',
    name: (id) => `row ${id} of config_info`,
  };
}
