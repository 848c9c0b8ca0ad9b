import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@nacos-kube/core/host/host.ts';
import { MysqlForeign, ROWS_PER_SEARCH } from './mysql-foreign.ts';
import { FOUND_MAX } from './mysql-foreign-rows.ts';
import type { MysqlSession, Row } from './mysql-session.ts';

const LOOK_MS = 2000;

/** A database of so many configurations, in which each statement takes its time. */
function fakeDatabase({ configs = 0, searchMs = 0 }) {
  const state = { nowMs: 0, searchMs, searches: [] as string[], records: 0, behind: 0, isDown: false };
  const session = {
    isBroken: false,
    row: async (): Promise<Row> => ({ got: 1 }),
    /** Where the part ends that begins behind this row. */
    async rows(_sql: string, [after]: readonly string[]): Promise<readonly Row[]> {
      const id = Number(after) + ROWS_PER_SEARCH;
      return id <= configs ? [{ id }] : [];
    },
    async rowsOfText(sql: string): Promise<readonly Row[]> {
      if (sql.includes('tenant_info') || sql.includes('_capacity')) state.records += 1;
      if (!sql.includes('c.gmt_modified')) return [];
      state.searches.push(sql.replace(/\s+/g, ' '));
      state.nowMs += state.searchMs;
      if (state.isDown) throw new Error('no answer in time');
      if (state.behind === 0) return [];
      state.behind -= 1;
      return Array.from({ length: FOUND_MAX }, (_, i) => ({
        data_id: `${i}`,
        group_id: 'g',
        tenant_id: '',
        mark: 'm',
      }));
    },
    change: async () => ({ met: 1, id: '1' }),
  };
  const foreign = new MysqlForeign({ monotonic: () => state.nowMs } as Clock, assert.fail);
  const look = async () => {
    state.nowMs += LOOK_MS;
    await foreign.look(session as unknown as MysqlSession);
  };
  return { state, look };
}

const startOf = (sql: string) => Number(/c\.id > (\d+)/.exec(sql)![1]);
const lookBackOf = (sql: string) => Number(/INTERVAL (\d+) SECOND/.exec(sql)![1]);

test('a search that has no answer in time is not tried again at once, and the small tables are compared all the same', async () => {
  const { state, look } = fakeDatabase({ searchMs: 3000 });
  state.isDown = true;
  await assert.rejects(look());
  assert.equal(state.records, 6);
  for (let looks = 0; looks < 10; looks += 1) await look();
  assert.equal(state.searches.length, 1, 'it had 3 s, and may have a twentieth of the time');
  assert.equal(state.records, 66);
});

test('a large table is searched in parts, over several looks, and none of its rows is missed', async () => {
  const { state, look } = fakeDatabase({ configs: 3.5 * ROWS_PER_SEARCH, searchMs: 700 });
  while (state.searches.length < 4) await look();
  assert.deepEqual(
    state.searches.map(startOf),
    [0, 1, 2, 3].map((part) => part * ROWS_PER_SEARCH),
  );
  const endedAtS = state.nowMs / 1000;
  while (state.searches.length < 5) await look();
  assert.ok(endedAtS > 20, 'it took a while');
  assert.ok(lookBackOf(state.searches[4]!) > endedAtS, 'what changed behind the search is looked for by the next one');
});

test('what one look cannot tell at once is told by the next ones, however long that takes', async () => {
  const { state, look } = fakeDatabase({ searchMs: 600 });
  state.behind = 5;
  while (state.searches.length < 6) await look();
  assert.deepEqual(new Set(state.searches.map(startOf)), new Set([0]));
  const agesS = (state.nowMs - LOOK_MS) / 1000;
  assert.ok(lookBackOf(state.searches[5]!) >= agesS, `${state.searches[5]} after ${agesS} s`);
});
