import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Etcd, type EtcdOptions, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { assertRefused, changesSince, eventually, keyOf, writeOf } from '../contract-tools.ts';
import { createTestHost, type TestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createEtcdStore, type EtcdOptions as StoreOptions } from './etcd.ts';
import type { EtcdSettings } from './settings.ts';

const { clock } = createTestHost();
/** The promise is any time; a longer one shows no more than a wait beyond every deadline and time-out here. */
const OUTAGE_MS = Number(process.env['ETCD_OUTAGE_MS'] ?? 12_000);
const HEALED_WITHIN_MS = 5000;
const by = { ip: '10.0.0.1', user: 'ann' };

describe('the etcd store on members that fail', { skip: (await etcdMissing()) ?? false, concurrency: 3 }, () => {
  const clusters: Etcd[] = [];
  const stores: Store[] = [];
  const hosts: TestHost[] = [];
  after(async () => {
    await Promise.all(stores.map((store) => store.stop()));
    await Promise.all(clusters.map((etcd) => etcd.stop()));
    const faults = hosts.flatMap((host) => host.lines).filter((line) => /background/.test(line));
    assert.deepEqual(faults, []);
  });

  const start = async (options?: EtcdOptions) => {
    const etcd = await startEtcd(options);
    clusters.push(etcd);
    return etcd;
  };
  const create = (settings: EtcdSettings, options?: StoreOptions) => {
    const host = createTestHost();
    const store = createEtcdStore(host, settings, options);
    hosts.push(host);
    stores.push(store);
    return store;
  };
  const open = async (etcd: Etcd, more: Partial<EtcdSettings> = {}, options?: StoreOptions) => {
    const store = create({ ...etcd.settings(), ...more }, options);
    await store.start();
    return store;
  };

  it('keeps every acknowledged write when the only member is killed under load', async () => {
    const etcd = await start();
    const store = await open(etcd);
    const load = startLoad([store], 6);
    for (let round = 0; round < 3; round += 1) {
      await load.acknowledges(40);
      await etcd.kill();
      await etcd.start();
    }
    await load.acknowledges(40);
    await load.end();
    await load.verify(await open(etcd));
    await etcd.stop();
  });

  it('goes on when the leader is killed under load, and loses nothing', async () => {
    const etcd = await start({ members: 3 });
    const two = [await open(etcd), await open(etcd)];
    const load = startLoad(two, 4);
    for (let round = 0; round < 2; round += 1) {
      await load.acknowledges(40);
      const leader = await etcd.leader();
      await leader.kill();
      await load.acknowledges(40);
      await leader.start();
    }
    await load.end();
    assert.ok(load.longestMs < 6500, `a write took ${load.longestMs} ms`);
    await load.verify(two[0]!);
    await etcd.stop();
  });

  it('goes on without one of three members, refuses writes without two, and heals by itself', async () => {
    const etcd = await start({ members: 3 });
    const store = await open(etcd);
    let hints = 0;
    store.onHint(() => {
      hints += 1;
    });
    for (const member of etcd.members) {
      await member.pause();
      await eventually(async () => void (await store.putConfig(writeOf('hung', member.name))));
      const from = await store.revision();
      hints = 0;
      await store.putConfig(writeOf('hung.2', member.name));
      await eventually(async () => assert.ok(hints > 0, 'no hint'));
      assert.equal((await changesSince(store, from)).length, 1);
      member.resume();
    }
    const [one, two] = etcd.members;
    await one!.pause();
    await two!.kill();
    const startedAt = clock.monotonic();
    const error = await assertRefused('unavailable', store.putConfig(writeOf('minority', 'x')));
    assert.ok(clock.monotonic() - startedAt < 3500, 'a refusal took too long');
    assert.match(error.message, /etcd http:/);
    one!.resume();
    await two!.start();
    await within(HEALED_WITHIN_MS, async () => void (await store.putConfig(writeOf('minority', 'y'))));
    await etcd.stop();
  });

  it('heals by itself after a long outage, of a member that hangs and of one that is gone', async () => {
    const hung = await start();
    const gone = await start();
    const cases = [
      { etcd: hung, cut: () => hung.pause(), restore: async () => hung.resume() },
      { etcd: gone, cut: () => gone.kill(), restore: () => gone.start() },
    ];
    await Promise.all(
      cases.map(async ({ etcd, cut, restore }) => {
        const [store, other] = [await open(etcd), await open(etcd)];
        let hints = 0;
        store.onHint(() => {
          hints += 1;
        });
        await store.putConfig(writeOf('before', '1'));
        const from = await store.revision();
        await cut();
        const endMs = clock.monotonic() + OUTAGE_MS;
        while (clock.monotonic() < endMs) {
          await assertRefused('unavailable', store.changes(from, 10));
          await clock.sleep(200);
        }
        await restore();
        await within(HEALED_WITHIN_MS, async () => void (await store.changes(from, 10)));
        await within(HEALED_WITHIN_MS, async () => void (await other.putConfig(writeOf('after', '1'))));
        hints = 0;
        await within(HEALED_WITHIN_MS, async () => {
          await other.putConfig(writeOf('after', '2'));
          await clock.sleep(100);
          assert.ok(hints > 0, 'the watch is not back');
        });
        const told = (await changesSince(store, from)).map(({ what }) => (what.key as { dataId: string }).dataId);
        assert.ok(told.length >= 2 && told.every((dataId) => dataId === 'after'), told.join());
        await etcd.stop();
      }),
    );
  });

  it('needs a login where etcd does, and logs in anew when its token is worth nothing any more', async () => {
    const etcd = await start({ auth: true });
    const store = await open(etcd, {}, { changesKept: 10, housekeepingMs: 50 });
    const from = await store.revision();
    let hints = 0;
    store.onHint(() => {
      hints += 1;
    });
    const load = startLoad([store], 4);
    await load.acknowledges(20);
    // A member that was started anew knows no token.
    await etcd.kill();
    await etcd.start();
    await load.acknowledges(20);
    hints = 0;
    await eventually(async () => assert.ok(hints > 0, 'the watch is not back'));
    await load.end();
    await load.verify(store);
    // Compaction needs no right of its own.
    await eventually(async () => assert.equal((await store.changes(from, 10)).gap, true));
    await assertRefused('misconfigured', create({ ...etcd.settings(), password: 'wrong' }).start());
    await assertRefused('misconfigured', create({ ...etcd.settings(), user: undefined }).start());
    const error = await assertRefused('misconfigured', create({ ...etcd.settings(), prefix: '/others/' }).start());
    assert.match(error.message, /permission denied/);
    assert.doesNotMatch(error.message, new RegExp(etcd.password!));
    await etcd.stop();
  });

  it('speaks TLS, shows its certificate and trusts no other authority', async () => {
    const [etcd, other] = [await start({ tls: true }), await start({ tls: true })];
    const store = await open(etcd);
    await store.putConfig(writeOf('tls', '1'));
    await etcd.kill();
    await etcd.renewCertificates();
    await etcd.start();
    await within(HEALED_WITHIN_MS, async () => void (await store.putConfig(writeOf('tls', '2'))));
    const { caFile } = other.certificates!;
    const error = await assertRefused('unavailable', create({ ...etcd.settings(), caFile }).start());
    assert.match(error.message, /certificate/);
    const missing = create({ ...etcd.settings(), caFile: '/no/such/file' }).start();
    assert.match((await assertRefused('misconfigured', missing)).message, /\/no\/such\/file/);
    await etcd.stop();
    await other.stop();
  });

  it('refuses writes and goes on reading when the database of etcd is full', async () => {
    const etcd = await start({ flags: ['--quota-backend-bytes=20000000'] });
    const store = await open(etcd);
    await store.putConfig(writeOf('full', 'small'));
    let refusal: Error | undefined;
    for (let i = 0; refusal === undefined && i < 40; i += 1) {
      await store.putConfig(writeOf('big', `${i}`.repeat(500_000))).catch((error) => {
        refusal = error;
      });
    }
    const startedAt = clock.monotonic();
    const error = await assertRefused('read-only', store.putConfig(writeOf('full', 'more')));
    assert.ok(clock.monotonic() - startedAt < 3500, 'a refusal took too long');
    assert.match(error.message, /its database is full/);
    assert.equal(error.because, 'its database is full');
    assert.equal((await store.getConfig(keyOf('full')))!.content, 'small');
    const late = await open(etcd);
    assert.equal((await late.getConfig(keyOf('full')))!.content, 'small');
    await etcd.ctl('del', '--prefix', '/nacos-kube/blob/');
    const { header } = JSON.parse(await etcd.ctl('get', 'none', '-w', 'json')) as { header: { revision: number } };
    await etcd.ctl('compact', `${header.revision}`);
    await etcd.ctl('defrag');
    await etcd.ctl('alarm', 'disarm');
    await within(HEALED_WITHIN_MS, async () => void (await store.putConfig(writeOf('full', 'more'))));
    await etcd.stop();
  });

  /** Writers that count up, each in a configuration of its own and one in common, and note what was acknowledged. */
  function startLoad(on: readonly Store[], writers: number) {
    const acknowledged = new Map<string, number>();
    let count = 0;
    let isOver = false;
    const load = { longestMs: 0, acknowledges, end, verify };
    const write = async (writer: number) => {
      const store = on[writer % on.length]!;
      const dataId = `load.${writer}`;
      for (let value = 1; !isOver; value += 1) {
        const startedAt = clock.monotonic();
        try {
          await store.putConfig(writeOf(dataId, `${value}`, { by }));
          acknowledged.set(dataId, value);
          count += 1;
        } catch (error) {
          assert.equal((error as { kind?: string }).kind, 'unavailable', `${error}`);
        }
        load.longestMs = Math.max(load.longestMs, clock.monotonic() - startedAt);
        await clock.sleep(2);
      }
    };
    const all = Promise.all(Array.from({ length: writers }, (_, i) => write(i)));
    async function acknowledges(more: number) {
      const wanted = count + more;
      const deadline = clock.monotonic() + 20_000;
      while (count < wanted) {
        assert.ok(clock.monotonic() < deadline, `${count} of ${wanted} writes`);
        await clock.sleep(20);
      }
    }
    async function end() {
      isOver = true;
      await all;
    }
    /** Nothing acknowledged is gone, nothing stands twice, and the past of each is a chain without a hole. */
    async function verify(store: Store) {
      for (const [dataId, value] of acknowledged) {
        const now = (await store.getConfig(keyOf(dataId)))!;
        assert.ok(Number(now.content) >= value, `${dataId}: ${now.content} < ${value}`);
        const { items } = await store.searchHistory(keyOf(dataId), 0, 500);
        const past = await Promise.all(items.map(async ({ nid }) => (await store.getHistory(nid))!));
        const values = past.map(({ content }) => Number(content)).reverse();
        const [inserted, ...replaced] = values;
        assert.deepEqual(
          [inserted, ...new Set(replaced)],
          [inserted, ...replaced],
          `${dataId} has a past write twice: ${values}`,
        );
        const stood = [...replaced, Number(now.content)];
        assert.ok(
          stood.every((one, i) => i === 0 || one > stood[i - 1]!),
          `${dataId}: ${stood}`,
        );
      }
    }
    return load;
  }

  async function within(limitMs: number, check: () => Promise<void>): Promise<void> {
    const deadline = clock.monotonic() + limitMs;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (clock.monotonic() > deadline) throw error;
        await clock.sleep(50);
      }
    }
  }
});
