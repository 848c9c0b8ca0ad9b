import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Host } from '@nacos-kube/core/host/host.ts';
import {
  type RedisCluster,
  type RedisSentinels,
  type RedisServer,
  redisMissing,
  startRedisCluster,
  startRedisSentinels,
} from '../../../../e2e/engines/redis.ts';
import { assertRefused, changesSince, eventually, historyOf, keyOf, queryOf, writeOf } from '../contract-tools.ts';
import { connect, readAddress } from './connection.ts';
import { RedisLocator } from './locate.ts';
import { nameOf } from './rows.ts';
import type { RedisSettings } from './settings.ts';
import type { Standing } from './standing.ts';
import { SETTINGS, TestStores } from './stores-for-tests.ts';

const skip = (await redisMissing()) ?? false;

/** Elections are repeated when no Sentinel has won, which takes them seconds. */
const patiently = (check: () => Promise<void>) =>
  eventually(check)
    .catch(() => eventually(check))
    .catch(() => eventually(check));

function standingSeenBy(host: Host, settings: RedisSettings): (server: RedisServer) => Promise<Standing> {
  const locator = new RedisLocator(host, settings);
  return async (server) => {
    const id = settings.mode === 'cluster' ? { id: `${await server.command('CLUSTER', 'MYID')}` } : {};
    const address = { ...readAddress(server.place), ...id };
    const connection = await connect(host, settings, address, { withLogin: true, withinMs: 1000 });
    try {
      return (await locator.standingOf(connection)).standing;
    } finally {
      locator.close();
      connection.close();
    }
  };
}

function masterSeenBy(host: Host, settings: RedisSettings): (server: RedisServer) => Promise<boolean> {
  const standing = standingSeenBy(host, settings);
  return async (server) => (await standing(server)) === 'master';
}

async function roleOf(server: RedisServer): Promise<string> {
  const [role] = (await server.command('ROLE')) as [string];
  return role;
}

async function replicaOf(master: RedisServer, servers: readonly RedisServer[]): Promise<RedisServer> {
  for (const server of servers) {
    const [role, , port, link] = (await server.command('ROLE')) as [string, string, number, string];
    if (role === 'slave' && port === master.port && link === 'connected') return server;
  }
  throw new Error(`nobody follows ${master.place}`);
}

