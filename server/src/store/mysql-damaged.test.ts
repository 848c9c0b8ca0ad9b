import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeErrorOf } from './mysql-errors.ts';
import { getSoundConfigs, scanConfigs } from './mysql-read.ts';
import type { MysqlSession } from './mysql-session.ts';
import { StoreError } from './store.ts';

const CORRUPT = Object.assign(new Error("Index for table 'config_info' is corrupt; try to repair it"), {
  ...{ code: 'ER_NOT_KEYFILE', errno: 1034 },
});
const keyOf = (n: number) => ({ dataId: `d${n}`, group: 'g', namespaceId: '' });

/** A table with rows 1 to `count`, of which a statement that reads the content of a damaged one fails as a whole. */
function sessionOf(count: number, damaged: readonly number[]): MysqlSession {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  const rowOf = (n: number) => ({ ...{ id: n, data_id: `d${n}`, group_id: 'g', tenant_id: '' }, ...factsOf(n) });
  const answer = async (sql: string, values: readonly unknown[] = []) => {
    if (sql.includes('config_tags_relation')) return [];
    const isAsked = (n: number): boolean => {
      const ids = /c\.id IN \(([\d, ]+)\)/.exec(sql)?.[1]?.split(', ');
      if (ids !== undefined) return ids.includes(`${n}`);
      return sql.includes('id >') ? n > Number(values[0]) : values.includes(`d${n}`);
    };
    const limit = Number(/LIMIT (\d+)/.exec(sql)?.[1] ?? count);
    const asked = all.filter(isAsked).slice(0, limit);
    if (sql.includes('content') && asked.some((n) => damaged.includes(n))) throw CORRUPT;
    return asked.map(rowOf);
  };
  return {
    place: 'mysql here',
    rows: answer,
    rowsOfText: answer,
    row: async (sql: string, values: readonly unknown[]) => (await answer(sql, values))[0],
  } as Partial<MysqlSession> as MysqlSession;
}

function factsOf(n: number) {
  const facts = { type: 'text', app_name: '', c_desc: null, c_use: null, effect: null, c_schema: null };
  return { ...facts, content: `text ${n}`, bytes: 6, src_ip: '::1', src_user: null, created: 1, modified: 2 };
}

test('of configurations that are read together only the damaged one cannot be read', async () => {
  const found = await getSoundConfigs(sessionOf(4, [2]), [1, 2, 3, 9].map(keyOf));
  const [one, damaged, three, none] = found;
  assert.deepEqual(
    [one, three].map((config) => (config as { content: string }).content),
    ['text 1', 'text 3'],
  );
  assert.equal(none, undefined);
  assert.ok(damaged instanceof StoreError);
  assert.equal(damaged.kind, 'damaged');
  assert.equal(damaged.because, 'a row of the database is damaged');
  assert.match(damaged.message, /mysql here: ER_NOT_KEYFILE Index for table 'config_info' is corrupt/);
});

test('a page leaves out what is damaged, names it and goes on behind it', async () => {
  const session = sessionOf(7, [2, 4]);
  const dataIds: string[] = [];
  const named: string[] = [];
  let after = '0';
  for (let pages = 0; pages < 9; pages += 1) {
    const page = await scanConfigs(session, 2, after);
    dataIds.push(...page.items.map(({ dataId }) => dataId));
    named.push(...(page.damaged ?? []));
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.deepEqual(dataIds, ['d1', 'd3', 'd5', 'd6', 'd7']);
  assert.deepEqual(
    named.map((text) => text.split(':')[0]),
    ['row 2 of config_info', 'row 4 of config_info'],
  );
});

test('where none of several can be read it is no matter of rows, and nobody takes them for gone', async () => {
  const session = sessionOf(3, [1, 2, 3]);
  await assert.rejects(getSoundConfigs(session, [1, 2, 3].map(keyOf)), { kind: 'damaged' });
  await assert.rejects(scanConfigs(session, 10, '0'), { kind: 'damaged' });
});

test('any other failure is that of all', async () => {
  const gone = Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
  const fail = async () => {
    throw gone;
  };
  const session = {
    place: 'mysql here',
    rows: fail,
    rowsOfText: fail,
    row: fail,
  } as Partial<MysqlSession> as MysqlSession;
  await assert.rejects(getSoundConfigs(session, [keyOf(1)]), gone);
  await assert.rejects(scanConfigs(session, 2, '0'), gone);
  assert.equal(storeErrorOf(gone, 'mysql here').kind, 'unavailable');
});
