import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { PAGE_BYTES_MAX } from './bounds.ts';
import { inWaves, keyOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import { BY_KEY } from './mysql-read.ts';
import type { Store } from './store.ts';

const NEVER_MS = 1e9;
const STATEMENTS_EACH = 3;

describe('configurations of MySQL that are asked for at once', { skip: (await mariadbMissing()) ?? false }, () => {
  let server: Mariadb;
  let store: Store;
  let names: readonly string[];
  before(async () => {
    server = await startMariadb();
    const { address: host, port, user, password, database } = server;
    store = createMysqlStore(createTestHost(), { host, port, user, password, database, lookEveryMs: NEVER_MS });
    await store.start();
    names = Array.from({ length: store.readsAtOnce! }, (_, i) => `together.${i}`);
    await inWaves(names.length, (i) => store.putConfig(writeOf(names[i]!, names[i]!, { tags: [`${i}`] })));
  });
  after(async () => {
    await store?.stop();
    await server?.stop();
  });

  const readAll = () => Promise.all(names.map((name) => store.getConfig(keyOf(name))));
  const selects = async () => Number((await server.query(`SHOW GLOBAL STATUS LIKE 'Com_select'`))[0]!['Value']);
  const selectsOf = async (run: () => Promise<unknown>): Promise<number> => {
    await run(); // A connection that is new asks for more.
    const from = await selects();
    await run();
    return (await selects()) - from;
  };

  it('come with three statements, each with its own tags', async () => {
    assert.equal(await selectsOf(readAll), STATEMENTS_EACH);
    assert.deepEqual(
      (await readAll()).map((config) => [config?.content, config?.tags]),
      names.map((name, i) => [name, [`${i}`]]),
    );
  });

  it('are found by the index of their keys', async () => {
    const where = names.map((name) => `(${BY_KEY})`.replace('?', `'${name}'`).replace('?', `'g'`).replace('?', `''`));
    await server.query(
      `INSERT INTO config_info (data_id, group_id, tenant_id, content)
       SELECT CONCAT('other.', seq), 'g', '', 'text' FROM seq_1_to_5000`,
    );
    const [plan] = await server.query(
      `EXPLAIN SELECT id, LENGTH(content) FROM config_info WHERE ${where.join(' OR ')}`,
    );
    assert.deepEqual([plan!['type'], plan!['key']], ['range', 'uk_configinfo_datagrouptenant']);
  });

  it('come in parts when they are large', async () => {
    for (const name of names.slice(0, 3)) await store.putConfig(writeOf(name, name.padEnd(PAGE_BYTES_MAX + 1)));
    assert.equal(await selectsOf(readAll), 4 * STATEMENTS_EACH);
    assert.equal((await readAll()).at(-1)?.content, names.at(-1));
  });
});
