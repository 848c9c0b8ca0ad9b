import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { damageRows, signedKey, unsignedKey } from '../../../e2e/engines/mariadb-damage.ts';
import { assertRefused, keyOf, variantOf, writeOf } from './contract-tools.ts';
import { createTestHost, type TestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import type { Page, Store } from './store.ts';

const COUNT = 9;
/** Of each table these are damaged, by the numbers in their names. */
const DAMAGED = [3, 6];
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
    store = createMysqlStore(host, { host: address, port, database, user, password });
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
    }
    const tables = ['config_info', 'config_info_beta', 'config_info_tag'];
    const ofIds = tables.map(async (table) => {
      return (await idsOf(table)).map((id) => ({ table, primaryKey: signedKey(id) }));
    });
    const past = (await idsOf('his_config_info', 'nid')).map((nid) => {
      return { table: 'his_config_info', primaryKey: unsignedKey(nid) };
    });
    const records = names(DAMAGED).map((key) => ({ table: 'nk_record', primaryKey: Buffer.from(`instance${key}`) }));
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
        names(SOUND),
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
        SOUND.map((n) => `text ${n}`),
      );
      assert.equal(past.damaged.length, 2);
      const records = await all((next) => store.scanRecords('instance', limit, next));
      assert.deepEqual(
        records.items.map(({ key }) => key),
        names(SOUND),
      );
      assert.deepEqual(
        records.damaged.map((text) => text.split(':')[0]),
        ['instance d3', 'instance d6'],
      );
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
});