describe('the redis store with Sentinels', { skip }, () => {
  const stores = new TestStores();
  let redis: RedisSentinels;
  after(async () => {
    await stores.stop();
    await redis?.stop();
    assert.deepEqual(stores.faults(), []);
  });

  it('goes on with the new master by itself, and no acknowledged write is lost', { timeout: 60_000 }, async () => {
    redis = await startRedisSentinels({ password: 'secret-2', replicas: 2, lines: ['min-replicas-to-write 1'] });
    const settings = { mode: 'sentinel', password: 'secret-2', master: redis.masterName } as const;
    const [store, other] = [await stores.open(redis.places, settings), await stores.open(redis.places, settings)];
    const from = await store.revision();
    const writers = stores.startWriters(store, 4);
    const written = async (more: number) => {
      const before = writers.total;
      await patiently(async () => assert.ok(writers.total > before + more, `${writers.lastFailure}`));
    };
    await written(100);
    // Killed, and then frozen: the first is noticed at once, the second after the deadline.
    const killed = await redis.master();
    await killed.kill();
    await patiently(async () => assert.notEqual(await redis.master(), killed));
    await written(100);
    const master = await redis.master();
    await killed.start([`replicaof ${master.address} ${master.port}`]);
    await patiently(async () => assert.match(`${await killed.command('INFO')}`, /master_link_status:up/));
    const frozen = await redis.master();
    await frozen.pause();
    await patiently(async () => assert.notEqual(await redis.master(), frozen));
    await written(100);
    frozen.resume();
    await written(20);
    await writers.end();
    assert.deepEqual(await writers.lost(), []);
    assert.ok((await changesSince(store, from)).length >= writers.total);
    // A connection that was idle meanwhile still leads to the old master, until the Sentinels are asked again.
    await patiently(async () => assert.equal(await other.revision(), await store.revision()));
    const [warned] = store.host.lines.filter((line) => line.includes('min-replicas-to-write is 0'));
    assert.equal(warned, undefined);
  });

  it('takes no write that is with one server alone, where that is asked for, from the moment its replica is gone', {
    timeout: 60_000,
  }, async () => {
    const lines = ['min-replicas-to-write 1'];
    const replicated = await startRedisSentinels({ password: 'secret-2', replicas: 1, lines });
    try {
      const settings = { mode: 'sentinel', password: 'secret-2', master: replicated.masterName } as const;
      const store = await stores.open(replicated.places, settings);
      await store.putConfig(writeOf('a', '1'));
      const [master, replica] = replicated.servers as [RedisServer, RedisServer];
      await replica.kill();
      const refusal = /no replica confirmed the write|Not enough good replicas/;
      await assert.rejects(store.putConfig(writeOf('a', '2')), refusal);
      // A node that starts then reads what is there.
      const late = await stores.open(replicated.places, settings);
      assert.equal((await late.getConfig(keyOf('a')))!.dataId, 'a');
      await replica.start([`replicaof ${master.address} ${master.port}`]);
      await patiently(async () => void (await store.putConfig(writeOf('a', '3'))));
    } finally {
      await replicated.stop();
    }
  });

  it('takes writes of a master without replicas only while most Sentinels, and all that answer, say it is the one', {
    timeout: 60_000,
  }, async () => {
    const replicated = await startRedisSentinels({ password: 'secret-2', replicas: 1 });
    try {
      const settings = { mode: 'sentinel', password: 'secret-2', master: replicated.masterName } as const;
      const store = await stores.open(replicated.places, settings);
      const isMaster = masterSeenBy(store.host, { ...SETTINGS, ...settings, addresses: replicated.places });
      const [master, replica] = replicated.servers as [RedisServer, RedisServer];
      assert.deepEqual([await isMaster(master), await isMaster(replica)], [true, false]);
      await replica.kill();
      await store.putConfig(writeOf('a', '1'));
      const [first, second] = replicated.sentinels as [RedisServer, RedisServer];
      await first.pause();
      await store.putConfig(writeOf('a', '2'));
      const pausedMs = performance.now();
      for (let i = 0; i < 4; i += 1) assert.equal(await isMaster(master), true);
      assert.ok(performance.now() - pausedMs < 4000, 'one that hangs holds up the first question only');
      await second.pause();
      const refused = await assertRefused('unavailable', store.putConfig(writeOf('a', '3')));
      assert.match(refused.message, /has no replica, and is not known to be the master still/);
      first.resume();
      second.resume();
      await eventually(async () => void (await store.putConfig(writeOf('a', '4'))));

      // It hangs while its replica takes its place, and comes to itself as the master it was.
      await replica.start([`replicaof ${master.address} ${master.port}`]);
      await patiently(async () => assert.match(`${await replica.command('INFO')}`, /master_link_status:up/));
      await master.pause();
      // No Sentinel has seen yet that it is.
      await patiently(async () => assert.equal(await roleOf(replica), 'master'));
      master.resume();
      assert.equal(await isMaster(master), false);
      await patiently(async () => assert.equal(await isMaster(replica), true));
    } finally {
      await replicated.stop();
    }
  });

  it('loses nothing that it took from a master that hung, while one of its two replicas follows it still', {
    timeout: 60_000,
  }, async () => {
    const lines = ['min-replicas-to-write 1'];
    const replicated = await startRedisSentinels({ password: 'secret-2', replicas: 2, lines });
    try {
      const settings = { mode: 'sentinel', password: 'secret-2', master: replicated.masterName } as const;
      const store = await stores.open(replicated.places, settings);
      const [master, ...replicas] = replicated.servers as [RedisServer, RedisServer, RedisServer];
      await store.putConfig(writeOf('a', '1'));
      // It takes Sentinels a second to move the other replica; here they never do.
      const moving = ['-slaveof', '-replicaof', '+slaveof|no', '+replicaof|no'];
      for (const replica of replicas) await replica.command('ACL', 'SETUSER', 'default', ...moving);
      await master.pause();
      let promoted: RedisServer | undefined;
      await patiently(async () => {
        for (const replica of replicas) if ((await roleOf(replica)) === 'master') promoted = replica;
        assert.ok(promoted);
      });
      master.resume();
      const acknowledged: string[] = [];
      for (let i = 0; i < 20; i += 1) {
        const dataId = `after.${i}`;
        const isWritten = await store.putConfig(writeOf(dataId, '1')).then(
          () => true,
          () => false,
        );
        if (isWritten) acknowledged.push(dataId);
      }
      const stored = (dataId: string) => promoted!.command('HGET', '{nacos-kube:}k', nameOf(keyOf(dataId)));
      for (const dataId of ['a', ...acknowledged]) assert.ok(await stored(dataId), `${dataId} was acknowledged`);
    } finally {
      await replicated.stop();
    }
  });

  it('loses nothing that it took from a master that is replaced while it is well, and one of its two replicas follows it', {
    timeout: 60_000,
  }, async () => {
    const lines = ['min-replicas-to-write 1'];
    const replicated = await startRedisSentinels({ password: 'secret-2', replicas: 2, lines });
    try {
      const settings = { mode: 'sentinel', password: 'secret-2', master: replicated.masterName } as const;
      const store = await stores.open(replicated.places, settings);
      const [, ...replicas] = replicated.servers as [RedisServer, RedisServer, RedisServer];
      // It takes Sentinels a second to move the other replica; here they never do.
      const moving = ['-slaveof', '-replicaof', '+slaveof|no', '+replicaof|no'];
      for (const replica of replicas) await replica.command('ACL', 'SETUSER', 'default', ...moving);
      const writers = stores.startWriters(store, 4);
      await eventually(async () => assert.ok(writers.total > 50));
      // As when they alone do not reach it, or have waited too long for a machine that is busy.
      await replicated.sentinels[0]!.command('SENTINEL', 'FAILOVER', replicated.masterName);
      let promoted: RedisServer | undefined;
      await patiently(async () => {
        for (const replica of replicas) if ((await roleOf(replica)) === 'master') promoted = replica;
        assert.ok(promoted);
      });
      await patiently(async () => assert.equal(await replicated.master(), promoted));
      await writers.end();
      assert.deepEqual(await writers.lost(await stores.open(replicated.places, settings)), []);
    } finally {
      await stores.stopWriters();
      await replicated.stop();
    }
  });

  it('does not take a master for it while the Sentinel that fails it over is not heard', {
    timeout: 60_000,
  }, async () => {
    const replicated = await startRedisSentinels({ password: 'secret-2', replicas: 1 });
    try {
      const settings = { mode: 'sentinel', password: 'secret-2', master: replicated.masterName } as const;
      const store = await stores.open(replicated.places, settings);
      const standing = standingSeenBy(store.host, { ...SETTINGS, ...settings, addresses: replicated.places });
      const [master, replica] = replicated.servers as [RedisServer, RedisServer];
      assert.equal(await standing(master), 'master');
      // It begins and does not end: no replica may become the master.
      await replica.command('ACL', 'SETUSER', 'default', '-slaveof', '-replicaof');
      const [leader, ...voters] = replicated.sentinels as [RedisServer, RedisServer, RedisServer];
      const set = (sentinel: RedisServer, name: string, value: number) =>
        sentinel.command('SENTINEL', 'SET', replicated.masterName, name, value);
      await set(leader, 'quorum', 1);
      for (const sentinel of replicated.sentinels) await set(sentinel, 'failover-timeout', 30_000);
      // They do not think of it themselves, but are asked for their votes.
      for (const voter of voters) await set(voter, 'down-after-milliseconds', 60_000);
      await master.pause();
      const { address, port } = master;
      await patiently(async () => {
        for (const voter of voters) {
          const question = ['IS-MASTER-DOWN-BY-ADDR', address, port, 0, 'test'];
          const [, elected] = (await voter.command('SENTINEL', ...question)) as [number, string];
          assert.notEqual(elected, '*');
        }
      });
      master.resume();
      assert.equal(await standing(master), 'doubted');
      await leader.pause();
      assert.equal(await standing(master), 'unknown');
      leader.resume();
      assert.equal(await standing(master), 'doubted');
    } finally {
      await replicated.stop();
    }
  });

  it('says that the Sentinels know no such master, or that none is reached', async () => {
    const settings = { mode: 'sentinel', password: 'secret-2' } as const;
    const unknown = stores.open(redis.places, { ...settings, master: 'other' });
    assert.match((await assertRefused('misconfigured', unknown)).message, /watch no master of this name: other/);
    await redis.sentinels[0]!.pause();
    try {
      const store = await stores.open(redis.places, settings);
      assert.ok((await store.revision()) > 0, 'two of three are enough');
    } finally {
      redis.sentinels[0]!.resume();
    }
    const nowhere = stores.open(['127.0.0.1:1', '127.0.0.1:2'], settings);
    assert.match((await assertRefused('unavailable', nowhere)).message, /Sentinels 127.*ECONNREFUSED/);
  });
});

