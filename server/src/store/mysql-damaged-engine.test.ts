import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { type DamagedRow, damageRows, signedKey, unsignedKey } from '../../../e2e/engines/mariadb-damage.ts';
import { capacityRecord, namespaceRecord } from './bounds.ts';
import { assertRefused, changesSince, eventually, keyOf, queryOf, variantOf, writeOf } from './contract-tools.ts';
import { createTestHost, type TestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import { MysqlForeign } from './mysql-foreign.ts';
import { MysqlSession, Patience } from './mysql-session.ts';
import type { Page, Store } from './store.ts';

const COUNT = 9;
/** Of each table these are damaged, by the numbers in their names. */
const DAMAGED = [3, 6];
const LIMITS = { quota: 1, maxSize: 2, maxAggrCount: 3, maxAggrSize: 4 };
const NUMBERS = Array.from({ length: COUNT }, (_, i) => i + 1);
const SOUND = NUMBERS.filter((n) => !DAMAGED.includes(n));
const names = (numbers: readonly number[]) => numbers.map((n) => `d${n}`);

describe('the mysql store on rows that the engine itself calls damaged', {
  skip: (await mariadbMissing()) ?? false,
}, () => {
  let server: Mariadb;
  let host: TestHost;
  let store: Store;

  const open = async () => {
    host = createTestHost();
    const { address, port, database, user, password } = server;
    store = createMysqlStore(host, { host: address, port, database, user, password, lookEveryMs: 100 });
    await store.start();
  };
  const idsOf = async (table: string, id = 'id') => {
    const rows = await server.query(`SELECT ${id} AS id, data_id AS name FROM ${table} ORDER BY ${id}`);
    return DAMAGED.map((n) => String(rows.find(({ name }) => name === `d${n}`)!['id']));
  };

  before(async () => {
    server = await startMariadb();
    await open();
    for (const n of NUMBERS) {
      await store.putConfig(writeOf(`d${n}`, `text ${n}`, { appName: 'shop' }));
      await store.putVariant(variantOf(`d${n}`, `beta ${n}`, { kind: 'beta' }));
      await store.putVariant(variantOf(`d${n}`, `tag ${n}`, { kind: 'tag', tag: 't' }));
      await store.putRecord({ kind: 'instance', key: `d${n}`, value: `{"port":${n}}` });
      await store.putRecord(namespaceRecord({ id: `d${n}`, name: 'name', description: '' }));
      await store.putRecord(capacityRecord({ kind: 'group', name: `d${n}` }, LIMITS));
    }
    await store.putRecord(capacityRecord({ kind: 'tenant', name: 't' }, LIMITS));
    for (const text of ['one', 'two', 'three']) await store.putConfig(writeOf('past', text));
    // They are looked for by their times for as long as the test takes.
    const lately = `SET gmt_modified = NOW() + INTERVAL 1 HOUR WHERE data_id IN ('d3', 'd6')`;
    for (const table of ['config_info', 'config_info_beta']) await server.query(`UPDATE ${table} ${lately}`);
    const tables = ['config_info', 'config_info_beta', 'config_info_tag'];
    const ofIds = tables.map(async (table) => {
      return (await idsOf(table)).map((id) => ({ table, primaryKey: signedKey(id) }));
    });
    const [older] = await server.query(`SELECT MIN(nid) AS nid FROM his_config_info WHERE op_type LIKE 'U%'`);
    const past = [...(await idsOf('his_config_info', 'nid')), String(older!['nid'])].map((nid) => {
      return { table: 'his_config_info', primaryKey: unsignedKey(nid) };
    });
    const namespaces = await server.query(`SELECT id FROM tenant_info WHERE tenant_id IN ('d3', 'd6') ORDER BY id`);
    const records: DamagedRow[] = names(DAMAGED).map((key) => {
      return { table: 'nk_record', primaryKey: Buffer.from(`instance${key}`) };
    });
    const groups = await server.query(`SELECT id FROM group_capacity WHERE group_id IN ('d3', 'd6')`);
    for (const { id } of groups) records.push({ table: 'group_capacity', primaryKey: unsignedKey(String(id)) });
    for (const { id } of namespaces) records.push({ table: 'tenant_info', primaryKey: signedKey(String(id)) });
    const rows = [...(await Promise.all(ofIds)).flat(), ...past, ...records];
    await store.stop();
    await damageRows(server, server.database, rows);
    await open();
  });
  after(async () => {
    await store?.stop();
    await server?.stop();
  });

  async function all<T>(scan: (after: string | undefined) => Promise<Page<T>>) {
    const items: T[] = [];
    const damaged: string[] = [];
    let next: string | undefined;
    for (let pages = 0; pages < 30; pages += 1) {
      const page = await scan(next);
      items.push(...page.items);
      damaged.push(...(page.damaged ?? []));
      next = page.next;
      if (next === undefined) return { items, damaged };
    }
    throw new Error(`no end: ${next}`);
  }

  for (const limit of [1, 2, 100]) {
    it(`goes on behind them in pages of ${limit}, and names them`, async () => {
      const configs = await all((next) => store.scanConfigs(limit, next));
      assert.deepEqual(
        configs.items.map(({ dataId }) => dataId),
        [...names(SOUND), 'past'],
      );
      assert.equal(configs.damaged.length, 2);
      assert.match(
        configs.damaged[0]!,
        /^row \d+ of config_info: .* ER_NOT_KEYFILE Index for table 'config_info' is corrupt/,
      );
      const variants = await all((next) => store.scanVariants(limit, next));
      assert.deepEqual(
        variants.items.map(({ content }) => content),
        ['beta', 'tag'].flatMap((kind) => SOUND.map((n) => `${kind} ${n}`)),
      );
      assert.deepEqual(
        variants.damaged.map((text) => text.replace(/row \d+ of (\w+): .*/, '$1')),
        ['config_info_beta', 'config_info_beta', 'config_info_tag', 'config_info_tag'],
      );
      const past = await all((next) => store.scanHistory!(limit, next));
      assert.deepEqual(
        past.items.map(({ content }) => content),
        [...SOUND.map((n) => `text ${n}`), 'one', 'two'],
      );
      assert.equal(past.damaged.length, 3);
      const capacities = await all((next) => store.scanRecords('capacity', limit, next));
      assert.deepEqual(
        capacities.items.map(({ key }) => key),
        [...names(SOUND).map((name) => `group:${name}`), 'tenant:t'],
      );
      assert.deepEqual(
        capacities.damaged.map((text) => text.replace(/: mysql .*/, '')),
        ['capacity group:d3', 'capacity group:d6'],
      );
      for (const kind of ['instance', 'namespace'] as const) {
        const records = await all((next) => store.scanRecords(kind, limit, next));
        assert.deepEqual(
          records.items.map(({ key }) => key),
          names(SOUND),
        );
        assert.deepEqual(
          records.damaged.map((text) => text.split(':')[0]),
          [`${kind} d3`, `${kind} d6`],
        );
      }
    });
  }

  it('says so in the log', async () => {
    const before = host.lines.length;
    await all((next) => store.scanRecords('instance', 100, next));
    const lines = host.lines.slice(before).filter((line) => line.includes('a damaged row is left out'));
    assert.equal(lines.length, 2);
  });

  it('refuses to read one of them by itself, and reads what stands beside it', async () => {
    for (const n of NUMBERS) {
      const name = `d${n}`;
      if (DAMAGED.includes(n)) {
        await assertRefused('damaged', store.getConfig(keyOf(name)));
        await assertRefused('damaged', store.getVariants(keyOf(name)));
        await assertRefused('damaged', store.getRecord('instance', name));
        continue;
      }
      assert.equal((await store.getConfig(keyOf(name)))!.content, `text ${n}`);
      assert.deepEqual(
        (await store.getVariants(keyOf(name))).map(({ content }) => content),
        [`beta ${n}`, `tag ${n}`],
      );
      assert.equal((await store.getRecord('instance', name))!.value, `{"port":${n}}`);
    }
  });

  it('searches the others', async () => {
    const found = await store.searchConfigs(queryOf('', { appName: 'shop' }));
    assert.deepEqual(
      found.items.map(({ dataId }) => dataId),
      names(SOUND),
    );
    assert.equal(found.total, COUNT);
    const page = await store.searchConfigs(queryOf('', { appName: 'shop', offset: 2, limit: 3 }));
    assert.deepEqual(
      page.items.map(({ dataId }) => dataId),
      ['d4', 'd5'],
    );
    const ids = (await server.query('SELECT id FROM config_info')).map(({ id }) => String(id));
    assert.deepEqual(
      (await store.getConfigs(ids)).map(({ dataId }) => dataId),
      [...names(SOUND), 'past'],
    );
    assert.deepEqual(await store.searchHistory(keyOf('d3'), 0, 10), { items: [], total: 1 });
    const past = await store.searchHistory(keyOf('past'), 0, 10);
    assert.deepEqual([past.items.map(({ operation }) => operation), past.total], [['U', 'I'], 3]);
    const { id } = (await store.getConfig(keyOf('past')))!;
    assert.equal((await store.previousHistory(id))!.content, 'two');
  });

  it('finds what others write beside them', async () => {
    const from = await store.revision();
    const past = `INSERT INTO his_config_info (id, data_id, group_id, content, op_type) VALUES (0`;
    await server.query(`
      ${past}, 'd3', 'g', '', 'U'); ${past}, 'd2', 'g', '', 'U'); ${past}, 'd6', 'g', '', 'U');
      UPDATE config_info SET content = 'by Java', gmt_modified = '2001-01-01' WHERE data_id = 'd2';
      UPDATE config_info SET content = 'by hand', gmt_modified = NOW() + INTERVAL 1 HOUR WHERE data_id = 'd1';
      UPDATE config_info_beta SET content = 'by hand', gmt_modified = NOW() + INTERVAL 1 HOUR WHERE data_id = 'd1';
      UPDATE config_info_tag SET content = 'by hand', gmt_modified = NOW() + INTERVAL 1 HOUR WHERE data_id = 'd9';
      INSERT INTO tenant_info (kp, tenant_id, tenant_name, gmt_create, gmt_modified) VALUES ('1', 'theirs', 'name', 0, 0)`);
    const told = new Set<string>();
    const damaged = new Set<string>();
    const { address, port, database, user, password } = server;
    const settings = { host: address, port, database, user, password };
    const session = await MysqlSession.connect(host, settings, new Patience(host.clock));
    await eventually(async () => {
      // Those of the store rest after each search.
      session.patience = new Patience(host.clock);
      await new MysqlForeign(host.clock, (what) => damaged.add(what.replace(/:.*/, ''))).look(session);
      for (const { what } of await changesSince(store, from)) {
        told.add(`${what.kind} ${typeof what.key === 'string' ? what.key : what.key.dataId}`);
      }
      assert.deepEqual([...told].sort(), ['config d1', 'config d2', 'namespace theirs', 'variant d1', 'variant d9']);
      assert.equal(damaged.size, 12, [...damaged].join(', '));
      assert.ok(host.lines.some((line) => line.includes('or its configuration: mysql')));
    });
    session.destroy();
    assert.deepEqual(
      host.lines.filter((line) => line.includes('cannot look for changes')),
      [],
    );
  });

  it('takes a row that was removed by hand when it is written again', async () => {
    const page = await all((next) => store.scanConfigs(100, next));
    const ids = page.damaged.map((text) => /^row (\d+) of config_info:/.exec(text)![1]!);
    await server.query(`DELETE FROM config_info WHERE id IN (${ids.join(', ')})`);
    for (const dataId of names(DAMAGED)) {
      await store.putConfig(writeOf(dataId, 'mended'));
      assert.equal((await store.getConfig(keyOf(dataId)))!.content, 'mended');
    }
    assert.equal((await store.searchConfigs(queryOf(''))).items.length, COUNT + 1);
  });

  it('reads what stands beside them also where the server meets them on its way', async () => {
    await server.query('DROP INDEX uk_configinfobeta_datagrouptenant ON config_info_beta');
    await server.query('DROP INDEX uk_configinfo_datagrouptenant ON config_info');
    assert.equal(await store.countConfigs(''), COUNT + 1);
    const [beta] = await store.getVariants(keyOf('d5'));
    assert.equal(beta!.content, 'beta 5');
    await assertRefused('damaged', store.getVariants(keyOf('d6')));
  });
});
