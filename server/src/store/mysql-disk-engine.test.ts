import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { makeSmallDisk, type SmallDisk, smallDiskMissing } from '../../../e2e/engines/small-disk.ts';
import { assertRefused, eventually, keyOf, writeOf } from './contract-tools.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import type { Store, StoreError } from './store.ts';

const { clock } = createTestHost();
const REFUSED_WITHIN_MS = 3500;
/** Of one page of InnoDB: it refuses what takes another one. */
const SMALL = 6_000;
/** Of many pages: undoing what it has of them needs another one too, and without that it ends. */
const LARGE = 200_000;
const WRITES_MAX = 200;

describe('the mysql store on a full disk', { skip: (await mariadbMissing()) || smallDiskMissing() }, () => {
  let disk: SmallDisk;
  let server: Mariadb;
  let store: Store;
  const acknowledged = new Map<string, number>();
  after(async () => {
    await store?.stop();
    await server?.stop();
    await disk?.remove();
  });

  /** Writes until it is refused, and resolves with that. */
  async function writeUntilRefused(length: number): Promise<{ error: StoreError; tookMs: number }> {
    for (let n = 0; n < WRITES_MAX; n += 1) {
      const [dataId, startedAt] = [`disk.${length}.${n % 50}`, clock.monotonic()];
      try {
        await store.putConfig(writeOf(dataId, `${n} ${'x'.repeat(length)}`));
        acknowledged.set(dataId, n);
      } catch (error) {
        return { error: error as StoreError, tookMs: clock.monotonic() - startedAt };
      }
    }
    throw new Error(`none of ${WRITES_MAX} writes was refused`);
  }

  async function assertKept(): Promise<void> {
    for (const [dataId, n] of acknowledged) {
      const stored = Number.parseInt((await store.getConfig(keyOf(dataId)))!.content, 10);
      assert.ok(stored >= n, `${dataId}: ${n} was acknowledged, ${stored} is stored`);
    }
  }

  it('refuses writes and says why, while reads go on, until there is room again', async () => {
    disk = await makeSmallDisk(64);
    server = await startMariadb({ parent: disk.path });
    const { address: host, port, database, user, password } = server;
    store = createMysqlStore(createTestHost(), { host, port, database, user, password });
    await store.start();
    await store.putConfig(writeOf('before', '1'));
    await disk.fill();
    const { error, tookMs } = await writeUntilRefused(SMALL);
    assert.equal(error.kind, 'read-only', error.message);
    assert.match(error.message, /^mysql 127\.0\.0\.1:\d+\/nacos as nacos: ER_(RECORD_FILE|DISK)_FULL/);
    assert.equal(error.because, 'the disk of the database is full');
    assert.ok(tookMs < REFUSED_WITHIN_MS, `refused after ${tookMs} ms`);
    assert.equal((await store.getConfig(keyOf('before')))!.content, '1');
    await assertKept();
    await disk.free();
    await store.putConfig(writeOf('after', 'x'.repeat(SMALL)));
    await assertKept();
  });

  it('loses nothing that was acknowledged when the server ends on it', { timeout: 60_000 }, async () => {
    await disk.fill();
    const { error, tookMs } = await writeUntilRefused(LARGE);
    assert.ok(tookMs < REFUSED_WITHIN_MS, `refused after ${tookMs} ms`);
    assert.ok(['unavailable', 'read-only'].includes(error.kind), error.message);
    if (server.isRunning) await server.kill();
    await assertRefused('unavailable', store.putConfig(writeOf('away', '1')));
    await disk.free();
    await server.start();
    await eventually(async () => void (await store.putConfig(writeOf('after', 'x'.repeat(LARGE)))));
    await assertKept();
  });
});
