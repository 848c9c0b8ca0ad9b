import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type RedisServer, redisMissing, startRedis } from '../../../../e2e/engines/redis.ts';
import { makeSmallDisk, type SmallDisk, smallDiskMissing } from '../../../../e2e/engines/small-disk.ts';
import { assertRefused, eventually, keyOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { TestStores } from './stores-for-tests.ts';

const { clock } = createTestHost();
const REFUSED_WITHIN_MS = 3500;
const by = { ip: '', user: null };

describe('the redis store on a full disk', { skip: (await redisMissing()) || smallDiskMissing() }, () => {
  const stores = new TestStores();
  const disks: SmallDisk[] = [];
  const servers: RedisServer[] = [];
  after(async () => {
    await stores.stop();
    for (const server of servers) await server.stop();
    for (const disk of disks) await disk.remove();
    assert.deepEqual(stores.faults(), []);
  });
  const start = async (...lines: string[]) => {
    const disk = await makeSmallDisk(16);
    disks.push(disk);
    const server = await startRedis({ parent: disk.path, lines });
    servers.push(server);
    return { disk, server, store: await stores.openOn(server) };
  };

  it('refuses writes of a Redis that ends on it, and loses nothing that was acknowledged', async () => {
    const { disk, server, store } = await start();
    const writers = stores.startWriters(store, 4);
    await eventually(async () => assert.ok(writers.total > 100));
    await disk.fill();
    await eventually(async () => assert.ok(!server.isRunning));
    const error = await refusedInTime('unavailable', store);
    assert.match(error.message, /^redis 127\.0\.0\.1:\d+\/0: .*(ECONNREFUSED|closed)/);
    // Started again it can be read, until somebody writes.
    await writers.end();
    await server.start();
    assert.notEqual(await store.getConfig(keyOf('writer.0')), undefined);
    await refusedInTime('unavailable', store);
    await disk.free();
    await server.kill();
    await server.start();
    assert.deepEqual(await writers.lost(), []);
    await store.putConfig(writeOf('after', '1'));
  });

  it('refuses writes of a Redis that cannot keep them and says why, while reads go on, until there is room again', async () => {
    const { disk, store } = await start('appendfsync everysec');
    const writers = stores.startWriters(store, 4);
    await eventually(async () => assert.ok(writers.total > 100));
    await disk.fill();
    await eventually(async () => void (await refusedInTime('read-only', store)));
    const error = await refusedInTime('read-only', store);
    assert.match(error.message, /it cannot write to its disk \(MISCONF .*No space left on device/);
    assert.equal(error.because, 'it cannot write to its disk');
    await assertRefused('read-only', store.putRecord({ kind: 'switch', key: 'full', value: '{}' }));
    await assertRefused('read-only', store.removeConfig(keyOf('writer.0'), by));
    assert.notEqual(await store.getConfig(keyOf('writer.0')), undefined);
    // A node that starts now can be read from too.
    assert.notEqual(await (await stores.openOn(servers.at(-1)!)).getConfig(keyOf('writer.0')), undefined);
    await disk.free();
    await eventually(async () => void (await store.putConfig(writeOf('after', '1'))));
    await writers.end();
    assert.deepEqual(await writers.lost(), []);
    await servers.at(-1)!.kill();
    await servers.at(-1)!.start();
    await eventually(async () => assert.deepEqual(await writers.lost(), []));
  });

  it('acknowledges no write that a Redis on a full disk has in its memory alone', async () => {
    const { disk, server, store } = await start('appendfsync everysec');
    const writers = stores.startWriters(store, 4);
    await eventually(async () => assert.ok(writers.total > 100));
    await disk.fill();
    await eventually(async () => void (await refusedInTime('read-only', store)));
    await server.kill();
    await writers.end();
    await disk.free();
    await server.start();
    await eventually(async () => assert.deepEqual(await writers.lost(), []));
  });
});

async function refusedInTime(kind: string, store: Store) {
  const startedAt = clock.monotonic();
  const error = await assertRefused(kind, store.putConfig(writeOf('refused', 'x'.repeat(10_000))));
  assert.ok(clock.monotonic() - startedAt < REFUSED_WITHIN_MS);
  return error;
}
