import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeEtcdCertificates } from '../../../../e2e/engines/etcd-certificates.ts';
import { type RedisServer, redisMissing, startRedis } from '../../../../e2e/engines/redis.ts';
import { freePort } from '../../../../e2e/processes/ports.ts';
import { assertRefused, changesSince, eventually, keyOf, queryOf, variantOf, writeOf } from '../contract-tools.ts';
import { createTestHost, type TestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { nameOf } from './rows.ts';
import { TestStores } from './stores-for-tests.ts';

const { clock } = createTestHost();
const by = { ip: '', user: null };

describe('the redis store on a server that fails', { skip: (await redisMissing()) ?? false }, () => {
  const stores = new TestStores();
  let server: RedisServer;
  const servers: RedisServer[] = [];
  before(async () => {
    server = await startRedis({ password: 'secret-1' });
  });
  after(async () => {
    await stores.stop();
    for (const one of [server, ...servers]) await one?.stop();
    assert.deepEqual(stores.faults(), []);
  });
  const another = async (...lines: string[]) => {
    const started = await startRedis({ lines });
    servers.push(started);
    return started;
  };

  it('loses no acknowledged write when the server is killed, and goes on when it is back', async () => {
    const store = await stores.openOn(server, { prefix: stores.newPrefix() });
    const writers = stores.startWriters(store, 8);
    for (let round = 0; round < 2; round += 1) {
      const before = writers.total;
      await eventually(async () => assert.ok(writers.total > before + 200));
      await server.kill();
      const error = await assertRefused('unavailable', store.getConfig(keyOf('writer.0')));
      assert.match(error.message, /^redis 127\.0\.0\.1:\d+\/0: .*(ECONNREFUSED|closed)/);
      // It has a connection for each kind of call; another than this one tells.
      await eventually(async () => assert.equal(told(store, 'warn Redis cannot be used'), round + 1));
      await server.start();
      await eventually(async () => assert.equal(told(store, 'info Redis is back'), round + 1));
    }
    await writers.end();
    assert.deepEqual(await writers.lost(), []);
    assert.equal(told(store, 'warn Redis cannot be used'), 2);
  });

  it('never does a write that its caller has given up, not even when a frozen server wakes', async () => {
    const store = await stores.openOn(server, { prefix: stores.newPrefix() });
    await store.putConfig(writeOf('frozen', 'before'));
    await server.pause();
    const startedAt = clock.monotonic();
    try {
      const error = await assertRefused('unavailable', store.putConfig(writeOf('frozen', 'during')));
      assert.match(error.message, /no answer in time.*may have been stored/);
      assert.ok(clock.monotonic() - startedAt < 3500);
    } finally {
      server.resume();
    }
    await eventually(async () => assert.equal((await store.getConfig(keyOf('frozen')))!.content, 'before'));
    await store.putConfig(writeOf('frozen', 'after'));
    assert.deepEqual(
      (await store.searchHistory(keyOf('frozen'), 0, 10)).items.map((entry) => entry.operation),
      ['U', 'I'],
    );
  });

  it('notices that a server has lost changes, though as many have been written since', async () => {
    const lossy = await another();
    const store = await stores.openOn(lossy);
    for (let i = 0; i < 3; i += 1) await store.putConfig(writeOf('kept', `${i}`));
    const kept = await store.revision();
    const folder = join(lossy.directory, 'appendonlydir');
    await cp(folder, `${folder}.copy`, { recursive: true });
    for (let i = 0; i < 5; i += 1) await store.putConfig(writeOf('lost', `${i}`));
    const lost = await store.revision();
    const loseTheRest = async () => {
      await lossy.kill();
      await rm(folder, { recursive: true });
      await cp(`${folder}.copy`, folder, { recursive: true });
      await lossy.start();
    };
    await loseTheRest();
    await eventually(async () => assert.equal(await store.getConfig(keyOf('lost')), undefined));
    assert.deepEqual(await store.changes(lost, 10), { gap: true, upTo: kept });
    for (let i = 0; i < 10; i += 1) await store.putConfig(writeOf('new', `${i}`));
    const page = await store.changes(lost, 10);
    assert.ok(page.gap && page.upTo === (await store.revision()) && page.upTo > lost);
    const changes = await changesSince(store, kept);
    assert.deepEqual(
      changes.map((change) => change.what.key),
      Array.from({ length: 10 }, () => keyOf('new')),
    );
    // A page is as full as it can be, also where the servers changed.
    const small = await store.changes(kept, 1);
    assert.ok(!small.gap && small.changes.length === 1);

    // Those after the second loss begin elsewhere than those that it lost, though with the same to go by.
    const lostToo = await store.revision();
    await loseTheRest();
    await eventually(async () => void (await store.putConfig(writeOf('newer', '0'))));
    for (let i = 1; i <= 10; i += 1) await store.putConfig(writeOf('newer', `${i}`));
    assert.ok((await store.changes(lostToo, 100)).gap);
  });

  it('takes nothing from a server that was emptied, until the data are back', async () => {
    const emptied = await another();
    const store = await stores.openOn(emptied);
    await store.putConfig(writeOf('there', '1'));
    const dump = (await emptied.command('HGETALL', '{nacos-kube:}meta')) as string[];
    await emptied.command('FLUSHALL');
    const calls = [() => store.scanConfigs(10), () => store.changes(0, 10), () => store.putConfig(writeOf('x', 'x'))];
    for (const call of calls) {
      const error = await assertRefused('misconfigured', call());
      assert.match(error.message, /it holds nothing any more, though it held the data of this store/);
    }
    // A node that starts now makes a data set of its own; this one knows the difference.
    const fresh = await stores.openOn(emptied);
    await fresh.putConfig(writeOf('other', '1'));
    const error = await assertRefused('misconfigured', store.getConfig(keyOf('other')));
    assert.match(error.message, /it holds the data of another store/);
    await emptied.command('HSET', '{nacos-kube:}meta', ...dump);
    assert.equal((await store.getConfig(keyOf('other')))!.content, '1');
  });

  it('refuses a server that would lose what it holds, unless it is allowed', async () => {
    const lossy = await another('appendonly no');
    const error = await assertRefused('misconfigured', stores.openOn(lossy));
    assert.match(error.message, /would lose what is stored: its append-only file is off/);
    const allowed = await stores.openOn(lossy, { allowsLoss: true });
    await allowed.putConfig(writeOf('a', '1'));
    assert.ok(allowed.host.lines.some((line) => /^warn Redis may lose what is stored: its append-only/.test(line)));
    await lossy.command('CONFIG', 'SET', 'appendonly', 'yes');
    await lossy.command('CONFIG', 'SET', 'appendfsync', 'everysec');
    const slack = await stores.openOn(lossy);
    assert.ok(slack.host.lines.some((line) => /^warn .*appendfsync is everysec, not always/.test(line)));
    await lossy.command('CONFIG', 'SET', 'appendfsync', 'always', 'no-appendfsync-on-rewrite', 'yes');
    const pausing = await stores.openOn(lossy);
    assert.ok(pausing.host.lines.some((line) => /^warn .*no-appendfsync-on-rewrite is yes/.test(line)));
    await lossy.command('CONFIG', 'SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
    const evicting = await assertRefused('misconfigured', stores.openOn(lossy));
    assert.match(evicting.message, /removes any key \(maxmemory-policy allkeys-lru\)/);
  });

  it('says that a server that turned lossy is not used any more, and goes on when that was mended', async () => {
    const turned = await another();
    const store = await stores.openOn(turned);
    await store.putConfig(writeOf('a', '1'));
    await turned.kill();
    await turned.start(['appendonly no']);
    await eventually(async () => {
      const error = await assertRefused('misconfigured', store.getConfig(keyOf('a')));
      assert.match(error.message, /append-only file is off/);
    });
    await turned.kill();
    await turned.start(['appendonly yes']);
    await eventually(async () => assert.equal((await store.getConfig(keyOf('a')))!.content, '1'));
  });

  it('writes nothing where Redis takes no writes, and says why', async () => {
    const master = await another('min-replicas-to-write 0', 'repl-diskless-sync-delay 0');
    const store = await stores.openOn(master);
    await store.putConfig(writeOf('a', '1'));
    await store.putConfig(writeOf('freed', 'x'));
    const freed = await store.getConfig(keyOf('freed'));
    await store.putRecord({ kind: 'switch', key: 'freed', value: '{}' });
    const refused = async (writer: Store, pattern: RegExp) => {
      const error = await assertRefused('read-only', writer.putConfig(writeOf('a', '2')));
      assert.match(error.message, pattern);
      assert.equal((await writer.getConfig(keyOf('a')))!.content, '1');
    };
    await master.command('CONFIG', 'SET', 'maxmemory', '1');
    await refused(store, /its memory is full/);
    assert.equal(await store.removeConfig(keyOf('freed'), by), true);
    assert.equal((await store.previousHistory(freed!.id))!.content, 'x');
    assert.equal(await store.removeRecord('switch', 'freed'), true);
    await master.command('CONFIG', 'SET', 'maxmemory', '0', 'min-replicas-to-write', '1');
    await refused(store, /too few replicas are connected/);
    await master.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    const replica = await another(`replicaof ${master.address} ${master.port}`);
    await eventually(async () => assert.match(`${await replica.command('INFO')}`, /master_link_status:up/));
    const onReplica = await stores.openOn(replica);
    await refused(onReplica, /it is a replica/);
    assert.equal(await onReplica.revision(), await store.revision());
    await store.putConfig(writeOf('b', '1'));
    await eventually(async () => assert.equal((await onReplica.getConfig(keyOf('b')))!.content, '1'));
    // A replica that is there but takes no writes might be the next master.
    await replica.pause();
    try {
      const error = await assertRefused('unavailable', store.putConfig(writeOf('b', '2')));
      assert.match(error.message, /no replica confirmed the write within 1000 ms; the write may have been stored/);
    } finally {
      replica.resume();
    }
    await eventually(async () => void (await store.putConfig(writeOf('b', '3'))));
  });

  it('never serves a row that was damaged: reads refuse it, scans leave it out and say so', async () => {
    const damaged = await another();
    const store = await stores.openOn(damaged);
    for (const dataId of ['good', 'content', 'facts', 'tags', 'gone']) {
      await store.putConfig(writeOf(dataId, 'text', { appName: 'shop', tags: ['t'] }));
    }
    await store.putRecord({ kind: 'instance', key: 'bad', value: '{"port":80}' });
    await store.putVariant(variantOf('bad', 'text', { kind: 'beta' }));
    const idOf = async (dataId: string) => {
      return `${await damaged.command('HGET', '{nacos-kube:}k', nameOf(keyOf(dataId)))}`;
    };
    const rowOf = async (dataId: string) => `{nacos-kube:}c:${await idOf(dataId)}`;
    await damaged.command('SETRANGE', `{nacos-kube:}t:${await idOf('content')}`, 3, 'u');
    await damaged.command('HSET', await rowOf('facts'), 'app', 'shoq');
    await damaged.command('HSET', await rowOf('tags'), 'tags', 'no json');
    await damaged.command('DEL', await rowOf('gone'));
    const stored = `${await damaged.command('HGET', '{nacos-kube:}r:instance', 'bad')}`;
    await damaged.command('HSET', '{nacos-kube:}r:instance', 'bad', stored.replace('80', '81'));
    const [variant] = (await damaged.command('ZRANGE', '{nacos-kube:}variants', 0, -1)) as string[];
    await damaged.command('SETRANGE', `{nacos-kube:}w:${variant}`, 3, 'u');
    const bad = ['content', 'facts', 'tags', 'gone'];
    for (const dataId of bad) {
      const error = await assertRefused('damaged', store.getConfig(keyOf(dataId)));
      assert.match(error.message, /config .* does not fit its checksum/);
    }
    await assertRefused('damaged', store.getRecord('instance', 'bad'));
    await assertRefused('damaged', store.getVariants(keyOf('bad')));
    const page = await store.scanConfigs(100);
    assert.deepEqual([page.items.map((config) => config.dataId), page.damaged?.length], [['good'], 4]);
    assert.deepEqual((await store.scanRecords('instance', 100)).items, []);
    assert.deepEqual((await store.scanVariants(100)).items, []);
    assert.equal(store.host.lines.filter((line) => line.includes('a damaged row is left out')).length, 6);
    const found = await store.searchConfigs(queryOf('', { tags: ['t'] }));
    assert.deepEqual(
      found.items.map((config) => config.dataId),
      ['good'],
    );
    for (const dataId of bad) {
      await store.putConfig(writeOf(dataId, 'mended'));
      const mended = (await store.getConfig(keyOf(dataId)))!;
      assert.deepEqual([mended.content, mended.appName], ['mended', dataId === 'content' ? 'shop' : '']);
    }
    await store.putVariant(variantOf('bad', 'mended', { kind: 'beta' }));
    assert.equal((await store.getVariants(keyOf('bad')))[0]!.content, 'mended');
  });

  it('removes past writes that are older than they are kept, and no others', async () => {
    const prefix = stores.newPrefix();
    const store = await stores.openOn(server, { prefix });
    for (let i = 0; i < 5; i += 1) await store.putConfig(writeOf('past', `${i}`));
    await store.removeConfig(keyOf('past'), by);
    const { items } = await store.searchHistory(keyOf('past'), 0, 10);
    const old = items.slice(2).map((entry) => entry.nid);
    const monthAgo = clock.now() - 31 * 24 * 3_600_000;
    for (const nid of old) await server.command('ZADD', `{${prefix}}past`, monthAgo, nid);
    const several = [100, 100].map((forgetEveryMs) => stores.openOn(server, { prefix, forgetEveryMs }));
    const [one, two] = await Promise.all(several);
    await eventually(async () => assert.equal((await store.searchHistory(keyOf('past'), 0, 10)).total, 2));
    assert.deepEqual((await store.searchHistory(keyOf('past'), 0, 10)).items, items.slice(0, 2));
    assert.equal(await store.getHistory(old[0]!), undefined);
    assert.equal((await store.previousHistory(items[0]!.configId))!.nid, items[0]!.nid);
    const left = (await server.command('KEYS', `{${prefix}}[pq]:*`)) as string[];
    assert.equal(left.length, 4);
    for (const forgetting of [one!, two!]) await forgetting.stop();
  });

  it('hints at what other nodes write, and again after an outage', async () => {
    const prefix = stores.newPrefix();
    const [writer, reader] = [await stores.openOn(server, { prefix }), await stores.openOn(server, { prefix })];
    let hints = 0;
    reader.onHint(() => {
      hints += 1;
    });
    await eventually(async () => assert.ok(hints > 0));
    const hinted = async (dataId: string) => {
      const [before, startedAt] = [hints, clock.monotonic()];
      await writer.putConfig(writeOf(dataId, 'x'));
      await eventually(async () => assert.ok(hints > before));
      return clock.monotonic() - startedAt;
    };
    assert.ok((await hinted('one')) < 1000);
    await server.kill();
    await server.start();
    await eventually(async () => void (await writer.putConfig(writeOf('two', 'x'))));
    await eventually(async () => assert.ok((await hinted('three')) < 1000));
  });

  it('says what is wrong with its settings, and never the password', async () => {
    await server.command('ACL', 'SETUSER', 'weak', 'on', '>weak-pass', '~*', '+@read', '+ping', '+info', '+evalsha');
    const refused = async (more: Parameters<TestStores['openOn']>[1], pattern: RegExp) => {
      const error = await assertRefused('misconfigured', stores.openOn(server, more));
      assert.match(error.message, pattern);
      const shown = `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(error.cause)}`;
      for (const secret of ['secret-1', 'pass-word-1', 'weak-pass']) assert.ok(!shown.includes(secret), shown);
    };
    await refused({ password: 'pass-word-1' }, /it does not take this user and password/);
    await refused({ password: undefined }, /it wants a password/);
    await refused({ user: 'nobody', password: 'pass-word-1' }, /as nobody: it does not take this user/);
    await refused({ database: 99 }, /DB index is out of range/);
    await refused({ user: 'weak', password: 'weak-pass' }, /the user may not do what the store needs/);
    await refused({ mode: 'cluster' }, /no node of a Redis Cluster/);
    const nowhere = stores.open(['127.0.0.1:1'], {});
    assert.match((await assertRefused('unavailable', nowhere)).message, /^redis 127\.0\.0\.1:1\/0: .*ECONNREFUSED/);
    const shown = stores.hosts.flatMap((host) => host.lines).join('\n');
    for (const secret of ['secret-1', 'pass-word-1', 'weak-pass']) assert.ok(!shown.includes(secret));
  });

  it('works as a user with no more rights than the documentation names', async () => {
    const rights = ['~{mine:}*', '+@read', '+@write', '+evalsha', '+eval', '+info', '+time', '+wait', '+config|get'];
    await server.command('ACL', 'SETUSER', 'nacos', 'on', '>nacos-pass', ...rights, '+select');
    const login = { user: 'nacos', password: 'nacos-pass', prefix: 'mine:' };
    const store = await stores.openOn(server, { ...login, database: 1 });
    await store.putConfig(writeOf('a', '1'));
    await store.putConfig(writeOf('a', '2'));
    await store.putVariant(variantOf('a', '1', { kind: 'beta' }));
    await store.putRecord({ kind: 'switch', key: 'a', value: '{}' });
    assert.equal(await store.removeConfig(keyOf('a'), by), true);
    const foreign = assertRefused('misconfigured', stores.openOn(server, { ...login, prefix: 'theirs:' }));
    assert.match((await foreign).message, /the user may not do what the store needs/);
  });

  it('speaks TLS with a server whose certificate it can check, and with no other', async () => {
    const certificates = await makeEtcdCertificates(server.directory);
    const file = (name: string) => join(server.directory, name);
    const port = await freePort();
    const secure = await startRedis({
      port,
      lines: [
        ...['port 0', `tls-port ${port}`, `tls-cert-file ${file('member.pem')}`, `tls-key-file ${file('member.key')}`],
        ...[`tls-ca-cert-file ${certificates.caFile}`, 'tls-auth-clients no'],
      ],
    });
    servers.push(secure);
    const store = await stores.openOn(secure, { tls: { caFile: certificates.caFile } });
    await store.putConfig(writeOf('a', '1'));
    const unknown = await assertRefused('misconfigured', stores.openOn(secure, { tls: { caFile: undefined } }));
    assert.match(unknown.message, /certificate/);
    const noFile = assertRefused('misconfigured', stores.openOn(secure, { tls: { caFile: '/no/such/file' } }));
    assert.match((await noFile).message, /the certificates for Redis cannot be read: \/no\/such\/file/);
    await assertRefused('unavailable', stores.openOn(secure));
    const plain = await assertRefused('unavailable', stores.openOn(server, { tls: { caFile: undefined } }));
    assert.match(plain.message, /does not answer \(does it speak TLS\?\)/);
    const lines = stores.hosts.at(-1)!.lines.filter((line) => line.startsWith('warn'));
    assert.deepEqual(lines, [], 'whoever opens a store tells that it cannot be opened');
  });
});

function told(store: { readonly host: TestHost }, what: string): number {
  return store.host.lines.filter((line) => line.startsWith(what)).length;
}