describe('the redis store on a Redis Cluster', { skip }, () => {
  const stores = new TestStores();
  let redis: RedisCluster;
  after(async () => {
    await stores.stop();
    await redis?.stop();
    assert.deepEqual(stores.faults(), []);
  });

  it('keeps all that is of one prefix on one node, and goes on when that node is back', {
    timeout: 60_000,
  }, async () => {
    redis = await startRedisCluster({ password: 'secret-3' });
    const owner = await redis.ownerOf('{nacos-kube:}meta');
    const others = redis.nodes.filter((node) => node !== owner);
    const settings = { mode: 'cluster', password: 'secret-3' } as const;
    const store = await stores.open([others[0]!.place], settings);
    const from = await store.revision();
    for (let i = 0; i < 10; i += 1) await store.putConfig(writeOf(`a.${i}`, '1', { namespaceId: `n${i % 2}` }));
    await store.putRecord({ kind: 'switch', key: 'x', value: '{}' });
    await store.putConfig(writeOf('a', '1'));
    await store.putConfig(writeOf('a', '2'));
    assert.equal((await store.searchConfigs(queryOf('n1'))).total, 5);
    assert.deepEqual(
      (await historyOf(store, keyOf('a'), 5)).map((past) => past.content),
      ['1', '1'],
    );
    assert.equal((await changesSince(store, from)).length, 13);
    for (const node of others) assert.equal(await node.command('DBSIZE'), 0);
    assert.equal(typeof (await owner.command('HGET', '{nacos-kube:}k', nameOf(keyOf('a')))), 'string');

    await owner.kill();
    await assertRefused('unavailable', store.putConfig(writeOf('a', '3')));
    await owner.start();
    await eventually(async () => void (await store.putConfig(writeOf('a', '4'))));
    assert.equal((await store.getConfig(keyOf('a')))!.content, '4');
  });

  it('takes writes of a node without replicas only while most of the others say it has the slot', async () => {
    const owner = await redis.ownerOf('{nacos-kube:}meta');
    const others = redis.nodes.filter((node) => node !== owner) as [RedisServer, RedisServer];
    const settings = { mode: 'cluster', password: 'secret-3' } as const;
    const store = await stores.open(redis.places, settings);
    const isMaster = masterSeenBy(store.host, { ...SETTINGS, ...settings, addresses: redis.places });
    assert.deepEqual([await isMaster(owner), await isMaster(others[0])], [true, false]);
    await store.putConfig(writeOf('alone', '1'));

    // As one that came back under another address, which only the others have noticed.
    await owner.kill();
    const file = join(owner.directory, 'nodes.conf');
    const known = await readFile(file, 'utf8');
    await writeFile(file, known.replace(/^(\S+ )127\.0\.0\.1(:.*myself)/m, '$1127.0.0.9$2'));
    await owner.start();
    assert.match(`${await owner.command('CLUSTER', 'NODES')}`, /127\.0\.0\.9:\d+@\d+ myself/);
    await patiently(async () => void (await store.putConfig(writeOf('alone', '1'))));

    // The first write over a connection asks.
    const [second, third] = [await stores.open(redis.places, settings), await stores.open(redis.places, settings)];
    await others[0].pause();
    await second.putConfig(writeOf('alone', '2'));
    await others[1].pause();
    try {
      await assertRefused('unavailable', third.putConfig(writeOf('alone', '3')));
    } finally {
      for (const other of others) other.resume();
    }
    await patiently(async () => void (await store.putConfig(writeOf('alone', '4'))));
  });

  it('goes on with the replica when a master is killed or hangs, and no acknowledged write is lost', {
    timeout: 90_000,
  }, async () => {
    // So no write is with one server alone, also while a slow machine has more fail-overs than are asked for here.
    const lines = ['min-replicas-to-write 1'];
    const replicated = await startRedisCluster({ password: 'secret-3', replicas: 1, lines });
    try {
      const settings = { mode: 'cluster', password: 'secret-3' } as const;
      const [store, other] = [
        await stores.open(replicated.places, settings),
        await stores.open(replicated.places, settings),
      ];
      const master = () => replicated.ownerOf('{nacos-kube:}meta');
      const from = await store.revision();
      const writers = stores.startWriters(store, 4);
      const written = async (more: number) => {
        const before = writers.total;
        await patiently(async () => assert.ok(writers.total > before + more, `${writers.lastFailure}`));
      };
      const failedOver = (old: RedisServer) => patiently(async () => assert.notEqual(await master(), old));
      await written(100);
      const killed = await master();
      await killed.kill();
      await failedOver(killed);
      await killed.start();
      await written(100);
      const frozen = await master();
      await frozen.pause();
      await failedOver(frozen);
      frozen.resume();
      await written(100);
      // It takes the place of one that is well.
      const replaced = await master();
      await patiently(async () => {
        const follower = await replicaOf(replaced, replicated.nodes);
        await follower.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
      });
      await failedOver(replaced);
      await written(100);
      await writers.end();
      assert.deepEqual(await writers.lost(), []);
      assert.ok((await changesSince(store, from)).length >= writers.total);
      await patiently(async () => assert.equal(await other.revision(), await store.revision()));
    } finally {
      await stores.stopWriters();
      await replicated.stop();
    }
  });

  it('follows the slot of its keys to another node', async () => {
    const settings = { mode: 'cluster', password: 'secret-3' } as const;
    const store = await stores.open(redis.places, { ...settings, prefix: 'moving:' });
    await store.putConfig(writeOf('a', '1'));
    const source = await redis.ownerOf('{moving:}meta');
    const target = redis.nodes.find((node) => node !== source)!;
    const slot = Number(await source.command('CLUSTER', 'KEYSLOT', '{moving:}meta'));
    const [from, to] = [`${await source.command('CLUSTER', 'MYID')}`, `${await target.command('CLUSTER', 'MYID')}`];
    await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from);
    await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to);
    const keys = (await source.command('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
    const login = ['AUTH', 'secret-3', 'KEYS'];
    await source.command('MIGRATE', target.address, target.port, '', 0, 5000, ...login, ...keys.slice(1));
    // Half here and half there: nothing is done by halves.
    await assertRefused('unavailable', store.putConfig(writeOf('a', '2')));
    await source.command('MIGRATE', target.address, target.port, '', 0, 5000, ...login, keys[0]!);
    for (const node of [target, source, ...redis.nodes]) {
      await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', to);
    }
    await eventually(async () => void (await store.putConfig(writeOf('a', '3'))));
    assert.equal((await store.getConfig(keyOf('a')))!.content, '3');
    assert.ok((await historyOf(store, keyOf('a'), 5)).length >= 2);
    assert.ok(Number(await target.command('CLUSTER', 'COUNTKEYSINSLOT', slot)) > 5);
  });
});
