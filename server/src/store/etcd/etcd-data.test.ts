import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import {
  assertRefused,
  changesSince,
  eventually,
  historyOf,
  inWaves,
  keyOf,
  md5,
  queryOf,
  variantOf,
  writeOf,
} from '../contract-tools.ts';
import { createTestHost, type TestHost } from '../host-for-tests.ts';
import { RECORD_VALUE_BYTES_MAX, type Store } from '../store.ts';
import { createEtcdStore, type EtcdOptions } from './etcd.ts';

const PUBLISHES_AT_ONCE = 1000;

const by = { ip: '10.0.0.1', user: 'ann' };

describe('the data of the etcd store', { skip: (await etcdMissing()) ?? false }, () => {
  let etcd: Etcd;
  const stores: Store[] = [];
  let prefixes = 0;
  before(async () => {
    etcd = await startEtcd();
  });
  after(async () => {
    for (const store of stores) await store.stop();
    await etcd?.stop();
  });

  const newPrefix = () => {
    prefixes += 1;
    return `/p${prefixes}/`;
  };
  const open = async (prefix: string, options: EtcdOptions = {}, host: TestHost = createTestHost()) => {
    const store = createEtcdStore(host, etcd.settings(prefix), options);
    stores.push(store);
    await store.start();
    return store;
  };
  const keysBelow = async (prefix: string) => {
    const listed = await etcd.ctl('get', '--prefix', '--keys-only', prefix);
    return listed.split('\n').filter((line) => line !== '');
  };
  it('writes once, and knows it, when the answer to a publish is lost', async () => {
    const prefix = newPrefix();
    const way = await MutableWay.to(etcd.members[0]!.clientPort);
    const real = createTestHost();
    let untilMuted = Number.POSITIVE_INFINITY;
    // The clock is asked for the deadline of the first call, and then for the time of the write, just before its call.
    const now = () => {
      untilMuted -= 1;
      if (untilMuted === 0) way.mute();
      return real.clock.now();
    };
    const host = { ...real, clock: { ...real.clock, now }, random: { ...real.random, int: () => 0 } };
    const settings = { ...etcd.settings(prefix), endpoints: [way.endpoint, etcd.endpoints[0]!] };
    const store = createEtcdStore(host, settings, { housekeepingMs: 60_000 });
    stores.push(store);
    await store.start();
    await store.putConfig(writeOf('lost', '1'));
    await eventually(async () => assert.ok((await keysBelow(`${prefix}lock`)).length > 0));
    untilMuted = 2;
    const written = await store.putConfig(writeOf('lost', '2'));
    assert.ok(way.isMuted && written.outcome === 'written');
    assert.equal(await store.revision(), written.revision);
    const past = await historyOf(store, keyOf('lost'), 10);
    assert.deepEqual(
      past.map(({ operation, content }) => [operation, content]),
      [
        ['U', '1'],
        ['I', '1'],
      ],
    );
    await store.stop();
    way.close();
  });

  it('does not take the past write of another for its own when the answer to a publish is lost', async () => {
    const prefix = newPrefix();
    const way = await MutableWay.to(etcd.members[0]!.clientPort);
    const real = createTestHost();
    let untilMuted = Number.POSITIVE_INFINITY;
    const now = () => {
      untilMuted -= 1;
      if (untilMuted === 0) way.mute();
      return real.clock.now();
    };
    const host = { ...real, clock: { ...real.clock, now }, random: { ...real.random, int: () => 0 } };
    const settings = { ...etcd.settings(prefix), endpoints: [way.endpoint, etcd.endpoints[0]!] };
    const store = createEtcdStore(host, settings, { housekeepingMs: 60_000 });
    stores.push(store);
    await store.start();
    await eventually(async () => assert.ok((await keysBelow(`${prefix}lock`)).length > 0));
    // Begins where the first one will be after two ids, so that both number their next past write alike.
    const alike = { ...real, random: { ...real.random, int: (bound: number) => (bound > 2 ? 2 : 0) } };
    const other = await open(prefix, { housekeepingMs: 60_000 }, alike);
    await store.putConfig(writeOf('mine', '1'));
    await other.putConfig(writeOf('theirs', '1'));
    untilMuted = 2;
    const written = await store.putConfig(writeOf('mine', '2'));
    assert.ok(way.isMuted && written.outcome === 'written');
    assert.equal((await other.getConfig(keyOf('mine')))!.content, '2');
    assert.equal(await store.revision(), written.revision);
    await store.stop();
    way.close();
  });

  it('still has ids when rows came with the highest there are', async () => {
    const host = createTestHost();
    const store = await open(newPrefix(), {}, host);
    const id = String(Number.MAX_SAFE_INTEGER);
    const facts = { content: 'x', md5: md5('x'), appName: '', sourceIp: '', sourceUser: null };
    const more = { type: 'text', description: null, use: null, effect: null, schema: null, tags: [] } as const;
    // What is older than a month is forgotten soon after the start.
    const atMs = host.clock.now() - 1000;
    const past = { ...keyOf('moved'), ...facts, nid: id, configId: id, operation: 'U', atMs } as const;
    const moved = [
      { what: 'config', row: { ...keyOf('moved'), ...facts, ...more, id, createdMs: 1, modifiedMs: 1 } },
      { what: 'history', row: past },
    ] as const;
    await store.putMoved!(moved);
    await store.putMoved!(moved);
    assert.equal((await store.putConfig(writeOf('moved', 'y'))).outcome, 'written');
    const { items } = await store.searchHistory(keyOf('moved'), 0, 10);
    assert.deepEqual(
      items.map(({ operation, md5: sum }) => [operation, sum]),
      [
        ['U', md5('x')],
        ['U', md5('x')],
      ],
    );
  });

  it('takes a burst of publishes without trying one of them twice', async () => {
    const store = await open(newPrefix());
    await store.putConfig(writeOf('first', 'x'));
    const before = (await store.raft()).index;
    await Promise.all(Array.from({ length: PUBLISHES_AT_ONCE }, (_, i) => store.putConfig(writeOf(`c.${i}`, 'x'))));
    assert.equal(await store.countConfigs(''), PUBLISHES_AT_ONCE + 1);
    const more = (await store.raft()).index - before - PUBLISHES_AT_ONCE;
    assert.ok(more < PUBLISHES_AT_ONCE / 20, `${more} more transactions than publishes`);
  });

  it('numbers past writes in order though a node begins with less than there is', async () => {
    const prefix = newPrefix();
    const [behind, ahead] = [await open(prefix), await open(prefix)];
    await behind.putConfig(writeOf('shared', '1'));
    for (const content of ['2', '3']) {
      await ahead.putConfig(writeOf('shared', content));
      await ahead.putConfig(writeOf('unseen', content));
    }
    await ahead.removeConfig(keyOf('unseen'), by);
    await ahead.removeConfig(keyOf('shared'), by);
    // Of the first it knows an old state, of the second nothing at all.
    await behind.putConfig(writeOf('shared', '4'));
    await behind.putConfig(writeOf('unseen', '4'));
    const pastOf = async (dataId: string) => {
      const past = await historyOf(behind, keyOf(dataId), 10);
      const nids = past.map(({ nid }) => Number(nid));
      assert.deepEqual(
        nids,
        [...nids].sort((a, b) => b - a),
      );
      return past.map(({ operation, content }) => operation + content).join(' ');
    };
    assert.equal(await pastOf('shared'), 'I4 D3 U2 U1 I1');
    assert.equal(await pastOf('unseen'), 'I4 D3 U2 I2');
    assert.equal(await ahead.removeConfig(keyOf('unseen'), by), true);
    assert.equal(await behind.removeConfig(keyOf('unseen'), by), false);
    assert.equal((await behind.putConfig(writeOf('shared', 'x', { expectedMd5: '' }))).outcome, 'conflict');
    await ahead.putConfig(writeOf('shared', '5'));
    assert.equal((await behind.putConfig(writeOf('shared', '6', { expectedMd5: md5('5') }))).outcome, 'written');
  });

  it('tells a gap when what a reader asks for was compacted, and goes on from there', async () => {
    const prefix = newPrefix();
    const store = await open(prefix);
    const from = await store.revision();
    for (let i = 0; i < 30; i += 1) await store.putRecord({ kind: 'switch', key: 'k', value: `${i}` });
    const late = await open(prefix);
    await etcd.ctl('compact', `${(await store.revision()) - 5}`);
    const last = await store.revision();
    assert.deepEqual(await late.changes(from, 100), { gap: true, upTo: last });
    const page = await late.changes(last - 5, 100);
    assert.ok(!page.gap && page.changes.length === 5);
    await store.putRecord({ kind: 'switch', key: 'k', value: 'more' });
    assert.equal((await changesSince(late, last)).length, 1);
  });

  it('moves a place on that nothing of ours has happened at for long, so that it is not compacted', async () => {
    const store = await open(newPrefix());
    await store.putRecord({ kind: 'switch', key: 'k', value: '1' });
    const from = await store.revision();
    const other = await open(newPrefix());
    // A hundred at a time: a busy machine may take longer for all than one of them waits.
    for (let i = 0; i < 11; i += 1) {
      const keys = Array.from({ length: 100 }, (_, k) => `${i}-${k}`);
      await Promise.all(keys.map((key) => other.putRecord({ kind: 'switch', key, value: '1' })));
    }
    const page = await store.changes(from, 100);
    assert.ok(!page.gap && page.changes.length === 0 && page.upTo > from + 1000);
    await etcd.ctl('compact', `${page.upTo}`);
    await store.putRecord({ kind: 'switch', key: 'k', value: '2' });
    assert.equal((await changesSince(store, page.upTo)).length, 1);
  });

  it('compacts and forgets old past writes by one node, with contents that nothing names any more', async () => {
    const prefix = newPrefix();
    const store = await open(prefix);
    for (const content of ['1', '2', '3']) await store.putConfig(writeOf('stands', content));
    const { id } = (await store.getConfig(keyOf('stands')))!;
    await store.putConfig(writeOf('gone', '1'));
    await store.removeConfig(keyOf('gone'), by);
    await store.putVariant(variantOf('stands', 'beta 1', { kind: 'beta' }));
    await store.putVariant(variantOf('stands', 'beta 2', { kind: 'beta' }));
    await store.stop();
    // Kept for less than nothing: all of them are old.
    const options = { historyKeptDays: -1, historyEveryMs: 50, housekeepingMs: 50, changesKept: 5 };
    const cleaner = await open(prefix, options);
    await eventually(async () => assert.deepEqual(await keysBelow(`${prefix}nid/`), []));
    assert.equal((await cleaner.searchHistory(keyOf('stands'), 0, 10)).total, 0);
    assert.equal(await cleaner.previousHistory(id), undefined);
    assert.equal((await cleaner.getConfig(keyOf('stands')))!.content, '3');
    assert.deepEqual(
      (await cleaner.getVariants(keyOf('stands'))).map(({ content }) => content),
      ['beta 2'],
    );
    const left = (await keysBelow(prefix)).map((key) => key.slice(prefix.length).split('/')[0]);
    assert.deepEqual(left.sort(), ['blob', 'blob', 'config', 'head', 'id', 'lock', 'variant', 'version']);
    await cleaner.putConfig(writeOf('stands', '4'));
    const heir = await open(prefix, { ...options, historyKeptDays: 30 });
    await eventually(async () => assert.equal((await cleaner.searchHistory(keyOf('stands'), 0, 10)).total, 0));
    // Only when the holder of the lock is gone does the next one work, with its own idea of what is old.
    await cleaner.stop();
    await heir.putConfig(writeOf('stands', '5'));
    await eventually(async () => assert.equal((await keysBelow(`${prefix}lock`)).length, 1));
    assert.equal((await heir.searchHistory(keyOf('stands'), 0, 10)).total, 1);
  });

  it('removes hundreds at once while others write, all or none', async () => {
    const prefix = newPrefix();
    const [store, other] = [await open(prefix), await open(prefix)];
    await inWaves(300, (i) => store.putConfig(writeOf(`r.${i}`, `${i}`)));
    const { items } = await store.searchConfigs(queryOf('', { limit: 500 }));
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        await other.putConfig(writeOf(`other.${i}`, 'x'));
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    })();
    assert.equal(
      await store.removeConfigs(
        items.map((config) => config.id),
        by,
      ),
      300,
    );
    isOver = true;
    await writing;
    const left = await store.searchConfigs(queryOf('', { limit: 500 }));
    assert.ok(left.items.every((config) => config.dataId.startsWith('other.')));
    const past = await historyOf(store, keyOf('r.7'), 10);
    assert.deepEqual(
      past.map(({ operation }) => operation),
      ['D', 'I'],
    );
  });

  it('refuses records that are too large together, and stores none of them', async () => {
    const store = await open(newPrefix());
    const value = JSON.stringify('v'.repeat(RECORD_VALUE_BYTES_MAX - 2));
    const many = Array.from({ length: 8 }, (_, i) => ({ kind: 'instance' as const, key: `${i}`, value }));
    const error = await assertRefused('invalid', store.putRecords(many));
    assert.match(error.message, /large/);
    assert.deepEqual((await store.scanRecords('instance', 10)).items, []);
  });

  it('leaves large contents whose write never came to vanish', async () => {
    const prefix = newPrefix();
    const store = await open(prefix);
    const large = 'x'.repeat(3_000_000);
    const conflict = await store.putConfig(writeOf('large', large, { expectedMd5: '0'.repeat(32) }));
    assert.equal(conflict.outcome, 'conflict');
    const leasesOf = async () => {
      const kvs =
        JSON.parse(await etcd.ctl('get', '--prefix', '--keys-only', `${prefix}blob/`, '-w', 'json')).kvs ?? [];
      return kvs.map((kv: { lease?: number }) => kv.lease !== undefined);
    };
    assert.deepEqual(await leasesOf(), [true, true, true]);
    await store.putConfig(writeOf('large', large));
    assert.deepEqual((await leasesOf()).sort(), [false, false, false, true, true, true]);
    assert.equal((await store.getConfig(keyOf('large')))!.content, large);
  });

  it('hands out nothing that does not fit its checksum, and a write mends it', async () => {
    const prefix = newPrefix();
    const store = await open(prefix);
    await store.putConfig(writeOf('damaged', 'one'));
    await store.putConfig(writeOf('content', 'one'));
    await store.putConfig(writeOf('whole', 'one'));
    await store.putRecord({ kind: 'switch', key: 'damaged', value: '{}' });
    const flip = async (key: string) => {
      const value = (await etcd.ctl('get', '--print-value-only', key)).trimEnd();
      await etcd.ctl('put', key, `${value.slice(0, -2)}!${value.slice(-1)}`);
    };
    await flip(`${prefix}config//g/damaged`);
    await flip(`${prefix}record/switch/damaged`);
    const blobs = await keysBelow(`${prefix}blob/`);
    for (const blob of blobs) {
      const { id } = JSON.parse(
        (await etcd.ctl('get', '--print-value-only', `${prefix}config//g/content`)).slice(32),
      ).blob;
      if (blob.includes(id)) await etcd.ctl('put', blob, 'two');
    }
    await assertRefused('damaged', store.getConfig(keyOf('damaged')));
    await assertRefused('damaged', store.getConfig(keyOf('content')));
    await assertRefused('damaged', store.getRecord('switch', 'damaged'));
    const page = await store.scanConfigs(10);
    assert.deepEqual(
      page.items.map(({ dataId }) => dataId),
      ['whole'],
    );
    assert.equal(page.damaged?.length, 2);
    assert.deepEqual(
      (await store.searchConfigs(queryOf(''))).items.map(({ dataId }) => dataId),
      ['whole'],
    );
    assert.deepEqual((await store.scanRecords('switch', 10)).items, []);
    await store.putConfig(writeOf('damaged', 'new'));
    await store.putConfig(writeOf('content', 'new'));
    await store.putRecord({ kind: 'switch', key: 'damaged', value: '{"a":1}' });
    const names = (await store.scanConfigs(10)).items.map(({ dataId }) => dataId).sort();
    assert.deepEqual(names, ['content', 'damaged', 'whole']);
    assert.equal((await store.getConfig(keyOf('damaged')))!.content, 'new');
  });

  it('begins anew when etcd was put back to an older state', async () => {
    const own = await startEtcd();
    const store = createEtcdStore(createTestHost(), own.settings('/back/'));
    stores.push(store);
    await store.start();
    for (let i = 0; i < 10; i += 1) await store.putRecord({ kind: 'switch', key: 'k', value: `${i}` });
    await store.putConfig(writeOf('back', '1'));
    const from = await store.revision();
    await own.startEmpty();
    await eventually(async () => {
      assert.deepEqual(await store.changes(from, 10), { gap: true, upTo: 0 });
    });
    await store.putRecord({ kind: 'switch', key: 'k', value: 'new' });
    assert.equal((await changesSince(store, 0)).length, 1);
    await store.putConfig(writeOf('back', '2'));
    assert.deepEqual(
      (await historyOf(store, keyOf('back'), 10)).map(({ operation, content }) => operation + content),
      ['I2'],
    );
    await store.stop();
    await own.stop();
  });

  it('knows the member that leads, its term and its index', async () => {
    const store = await open(newPrefix());
    const raft = await store.raft();
    const address = etcd.endpoints[0]!.replace('http://', '');
    assert.deepEqual([raft.leader, raft.members], [address, [address]]);
    assert.ok(raft.term >= 1 && raft.index > 1);
    await store.putRecord({ kind: 'switch', key: 'k', value: '1' });
    assert.ok((await store.raft()).index > raft.index);
  });

  it('does not touch data of a layout that it does not know', async () => {
    const prefix = newPrefix();
    await etcd.ctl('put', `${prefix}version`, '2');
    const error = await assertRefused('misconfigured', open(prefix));
    assert.match(error.message, /have layout 2, this program knows 1/);
  });
});

/** A way to etcd whose answers can be lost. */
class MutableWay {
  isMuted = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<MutableWay> {
    const server = createServer();
    const way = new MutableWay(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      for (const socket of [near, far]) {
        way.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
      }
      near.on('data', (bytes) => far.write(bytes));
      far.on('data', (bytes) => {
        if (!way.isMuted) near.write(bytes);
      });
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return way;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  mute(): void {
    this.isMuted = true;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
