import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Connection, createConnection } from 'mysql2/promise';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { capacityRecord, namespaceRecord } from './bounds.ts';
import { assertRefused, changesSince, eventually, keyOf, md5, queryOf, variantOf, writeOf } from './contract-tools.ts';
import type { ConfigHistory } from './history.ts';
import { createTestHost, type TestHost } from './host-for-tests.ts';
import { rowDigest } from './move/move-row.ts';
import { createMysqlStore } from './mysql.ts';
import { LATE_MS } from './mysql-feed.ts';
import { MysqlForeign } from './mysql-foreign.ts';
import { putMoved, scanHistory } from './mysql-moved.ts';
import { ABANDONED_AFTER_S, MysqlSession, Patience } from './mysql-session.ts';
import { type MysqlSettings, readParameters } from './mysql-settings.ts';
import type { Store } from './store.ts';

/** Beyond what the start of a server is told exactly. */
const CRASH_AFTER_MS = 4_000;

describe('the mysql store beside other writers and on a failing server', {
  skip: (await mariadbMissing()) ?? false,
}, () => {
  let server: Mariadb;
  let directory: string;
  const stores: Store[] = [];
  const hosts: TestHost[] = [];
  const connections: Connection[] = [];
  let databases = 0;

  before(async () => {
    server = await startMariadb();
    directory = await mkdtemp(join(tmpdir(), 'nacos-kube-mysql-'));
  });
  after(async () => {
    for (const connection of connections) connection.destroy();
    for (const store of stores) await store.stop();
    await server?.stop();
    // A search that fails would be found missing only where something is to be found.
    const faults = hosts.flatMap((host) => host.lines).filter((line) => /ER_|background|not running/.test(line));
    assert.deepEqual(faults, []);
    await rm(directory, { recursive: true, force: true });
  });

  const newDatabase = () => {
    databases += 1;
    return server.makeDatabase(`db${databases}`);
  };
  const settingsOf = (database: string): MysqlSettings => {
    const { address: host, port, user, password } = server;
    return { host, port, database, user, password };
  };
  const open = async (database: string, more: Partial<MysqlSettings> = {}) => {
    const host = createTestHost();
    const store = createMysqlStore(host, { ...settingsOf(database), lookEveryMs: 100, ...more });
    hosts.push(host);
    stores.push(store);
    await store.start();
    return store;
  };
  /** The tables of 1.4 in another character set than the script has. */
  const convertTables = async (database: string, to: string) => {
    await (await open(database)).stop();
    const person = await connect(database);
    const ofConfigs = ['config_info', 'config_info_beta', 'config_info_tag', 'his_config_info', 'config_tags_relation'];
    for (const table of [...ofConfigs, 'tenant_info', 'group_capacity', 'tenant_capacity']) {
      await person.query(`ALTER TABLE ${table} CONVERT TO ${to}`);
    }
  };
  /** A connection of another program, such as a Java node or a person. */
  const connect = async (database: string) => {
    const { address: host, port, user, password } = server;
    const connection = await createConnection({ host, port, user, password, database, timezone: 'Z' });
    connections.push(connection);
    await connection.query(`SET time_zone = '+00:00'`);
    return connection;
  };

  it('waits for an id that a slower transaction has taken, and tells both in order', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const slow = await connect(database);
    const from = await store.revision();
    await slow.query('START TRANSACTION');
    await slow.query(`INSERT INTO nk_change (kind, removed, record_key) VALUES ('switch', 0, 'slow')`);
    const fast = await store.putRecord({ kind: 'switch', key: 'fast', value: '{}' });
    assert.equal(await store.revision(), from, 'a reader that starts here would miss the slow change');
    const reading = store.changes(from, 10);
    await slow.query('COMMIT');
    const page = await reading;
    assert.ok(!page.gap);
    assert.deepEqual(
      page.changes.map((change) => change.what.key),
      ['slow', 'fast'],
    );
    assert.equal(page.upTo, fast);
  });

  it('passes an id that never comes, within half a second', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const other = await connect(database);
    const from = await store.revision();
    await other.query('START TRANSACTION');
    await other.query(`INSERT INTO nk_change (kind, removed, record_key) VALUES ('switch', 0, 'undone')`);
    await other.query('ROLLBACK');
    await store.putRecord({ kind: 'switch', key: 'done', value: '{}' });
    const startedAt = performance.now();
    const changes = await changesSince(store, from);
    assert.ok(performance.now() - startedAt < 1500);
    assert.deepEqual(
      changes.map((change) => change.what.key),
      ['done'],
    );
  });

  it('tells a change again, to every reader in order, that came after its id was passed', async () => {
    const database = await newDatabase();
    const [one, two] = [await open(database), await open(database)];
    const frozen = await connect(database);
    let at = await one.revision();
    await frozen.query('START TRANSACTION');
    await frozen.query(`INSERT INTO nk_change (kind, removed, record_key) VALUES ('switch', 0, 'frozen')`);
    await one.putRecord({ kind: 'switch', key: 'next', value: '{}' });
    const readers = [one, two];
    for (const reader of readers) {
      const changes = await changesSince(reader, at);
      assert.deepEqual(
        changes.map((change) => change.what.key),
        ['next'],
      );
    }
    at = await one.revision();
    await frozen.query('COMMIT');
    await eventually(async () => {
      for (const reader of readers) {
        const changes = await changesSince(reader, at);
        assert.deepEqual(
          changes.map((change) => change.what.key),
          ['frozen'],
        );
      }
    });
  });

  it('has the server end what a frozen node leaves open, before its changes count as late', async () => {
    const database = await newDatabase();
    const store = await open(database);
    await store.putConfig(writeOf('any', '1'));
    const [row] = await server.query(`SELECT @@global.wait_timeout AS own, ${ABANDONED_AFTER_S} AS ours`);
    assert.ok(Number(row!['ours']) * 1000 < LATE_MS && Number(row!['own']) > Number(row!['ours']));
    const settings = settingsOf(database);
    const session = await MysqlSession.connect(createTestHost(), settings, new Patience(createTestHost().clock));
    assert.equal((await session.row('SELECT @@wait_timeout AS s'))?.['s'], ABANDONED_AFTER_S);
    session.destroy();
  });

  it('finds what a Java node publishes, updates and deletes', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const java = await connect(database);
    const from = await store.revision();
    const told = async (count: number) => {
      let keys: unknown[] = [];
      await eventually(async () => {
        keys = (await changesSince(store, from)).map(({ what, removed }) => [what.key, removed]);
        assert.equal(keys.length, count);
      });
      return keys;
    };
    const history = `INSERT INTO his_config_info (id, data_id, group_id, tenant_id, app_name, content, md5, src_ip, src_user, gmt_modified, op_type)`;
    await java.query('START TRANSACTION');
    await java.query(`INSERT INTO config_info (data_id, group_id, tenant_id, content, md5, type, gmt_create, gmt_modified)
      VALUES ('java', 'g', '', 'one', '${md5('one')}', 'text', '2001-01-01', '2001-01-01')`);
    await java.query(`${history} VALUES (0, 'java', 'g', '', '', 'one', '${md5('one')}', '', NULL, '2001-01-01', 'I')`);
    await java.query('COMMIT');
    assert.deepEqual(await told(1), [[keyOf('java'), false]]);
    await java.query(`UPDATE config_info SET content = 'two', md5 = '${md5('two')}' WHERE data_id = 'java'`);
    await java.query(`${history} VALUES (1, 'java', 'g', '', '', 'one', '${md5('one')}', '', NULL, '2001-01-01', 'U')`);
    await told(2);
    assert.equal((await store.getConfig(keyOf('java')))!.content, 'two');
    await java.query(`DELETE FROM config_info WHERE data_id = 'java'`);
    await java.query(`${history} VALUES (1, 'java', 'g', '', '', 'two', '${md5('two')}', '', NULL, '2001-01-01', 'D')`);
    assert.deepEqual((await told(3))[2], [keyOf('java'), true]);
  });

  it('finds what a person writes by SQL, once, and not what it wrote itself', async () => {
    const database = await newDatabase();
    const [one, two] = [await open(database), await open(database)];
    const person = await connect(database);
    await one.putConfig(writeOf('mine', '1'));
    await one.putConfig(writeOf('theirs', '1'));
    const from = await one.revision();
    await person.query(`UPDATE config_info SET content = '2', gmt_modified = NOW() WHERE data_id = 'theirs'`);
    const theirs = [{ kind: 'config', key: keyOf('theirs') }];
    await eventually(async () => {
      const changes = await changesSince(two, from);
      assert.deepEqual(
        changes.map((change) => change.what),
        theirs,
      );
    });
    // The md5 column still says what was there before; what is read is right.
    assert.equal((await two.getConfig(keyOf('theirs')))!.md5, md5('2'));
    // Many more looks of each store: nothing is told twice.
    await createTestHost().clock.sleep(1000);
    assert.equal((await changesSince(two, from)).length, 1);
  });

  it('finds rows of those whose zone is that of the server, and betas of those whose clock is late', async () => {
    const database = await newDatabase();
    const store = await open(database);
    await store.putConfig(writeOf('their.now', 'one'));
    await server.query(`SET GLOBAL time_zone = '-05:00'`);
    try {
      const person = await connect(database);
      const from = await store.revision();
      await person.query(`UPDATE config_info SET content = 'two', gmt_modified = NOW() WHERE data_id = 'their.now'`);
      await eventually(async () => assert.equal((await changesSince(store, from)).length, 1));
      await person.query(
        `INSERT INTO config_info_beta (data_id, group_id, content, gmt_modified)
         VALUES ('late', 'g', 'x', UTC_TIMESTAMP() - INTERVAL 40 MINUTE)`,
      );
      await eventually(async () => assert.equal((await changesSince(store, from)).length, 2));
    } finally {
      await server.query(`SET GLOBAL time_zone = 'SYSTEM'`);
    }
  });

  it('finds betas and tags that others publish, update and stop', async () => {
    const database = await newDatabase();
    const [one, two] = [await open(database), await open(database)];
    const java = await connect(database);
    await one.putVariant(variantOf('ours', '1', { kind: 'beta' }, { betaIps: '1.1.1.1' }));
    await one.putVariant(variantOf('ours', '1', { kind: 'tag', tag: 'blue' }));
    const from = await one.revision();
    const told = async (count: number) => {
      let seen: unknown[] = [];
      await eventually(async () => {
        seen = (await changesSince(two, from)).map(({ what, removed }) => [what.kind, what.key, removed]);
        assert.equal(seen.length, count);
      });
      return seen;
    };
    await java.query(`INSERT INTO config_info_beta (data_id, group_id, tenant_id, content, md5, beta_ips)
      VALUES ('java', 'g', '', 'one', NULL, '10.0.0.1')`);
    assert.deepEqual(await told(1), [['variant', keyOf('java'), false]]);
    await java.query(`INSERT INTO config_info_tag (data_id, group_id, tenant_id, tag_id, content, app_name)
      VALUES ('java', 'g', '', 'beta', 'two', NULL)`);
    await told(2);
    assert.deepEqual(
      (await two.getVariants(keyOf('java'))).map((v) => [v.variant, v.content, v.md5, v.betaIps, v.appName]),
      [
        [{ kind: 'beta' }, 'one', md5('one'), '10.0.0.1', ''],
        [{ kind: 'tag', tag: 'beta' }, 'two', md5('two'), '', ''],
      ],
    );
    await java.query(`UPDATE config_info_beta SET beta_ips = '10.0.0.2', gmt_modified = NOW() WHERE data_id = 'java'`);
    await told(3);
    await java.query(`UPDATE config_info_tag SET content = '2', gmt_modified = NOW() WHERE data_id = 'ours'`);
    assert.deepEqual((await told(4))[3], ['variant', keyOf('ours'), false]);
    await java.query(`DELETE FROM config_info_beta WHERE data_id = 'java'`);
    assert.deepEqual((await told(5))[4], ['variant', keyOf('java'), true]);
    await java.query(`DELETE FROM config_info_tag WHERE data_id = 'ours'`);
    assert.deepEqual((await told(6))[5], ['variant', keyOf('ours'), true]);
    // Many more looks of each store: nothing is told twice.
    await createTestHost().clock.sleep(1000);
    assert.equal((await changesSince(two, from)).length, 6);
  });

  it('leaves the usage that others count alone, and finds limits that they set', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const java = await connect(database);
    const limits = { quota: 5, maxSize: 6, maxAggrCount: 7, maxAggrSize: 8 };
    const none = { quota: 0, maxSize: 0, maxAggrCount: 0, maxAggrSize: 0 };
    const from = await store.revision();
    const told = async (count: number) => {
      await eventually(async () => assert.equal((await changesSince(store, from)).length, count));
      return (await changesSince(store, from)).at(-1);
    };
    await java.query("INSERT INTO group_capacity (group_id, `usage`) VALUES ('counted', 3)");
    await store.putRecord(capacityRecord({ kind: 'group', name: 'counted' }, limits));
    await java.query("INSERT INTO tenant_capacity (tenant_id, quota, `usage`) VALUES ('dev', 9, 1)");
    assert.deepEqual((await told(2))?.what, { kind: 'capacity', key: 'tenant:dev' });
    assert.deepEqual(
      await store.getRecord('capacity', 'tenant:dev'),
      capacityRecord({ kind: 'tenant', name: 'dev' }, { ...none, quota: 9 }),
    );
    await java.query('UPDATE tenant_capacity SET `usage` = 2, gmt_modified = NOW()');
    await java.query('UPDATE group_capacity SET quota = 10');
    assert.deepEqual((await told(3))?.what, { kind: 'capacity', key: 'group:counted' });
    assert.equal(await store.removeRecord('capacity', 'group:counted'), true);
    const [rows] = await java.query('SELECT quota, `usage` AS counted FROM group_capacity');
    assert.deepEqual(JSON.parse(JSON.stringify(rows)), [{ quota: 0, counted: 3 }]);
    await java.query('DELETE FROM tenant_capacity');
    const last = await told(5);
    assert.deepEqual([last!.what, last!.removed], [{ kind: 'capacity', key: 'tenant:dev' }, true]);
  });

  it('works with ids beyond what a number can hold', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const java = await connect(database);
    const [first, second] = ['1146598417264652289', '1146598417264652290'];
    for (const id of [first, second]) {
      await java.query(`INSERT INTO config_info (id, data_id, group_id, tenant_id, content, md5, type)
        VALUES (${id}, 'java.${id}', 'g', '', 'text', '${md5('text')}', 'text')`);
      await java.query(`INSERT INTO config_tags_relation (id, tag_name, tag_type, data_id, group_id, tenant_id)
        VALUES (${id}, 't.${id}', NULL, 'java.${id}', 'g', '')`);
    }
    await java.query(`INSERT INTO his_config_info (id, nid, data_id, group_id, tenant_id, content, op_type, md5)
      VALUES (${first}, 1146598417264652277, 'java.${first}', 'g', '', 'old', 'U', '${md5('old')}')`);
    const byId = await store.getConfigs([second!]);
    assert.deepEqual(
      byId.map((config) => [config.id, config.dataId, config.tags]),
      [[second, `java.${second}`, [`t.${second}`]]],
    );
    const page = await store.scanConfigs(1);
    assert.equal(page.items[0]!.id, first);
    assert.equal((await store.scanConfigs(1, page.next)).items[0]!.id, second);
    assert.equal((await store.previousHistory(first!))?.nid, '1146598417264652277');
    assert.equal(await store.previousHistory(second!), undefined);
    await store.putConfig(writeOf(`java.${second}`, 'ours', { tags: ['u'] }));
    await store.putConfig(writeOf('new', '1', { tags: ['n'] }));
    await store.putConfig(writeOf('new', '2'));
    const added = (await store.getConfig(keyOf('new')))!;
    assert.ok(BigInt(added.id) > BigInt(second!));
    assert.deepEqual(added.tags, ['n']);
    const { nid, content } = (await store.previousHistory(added.id))!;
    assert.deepEqual([BigInt(nid) > 1146598417264652277n, content], [true, '1']);
    assert.equal((await store.getHistory(nid))?.content, '1');
    assert.equal((await store.previousHistory(second!))?.content, 'text');
    assert.equal(await store.removeConfigs([first!, added.id], { ip: '', user: null }), 2);
    assert.deepEqual(
      (await store.searchConfigs(queryOf('', { tags: ['u', 'n'] }))).items.map((config) => config.id),
      [second],
    );
    assert.equal((await store.previousHistory(first!))?.operation, 'D');
  });

  it('removes past writes that are older than they are kept, more than one batch of them', async () => {
    const database = await newDatabase();
    const person = await connect(database);
    const store = await open(database);
    await store.putConfig(writeOf('past', '1'));
    await person.query(`INSERT INTO his_config_info (id, data_id, group_id, tenant_id, content, op_type, gmt_modified)
      SELECT 1, 'past', 'g', '', 'x', 'U', NOW() - INTERVAL IF(seq > 2500, 29, 31) DAY FROM seq_1_to_2503`);
    const several = [await open(database, { forgetEveryMs: 50 }), await open(database, { forgetEveryMs: 50 })];
    await eventually(async () => assert.equal((await several[0]!.searchHistory(keyOf('past'), 0, 1)).total, 4));
    await createTestHost().clock.sleep(300);
    assert.equal((await several[1]!.searchHistory(keyOf('past'), 0, 1)).total, 4);
    for (const forgetting of several) await forgetting.stop();
  });

  it('tells rows once whose namespace is NULL', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const from = await store.revision();
    const person = await connect(database);
    for (const table of ['config_info', 'config_info_beta']) {
      await person.query(`INSERT INTO ${table} (data_id, group_id, tenant_id, content) VALUES ('d', 'g', NULL, 'x')`);
    }
    await eventually(async () => assert.equal((await changesSince(store, from)).length, 2));
    await createTestHost().clock.sleep(1000);
    assert.equal((await changesSince(store, from)).length, 2);
  });

  it('leaves nothing open on a server that does not commit by itself', async () => {
    const database = await newDatabase();
    await server.query(`SET GLOBAL autocommit = 0; SET GLOBAL completion_type = 'CHAIN'`);
    try {
      const [one, other] = [await open(database), await open(database)];
      const from = await other.revision();
      await one.putConfig(writeOf('told', 'x'));
      await server.query(`UPDATE ${database}.config_info SET content = 'by hand', gmt_modified = NOW(); COMMIT`);
      for (const store of [one, other]) {
        await eventually(async () => assert.equal((await changesSince(store, from)).length, 2));
        assert.equal((await store.getConfig(keyOf('told')))?.content, 'by hand');
      }
      await server.query(`SET lock_wait_timeout = 1; ALTER TABLE ${database}.config_info ADD COLUMN theirs int`);
    } finally {
      await server.query(`SET GLOBAL autocommit = 1; SET GLOBAL completion_type = 'NO_CHAIN'`);
    }
  });

  it('reads a tag once that a Java node has stored twice', async () => {
    const database = await newDatabase();
    const store = await open(database);
    await store.putConfig(writeOf('tagged', 'x', { tags: ['a', 'b'] }));
    const person = await connect(database);
    await person.query(
      `INSERT INTO config_tags_relation (id, tag_name, data_id, group_id) SELECT id, 'a', data_id, group_id FROM config_info`,
    );
    assert.deepEqual((await store.getConfig(keyOf('tagged')))!.tags, ['a', 'b']);
    const row = { ...(await store.getConfig(keyOf('tagged')))!, tags: ['b', 'a', 'a'] };
    const twice = { what: 'config', row } as const;
    assert.equal(rowDigest(twice), rowDigest({ what: 'config', row: { ...row, tags: ['a', 'b'] } }));
  });

  it('keeps the second of rows that are moved, also where the server rounds as MySQL does', async () => {
    const database = await newDatabase();
    await (await open(database)).stop();
    const host = createTestHost();
    const session = await MysqlSession.connect(host, settingsOf(database), new Patience(host.clock));
    await session.command(`SET SESSION sql_mode = CONCAT(@@sql_mode, ',TIME_ROUND_FRACTIONAL')`);
    const past: ConfigHistory = {
      ...{ nid: '1', configId: '1', operation: 'U', ...keyOf('moved'), content: 'x', md5: md5('x'), appName: '' },
      ...{ sourceIp: '', sourceUser: null, atMs: 1_600_000_000_900 },
    };
    // Under a number that is taken the same row is known by its time.
    for (const nid of ['1', '1', '2', '1']) await putMoved(session, [{ what: 'history', row: { ...past, nid } }]);
    const { items } = await scanHistory(session, 10, '0');
    assert.deepEqual(
      items.map(({ nid, atMs }) => [nid, atMs]),
      [
        ['1', 1_600_000_000_000],
        ['2', 1_600_000_000_000],
      ],
    );
    session.destroy();
  });

  it('finds namespaces that others make, rename and remove', async () => {
    const database = await newDatabase();
    const store = await open(database);
    const java = await connect(database);
    await store.putRecord(namespaceRecord({ id: 'ours', name: 'o', description: '' }));
    const from = await store.revision();
    const told = async (count: number) => {
      await eventually(async () => assert.equal((await changesSince(store, from)).length, count));
    };
    await java.query(`INSERT INTO tenant_info (kp, tenant_id, tenant_name, tenant_desc, create_source, gmt_create, gmt_modified)
      VALUES ('1', 'theirs', 'T', NULL, 'nacos', 1, 1)`);
    await told(1);
    assert.deepEqual(
      await store.getRecord('namespace', 'theirs'),
      namespaceRecord({ id: 'theirs', name: 'T', description: '' }),
    );
    await java.query(`UPDATE tenant_info SET tenant_name = 'U' WHERE tenant_id = 'theirs'`);
    await told(2);
    await java.query(`DELETE FROM tenant_info WHERE tenant_id = 'theirs'`);
    await told(3);
    const last = (await changesSince(store, from)).at(-1)!;
    assert.deepEqual([last.what, last.removed], [{ kind: 'namespace', key: 'theirs' }, true]);
  });

  it('looks for what others wrote by indexes, also among many namespaces, limits, betas and changes', async () => {
    const database = await newDatabase();
    await (await open(database)).stop();
    const person = await connect(database);
    for (const sql of [
      `INSERT INTO nk_change (kind, removed, data_id, mark) SELECT 'config', 0, CONCAT('d', seq), 'm' FROM seq_1_to_20000`,
      `INSERT INTO tenant_info (kp, tenant_id, gmt_create, gmt_modified) SELECT '1', CONCAT('n', seq), 1, 1 FROM seq_1_to_300`,
      `INSERT INTO group_capacity (group_id, quota) SELECT CONCAT('g', seq), 5 FROM seq_1_to_300`,
      `INSERT INTO config_info_beta (data_id, group_id, content) SELECT CONCAT('d', seq), 'g', 'x' FROM seq_1_to_300`,
      'ANALYZE TABLE nk_change, tenant_info, group_capacity, config_info_beta',
    ]) {
      await person.query(sql);
    }
    const host = createTestHost();
    const session = await MysqlSession.connect(host, settingsOf(database), new Patience(host.clock));
    const look = async () => {
      session.patience = new Patience(host.clock);
      return new MysqlForeign(host.clock, assert.fail).look(session);
    };
    const rowsRead = async () => {
      const rows = await session.rowsOfText(`SHOW SESSION STATUS LIKE 'Handler_read%'`);
      return rows.reduce((sum, row) => sum + Number(row['Value']), 0);
    };
    assert.equal(await look(), true);
    await person.query('ANALYZE TABLE nk_change');
    const before = await rowsRead();
    assert.equal(await look(), false);
    const read = (await rowsRead()) - before;
    assert.ok(read < 30_000, `${read} rows were read`);
    session.destroy();
  });

  it('uses the database of a 1.4 installation as it is, and refuses what its columns cannot hold', async () => {
    const database = await newDatabase();
    await convertTables(database, 'CHARACTER SET utf8mb3 COLLATE utf8mb3_bin');
    const person = await connect(database);
    const store = await open(database);
    const from = await store.revision();
    await store.putConfig(writeOf('old.schema', 'grüße 中文', { tags: ['t'] }));
    await store.putConfig(writeOf('Old.schema', 'other'));
    assert.equal((await store.getConfig(keyOf('old.schema')))!.content, 'grüße 中文');
    const search = queryOf('', { dataId: { kind: 'like', text: 'old.*' }, tags: ['t'] });
    assert.equal((await store.searchConfigs(search)).total, 1);
    const error = await assertRefused('invalid', store.putConfig(writeOf('emoji', 'a 😀')));
    assert.match(error.message, /^mysql 127\.0\.0\.1:\d+\/db\d+ as nacos: .*Incorrect string value/);
    assert.equal(await store.getConfig(keyOf('emoji')), undefined);
    await person.query(`UPDATE config_info SET content = 'hand', gmt_modified = NOW() WHERE data_id = 'Old.schema'`);
    await eventually(async () => assert.equal((await changesSince(store, from)).length, 3));
    await store.putVariant(variantOf('old.schema', 'grüße', { kind: 'tag', tag: 'blau-grün' }));
    await person.query(`INSERT INTO config_info_beta (data_id, group_id, content) VALUES ('grün', 'g', 'x')`);
    await person.query(`INSERT INTO group_capacity (group_id, quota) VALUES ('grün', 1)`);
    await eventually(async () => assert.equal((await changesSince(store, from)).length, 6));
    await createTestHost().clock.sleep(500);
    assert.equal((await changesSince(store, from)).length, 6);
  });

  it('takes md5s of UTF-8, whatever the tables are in', async () => {
    for (const [charset, text, later] of [
      ['latin1', 'ä', 'ö'],
      ['gbk', '漢', '字'],
    ] as const) {
      const database = await newDatabase();
      await convertTables(database, `CHARACTER SET ${charset} COLLATE ${charset}_bin`);
      const store = await open(database);
      await store.putConfig(writeOf('text', text));
      assert.equal((await store.putConfig(writeOf('text', later, { expectedMd5: md5(text) }))).outcome, 'written');
      const together = ['a', 'b'].map((name) => store.putConfig(writeOf(name, text)));
      await Promise.all(together);
      const guarded = ['a', 'b'].map((name) => store.putConfig(writeOf(name, later, { expectedMd5: md5(text) })));
      assert.deepEqual(
        (await Promise.all(guarded)).map(({ outcome }) => outcome),
        ['written', 'written'],
      );
      await store.putRecord(namespaceRecord({ id: 'n', name: text, description: '' }));
      await store.putVariant(variantOf('text', text, { kind: 'beta' }, { betaIps: '10.0.0.1' }));
      const before = await store.revision();
      await server.query(
        `UPDATE ${database}.config_info SET content = '${text}${text}', gmt_modified = NOW() WHERE data_id = 'a'`,
      );
      await eventually(async () => assert.equal((await changesSince(store, before)).length, 1));
      const told = (await changesSince(store, before)).map(({ what }) => what.kind);
      assert.deepEqual(told, ['config'], 'of what it wrote itself nothing is told again');
    }
  });

  it('writes over no other configuration where the tables tell no upper from lower case, and says so', async () => {
    const database = await newDatabase();
    await convertTables(database, 'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci');
    const store = await open(database);
    assert.match(
      hosts.at(-1)!.lines.join('\n'),
      /by utf8mb4_general_ci names .*ALTER TABLE config_info CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin/,
    );
    await store.putConfig(writeOf('name', 'one'));
    const refused = { kind: 'misconfigured', because: 'the database takes Name for name, which is another name' };
    await assert.rejects(store.putConfig(writeOf('Name', 'two')), refused);
    await assert.rejects(store.removeConfig(keyOf('Name'), { ip: '', user: null }), refused);
    const stands = (await store.getConfig(keyOf('name')))!;
    await assert.rejects(store.putMoved!([{ what: 'config', row: { ...stands, dataId: 'Name' } }]), refused);
    assert.equal(stands.content, 'one');
    assert.equal(await store.getConfig(keyOf('Name')), undefined);
    const together = await Promise.allSettled(
      ['Name', 'name', 'new', 'New', 'else'].map((name) => store.putConfig(writeOf(name, 'three'))),
    );
    assert.deepEqual(
      together.map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal((await store.getConfig(keyOf('name')))!.content, 'three');
  });

  it('refuses names that end in a blank, which the columns cannot tell apart', async () => {
    const store = await open(await newDatabase());
    await store.putConfig(writeOf('padded', 'x'));
    await assertRefused('invalid', store.putConfig(writeOf('padded ', 'y')));
    assert.equal(await store.getConfig(keyOf('padded ')), undefined);
    assert.equal(await store.removeConfig(keyOf('padded '), { ip: '', user: null }), false);
    assert.equal((await store.getConfig(keyOf('padded')))!.content, 'x');
    await store.putVariant(variantOf('padded', 'x', { kind: 'tag', tag: 't' }));
    await assertRefused('invalid', store.putVariant(variantOf('padded', 'y', { kind: 'tag', tag: 't ' })));
    assert.equal(await store.removeVariant(keyOf('padded'), { kind: 'tag', tag: 't ' }), false);
    assert.deepEqual(await store.getVariants(keyOf('padded ')), []);
    assert.equal((await store.searchHistory(keyOf('padded '), 0, 10)).total, 0);
    const limits = { quota: 1, maxSize: 1, maxAggrCount: 1, maxAggrSize: 1 };
    await assertRefused('invalid', store.putRecord(capacityRecord({ kind: 'group', name: 'g ' }, limits)));
  });

  it('writes nothing to a server that turned read-only, also as a user who could', async () => {
    const database = await newDatabase();
    const store = await open(database);
    await store.putConfig(writeOf('ro', 'before'));
    await server.query(`GRANT ALL ON *.* TO 'nacos'@'%'; SET GLOBAL read_only = 1`);
    try {
      const able = await open(database);
      for (const writer of [store, able]) {
        const error = await assertRefused('read-only', writer.putConfig(writeOf('ro', 'during')));
        assert.match(error.message, /^mysql 127\.0\.0\.1:\d+\/db\d+ as nacos: /);
        await assertRefused('read-only', writer.putRecord({ kind: 'switch', key: 'ro', value: '{}' }));
        await assertRefused('read-only', writer.removeConfig(keyOf('ro'), { ip: '', user: null }));
        assert.equal((await writer.getConfig(keyOf('ro')))!.content, 'before');
      }
    } finally {
      await server.query(`SET GLOBAL read_only = 0; REVOKE ALL ON *.* FROM 'nacos'@'%'`);
    }
    await store.putConfig(writeOf('ro', 'after'));
  });

  it('has everything read again after a crash, for what was read may be gone and its id taken by another change', async () => {
    const database = await newDatabase();
    const quiet = { lookEveryMs: 600_000 };
    const [reader, writer] = [await open(database, quiet), await open(database, quiet)];
    await reader.putConfig(writeOf('kept', '1'));
    const { revision } = (await writer.putConfig(writeOf('shown', '1'))) as { readonly revision: number };
    await changesSince(reader, revision - 1);
    // As when the server dies between showing a commit and writing it to disk.
    await createTestHost().clock.sleep(CRASH_AFTER_MS);
    await server.kill();
    await server.start();
    const other = await connect(database);
    await other.query('DELETE FROM nk_change WHERE id = ?', [revision]);
    await other.query(`DELETE FROM config_info WHERE data_id = 'shown'`);
    await other.query(`ALTER TABLE nk_change AUTO_INCREMENT = ${revision}`);
    const again = (await writer.putConfig(writeOf('instead', '1'))) as { readonly revision: number };
    assert.equal(again.revision, revision);
    const page = await reader.changes(revision, 10);
    assert.ok(page.gap);
    assert.equal(page.upTo, revision);
    assert.deepEqual(await reader.changes(page.upTo, 10), { gap: false, changes: [], upTo: revision });
  });

  it('loses no acknowledged write when the server is killed, and goes on when it is back', {
    timeout: 60_000,
  }, async () => {
    const database = await newDatabase();
    const store = await open(database);
    const acks = new Map<string, number>();
    let isRunning = true;
    const writing = Array.from({ length: 8 }, async (_, i) => {
      for (let n = 0; isRunning; n += 1) {
        try {
          await store.putConfig(writeOf(`kill.${i}`, `${n}`));
          acks.set(`kill.${i}`, n);
        } catch {
          await createTestHost().clock.sleep(50);
        }
      }
    });
    for (let round = 0; round < 2; round += 1) {
      const before = acks.get('kill.0') ?? 0;
      await eventually(async () => assert.ok((acks.get('kill.0') ?? 0) > before + 20));
      await server.kill();
      const error = await assertRefused('unavailable', store.getConfig(keyOf('kill.0')));
      assert.match(error.message, /^mysql 127\.0\.0\.1:\d+\/db\d+ as nacos: .*ECONNREFUSED/);
      await server.start();
    }
    isRunning = false;
    await Promise.all(writing);
    for (const [dataId, n] of acks) {
      const stored = Number((await store.getConfig(keyOf(dataId)))!.content);
      assert.ok(stored >= n, `${dataId}: ${n} was acknowledged, ${stored} is stored`);
    }
  });

  it('says what is wrong with its settings, and never the password', async () => {
    const database = await newDatabase();
    const refused = async (more: Partial<MysqlSettings>, pattern: RegExp) => {
      const error = await assertRefused('misconfigured', open(database, more));
      assert.match(error.message, pattern);
      for (const secret of [server.password, 'pass-word-1']) {
        assert.ok(!`${error.stack} ${JSON.stringify(error)}`.includes(secret), error.message);
      }
    };
    await refused({ password: 'pass-word-1' }, /^mysql 127\.0\.0\.1:\d+\/db\d+ as nacos: ER_ACCESS_DENIED_ERROR/);
    await refused({ database: 'no_such' }, /as nacos: ER_(DBACCESS_DENIED|BAD_DB)_ERROR/);
    await refused({ password: { file: '/no/such/file' } }, /the password file \/no\/such\/file cannot be read/);
    await refused({ parameters: 'serverTimezone=Mars/Olympus' }, /ER_UNKNOWN_TIME_ZONE/);
    await refused({ parameters: 'useSSL=true' }, /HANDSHAKE_NO_SSL_SUPPORT Server does not support secure connection/);
  });

  it('says that the user may not make the tables that are missing, and which statements would', async () => {
    const database = await newDatabase();
    await server.query(
      `REVOKE ALL ON ${database}.* FROM 'nacos'@'%'; GRANT SELECT, INSERT ON ${database}.* TO 'nacos'@'%'`,
    );
    const error = await assertRefused('misconfigured', open(database));
    assert.match(error.message, /as nacos: the user may not create what is missing \(config_info, .*, nk_meta\); let /);
    await server.query(`USE ${database}; ${error.message.slice(error.message.indexOf('CREATE TABLE'))}`);
    const store = await open(database);
    assert.equal(await store.getConfig(keyOf('none')), undefined);
  });

  it('refuses a database that is not of 1.4, or of a newer version, and leaves it as it is', async () => {
    const makes = [
      ['CREATE TABLE config_info (id bigint PRIMARY KEY, data_id varchar(255))', /Unknown column 'group_id'/],
      [
        `CREATE TABLE nk_meta (name varchar(32) PRIMARY KEY, value bigint); INSERT INTO nk_meta VALUES ('schema', 2)`,
        /the nk_\* tables have version 2, this program knows 1/,
      ],
    ] as const;
    for (const [make, refusal] of makes) {
      const database = await newDatabase();
      await server.query(`USE ${database}; ${make}`);
      const error = await assertRefused('misconfigured', open(database));
      assert.match(error.message, refusal);
      const [tables] = await (await connect(database)).query('SHOW TABLES');
      assert.equal((tables as readonly unknown[]).length, 1);
    }
  });

  it('reads the password from a file at each connect, so that it can be changed', async () => {
    const database = await newDatabase();
    const file = join(directory, 'password');
    await writeFile(file, 'wrong\n');
    await assertRefused('misconfigured', open(database, { password: { file } }));
    await writeFile(file, `${server.password}\n`);
    const store = await open(database, { password: { file } });
    await store.putConfig(writeOf('a', '1'));
  });

  it('makes its schema once when several nodes start together', async () => {
    const database = await newDatabase();
    const opened = await Promise.all([open(database), open(database), open(database)]);
    for (const [i, store] of opened.entries()) await store.putConfig(writeOf('together', `${i}`));
    assert.equal((await opened[0]!.getConfig(keyOf('together')))!.content, '2');
  });
});

describe('the parameters of a database address', () => {
  it('are read as the Java driver does', () => {
    const cases: [string, { timeZone: string; tls: string }][] = [
      ['', { timeZone: '+00:00', tls: 'off' }],
      [
        'characterEncoding=utf8&connectTimeout=1000&useSSL=false&serverTimezone=UTC',
        { timeZone: '+00:00', tls: 'off' },
      ],
      ['?serverTimezone=GMT%2B8&useSSL=true', { timeZone: '+08:00', tls: 'encrypted' }],
      ['serverTimezone=GMT+8', { timeZone: '+08:00', tls: 'off' }],
      ['serverTimezone=-03:30&sslMode=VERIFY_CA', { timeZone: '-03:30', tls: 'verified' }],
      ['serverTimezone=Asia/Shanghai&sslMode=REQUIRED', { timeZone: 'Asia/Shanghai', tls: 'encrypted' }],
    ];
    for (const [text, expected] of cases) assert.deepEqual(readParameters(text), expected, text);
  });

  it('refuse a time zone that is none', () => {
    assert.throws(() => readParameters(`serverTimezone=x'; DROP TABLE users`), /is no time zone/);
  });
});
