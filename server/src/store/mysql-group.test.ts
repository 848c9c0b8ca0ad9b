import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createConnection } from 'mysql2/promise';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { changesSince, historyOf, keyOf, md5, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import type { ConfigWritten, Store } from './store.ts';

describe('publishes that share a transaction on mysql', { skip: (await mariadbMissing()) ?? false }, () => {
  let server: Mariadb;
  let store: Store;

  before(async () => {
    server = await startMariadb();
    const { address: host, port, database, user, password } = server;
    store = createMysqlStore(createTestHost(), { host, port, database, user, password, lookEveryMs: 100 });
    await store.start();
  });
  after(async () => {
    await store?.stop();
    await server?.stop();
  });

  const revisionOf = (written: ConfigWritten) => (written.outcome === 'written' ? written.revision : undefined);

  it('each has its own revision, row, past and tags, and none is taken for the write of another program', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `many-${i}`);
    await Promise.all(names.slice(20).map((name) => store.putConfig(writeOf(name, 'old', { tags: ['kept'] }))));
    const from = await store.revision();
    const written = await Promise.all(
      names.map((name, i) => {
        const by = { ip: `10.0.0.${i}`, user: i % 2 === 0 ? `user-${i}` : null };
        return store.putConfig(writeOf(name, `new ${name}`, { by, ...(i < 20 && { tags: [`tag-${i}`] }) }));
      }),
    );
    const revisions = written.map(revisionOf);
    const changes = await changesSince(store, from);
    assert.deepEqual(
      new Map(changes.map(({ what, revision }) => [JSON.stringify(what.key), revision])),
      new Map(
        names
          .map((name, i) => [JSON.stringify(keyOf(name)), revisions[i]] as const)
          .toSorted(([, a], [, b]) => a! - b!),
      ),
    );
    for (const [i, name] of names.entries()) {
      const config = (await store.getConfig(keyOf(name)))!;
      assert.deepEqual([config.content, config.md5], [`new ${name}`, md5(`new ${name}`)]);
      assert.deepEqual(config.tags, [i < 20 ? `tag-${i}` : 'kept']);
      const [past, ...older] = await historyOf(store, keyOf(name), 5);
      assert.deepEqual([past!.operation, older.length], i < 20 ? ['I', 0] : ['U', 1]);
      assert.deepEqual([past!.content, past!.sourceIp], [i < 20 ? `new ${name}` : 'old', `10.0.0.${i}`]);
      assert.equal(past!.sourceUser, i % 2 === 0 ? `user-${i}` : null);
    }
    // Many looks for what others wrote.
    await createTestHost().clock.sleep(1000);
    assert.equal((await changesSince(store, from)).length, names.length);
  });

  it('are not sent as one where all that stands beside the contents is too large for a packet', async () => {
    const small = await startMariadb({ flags: ['--max-allowed-packet=1M'] });
    const { address: host, port, database, user, password } = small;
    const own = createMysqlStore(createTestHost(), { host, port, database, user, password });
    try {
      await own.start();
      const put = (content: string) =>
        Promise.all(
          Array.from({ length: 40 }, (_, i) =>
            own.putConfig(writeOf(`wide-${i}`, content, { schema: 's'.repeat(60_000) })),
          ),
        );
      await put('1');
      const written = await put('2');
      assert.ok(written.every(({ outcome }) => outcome === 'written'));
    } finally {
      await own.stop();
      await small.stop();
    }
  });

  it('of those for one key the last stands, and a condition is judged by what stood before', async () => {
    const others = Array.from({ length: 8 }, (_, i) => store.putConfig(writeOf(`other-${i}`, 'x')));
    const written = await Promise.all([
      store.putConfig(writeOf('one', '1')),
      store.putConfig(writeOf('one', '2', { expectedMd5: md5('1') })),
      store.putConfig(writeOf('one', '3', { expectedMd5: md5('1') })),
      store.putConfig(writeOf('one', '4')),
      store.putConfig(writeOf('absent', '1', { expectedMd5: md5('0') })),
    ]);
    await Promise.all(others);
    assert.deepEqual(
      written.map(({ outcome }) => outcome),
      ['written', 'written', 'conflict', 'written', 'conflict'],
    );
    assert.equal((await store.getConfig(keyOf('one')))!.content, '4');
    assert.equal(await store.getConfig(keyOf('absent')), undefined);
  });

  it('one whose row somebody else holds waits for it alone', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `held-${i}`);
    await Promise.all(names.map((name) => store.putConfig(writeOf(name, 'old'))));
    const { address: host, port, database, user, password } = server;
    const other = await createConnection({ host, port, database, user, password });
    try {
      await other.query(`START TRANSACTION`);
      await other.query(`SELECT id FROM config_info WHERE data_id = 'held-7' FOR UPDATE`);
      const writes = names.map((name) => store.putConfig(writeOf(name, 'new')));
      await Promise.all(writes.filter((_, i) => i !== 7));
      await other.query('COMMIT');
      assert.equal((await writes[7]!).outcome, 'written');
    } finally {
      other.destroy();
    }
  });

  it('one that the database refuses is refused alone', async () => {
    await server.query('ALTER TABLE config_info MODIFY c_use varchar(2) DEFAULT NULL');
    const writes = Array.from({ length: 12 }, (_, i) =>
      store.putConfig(writeOf(`alone-${i}`, 'x', { use: i === 5 ? 'too long' : null })),
    );
    const settled = await Promise.allSettled(writes);
    assert.deepEqual(
      settled.map(({ status }, i) => (status === 'rejected' ? i : -1)).filter((i) => i >= 0),
      [5],
    );
    for (let i = 0; i < 12; i += 1) assert.equal((await store.getConfig(keyOf(`alone-${i}`))) === undefined, i === 5);
  });
});
