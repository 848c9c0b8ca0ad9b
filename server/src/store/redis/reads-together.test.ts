import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RedisServer, redisMissing, startRedis } from '../../../../e2e/engines/redis.ts';
import { PAGE_BYTES_MAX } from '../bounds.ts';
import { assertRefused, inWaves, keyOf, writeOf } from '../contract-tools.ts';
import type { Store } from '../store.ts';
import { nameOf } from './rows.ts';
import { tagged } from './settings.ts';
import { TestStores } from './stores-for-tests.ts';

describe('configurations of Redis that are asked for at once', { skip: (await redisMissing()) ?? false }, () => {
  const stores = new TestStores();
  const prefix = stores.newPrefix();
  let server: RedisServer;
  let store: Store;
  let names: readonly string[];
  before(async () => {
    server = await startRedis();
    store = await stores.openOn(server, { prefix });
    names = Array.from({ length: store.readsAtOnce! }, (_, i) => `together.${i}`);
    await inWaves(names.length, (i) => store.putConfig(writeOf(names[i]!, names[i]!)));
  });
  after(async () => {
    await stores.stop();
    await server?.stop();
  });

  const readAll = () => Promise.all(names.map((name) => store.getConfig(keyOf(name))));
  const scriptsOf = async (run: () => Promise<unknown>): Promise<number> => {
    await server.command('CONFIG', 'RESETSTAT');
    await run();
    const stats = String(await server.command('INFO', 'commandstats'));
    return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1]);
  };

  it('come with one script', async () => {
    await readAll(); // The script is known from then on.
    assert.equal(await scriptsOf(readAll), 1);
    assert.deepEqual(
      (await readAll()).map((config) => config?.content),
      names,
    );
  });

  it('come in parts when they are large', async () => {
    for (const name of names.slice(0, 3)) await store.putConfig(writeOf(name, name.padEnd(PAGE_BYTES_MAX + 1)));
    assert.equal(await scriptsOf(readAll), 4);
    assert.equal((await readAll()).at(-1)?.content, names.at(-1));
  });

  it('are refused one by one where they do not fit their checksum', async () => {
    const id = await server.command('HGET', `${tagged(prefix)}k`, nameOf(keyOf('together.5')));
    await server.command('SET', `${tagged(prefix)}t:${id}`, 'another');
    const [good, bad] = [store.getConfig(keyOf('together.4')), store.getConfig(keyOf('together.5'))];
    await assertRefused('damaged', bad);
    assert.equal((await good)?.content, 'together.4');
  });
});
