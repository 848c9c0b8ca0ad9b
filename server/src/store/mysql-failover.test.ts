import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { assertRefused, changesSince, eventually, keyOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import type { Store } from './store.ts';

const { clock } = createTestHost();
const WRITERS = 4;
const AFTER_FAILURE_MS = 50;
const OF_PRIMARY = ['--server-id=1', '--log-bin=changes', '--rpl-semi-sync-master-wait-point=AFTER_SYNC'];
/** Longer than anybody waits here. */
const CONFIRMED_MS_MAX = 60_000;
const OF_REPLICA = ['--server-id=2', '--rpl-semi-sync-slave-enabled=1', '--read-only=1', '--relay-log=relay'];

describe('the mysql store behind an address that is failed over', { skip: (await mariadbMissing()) ?? false }, () => {
  const servers: Mariadb[] = [];
  const stores: Store[] = [];
  let address: MovedAddress | undefined;
  after(async () => {
    for (const store of stores) await store.stop();
    await address?.close();
    for (const server of servers) await server.stop();
  });

  it('goes on with the replica, loses nothing that was acknowledged, and does not write to the old primary', {
    timeout: 90_000,
  }, async () => {
    const primary = await startMariadb({ flags: OF_PRIMARY });
    servers.push(primary);
    const replica = await startMariadb({ flags: OF_REPLICA });
    servers.push(replica);
    await follow(replica, primary);
    address = await MovedAddress.to(primary);
    const { port } = address;
    const open = async () => {
      const { database, user, password } = primary;
      const settings = { host: '127.0.0.1', port, database, user, password, lookEveryMs: 100 };
      const store = createMysqlStore(createTestHost(), settings);
      stores.push(store);
      await store.start();
      return store;
    };
    const [store, reader] = [await open(), await open()];
    const from = await eventually(() => reader.revision());
    const writers = new Writers(store);
    await writers.written(100);
    const seen = await eventually(() => reader.revision());
    await primary.kill();
    await assertRefused('unavailable', store.getConfig(keyOf('writer.0')));
    await promote(replica);
    address.moveTo(replica);
    await writers.written(100);
    await writers.end();
    await eventually(async () => {
      for (const [dataId, n] of writers.acknowledged) {
        const stored = Number((await store.getConfig(keyOf(dataId)))!.content);
        assert.ok(stored >= n, `${dataId}: ${n} was acknowledged, ${stored} is stored`);
      }
    });
    // What was shown by the old one may be missing in the new one, so readers begin anew, and are then told all.
    // The one connection or the other is found to be cut first.
    let upTo = seen;
    await eventually(async () => {
      const page = await reader.changes(seen, 10);
      assert.ok(page.gap);
      upTo = page.upTo;
    });
    await eventually(async () => void (await store.putConfig(writeOf('told', '1'))));
    await eventually(async () => {
      const told = (await changesSince(reader, upTo)).map(({ what }) => (what.key as { dataId: string }).dataId);
      assert.deepEqual(new Set(told), new Set(['told']));
    });
    assert.ok((await eventually(() => reader.revision())) > from);

    // As whoever fails over sees to: an old primary comes back read-only.
    await primary.start();
    await primary.query('SET GLOBAL read_only = 1');
    address.moveTo(primary);
    await eventually(async () => {
      const error = await assertRefused('read-only', store.putConfig(writeOf('old', '1')));
      assert.equal(error.because, 'the database is read-only');
    });
    address.moveTo(replica);
    await eventually(async () => void (await store.putConfig(writeOf('told', '2'))));
  });
});

/** From then on a commit is answered when the replica has it. */
async function follow(replica: Mariadb, primary: Mariadb): Promise<void> {
  await primary.query(`CREATE USER 'copy'@'%' IDENTIFIED BY 'copy'; GRANT REPLICATION SLAVE ON *.* TO 'copy'@'%'`);
  await replica.query(`ALTER USER '${replica.user}'@'%' IDENTIFIED BY '${primary.password}';
    CHANGE MASTER TO MASTER_HOST = '${primary.address}', MASTER_PORT = ${primary.port}, MASTER_USER = 'copy',
      MASTER_PASSWORD = 'copy', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE`);
  await primary.query(`SET GLOBAL rpl_semi_sync_master_timeout = ${CONFIRMED_MS_MAX};
    SET GLOBAL rpl_semi_sync_master_enabled = 1`);
  await eventually(async () => {
    const [row] = await primary.query(`SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'`);
    assert.equal(row?.['Value'], '1');
  });
}

async function promote(replica: Mariadb): Promise<void> {
  // All that it was given, first.
  await eventually(async () => {
    const [row] = await replica.query('SHOW SLAVE STATUS');
    assert.match(`${row?.['Slave_SQL_Running_State']}`, /has read all relay log/i);
  });
  await replica.query('STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0');
}

/** Stands for a name or a virtual address that is moved: connections to where it was are cut. */
class MovedAddress {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: Mariadb;

  static async to(target: Mariadb): Promise<MovedAddress> {
    const moved = new MovedAddress(target);
    moved.#server.listen(0, '127.0.0.1');
    await once(moved.#server, 'listening');
    return moved;
  }

  private constructor(target: Mariadb) {
    this.#target = target;
    this.#server = createServer((socket) => {
      const other = connect(this.#target.port, this.#target.address);
      for (const [one, opposite] of [[socket, other] as const, [other, socket] as const]) {
        this.#sockets.add(one);
        one.pipe(opposite);
        one.on('error', () => opposite.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          opposite.destroy();
        });
      }
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  moveTo(target: Mariadb): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Of numbers that go up, each to a configuration of its own. */
class Writers {
  readonly acknowledged = new Map<string, number>();
  readonly #writing: Promise<unknown>;
  #isRunning = true;
  #total = 0;
  #lastFailure: unknown;

  constructor(store: Store) {
    this.#writing = Promise.all(Array.from({ length: WRITERS }, (_, i) => this.#write(store, `writer.${i}`)));
  }

  async written(more: number): Promise<void> {
    const wanted = this.#total + more;
    await eventually(async () => assert.ok(this.#total > wanted, `${this.#lastFailure}`));
  }

  async end(): Promise<void> {
    this.#isRunning = false;
    await this.#writing;
  }

  async #write(store: Store, dataId: string): Promise<void> {
    for (let n = 0; this.#isRunning; n += 1) {
      try {
        await store.putConfig(writeOf(dataId, `${n}`));
        this.acknowledged.set(dataId, n);
        this.#total += 1;
      } catch (error) {
        this.#lastFailure = error;
        await clock.sleep(AFTER_FAILURE_MS);
      }
    }
  }
}
