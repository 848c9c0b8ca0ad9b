import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { makeSmallDisk, type SmallDisk, smallDiskMissing } from '../../../../e2e/engines/small-disk.ts';
import { assertRefused, eventually, keyOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createEtcdStore } from './etcd.ts';

const { clock } = createTestHost();
const REFUSED_WITHIN_MS = 3500;
/** Two files of the log of a member, of 64 MB each, and room for its database. */
const DISK_MIB = 160;
const CONTENT = 'x'.repeat(50_000);

describe('the etcd store on a full disk', { skip: (await etcdMissing()) || smallDiskMissing() }, () => {
  let disk: SmallDisk;
  let etcd: Etcd;
  let store: Store;
  after(async () => {
    await store?.stop();
    await etcd?.stop();
    await disk?.remove();
  });

  it('refuses writes of an etcd that ends on it, and loses nothing that was acknowledged', async () => {
    disk = await makeSmallDisk(DISK_MIB);
    etcd = await startEtcd({ parent: disk.path });
    store = createEtcdStore(createTestHost(), etcd.settings());
    await store.start();
    await store.putConfig(writeOf('before', '1'));
    await disk.fill();
    const acknowledged = new Map<string, number>();
    // Its log has room ahead, so that it takes some writes still.
    for (let n = 0; etcd.members[0]!.isRunning; n += 1) {
      const startedAt = clock.monotonic();
      await store.putConfig(writeOf(`full.${n % 5}`, `${n} ${CONTENT}`)).then(
        () => acknowledged.set(`full.${n % 5}`, n),
        (error: Error) => assert.match(error.message, /^etcd http:/),
      );
      const tookMs = clock.monotonic() - startedAt;
      assert.ok(tookMs < REFUSED_WITHIN_MS, `answered after ${tookMs} ms`);
    }
    const startedAt = clock.monotonic();
    const error = await assertRefused('unavailable', store.putConfig(writeOf('away', '1')));
    assert.match(error.message, /ECONNREFUSED|No connection/);
    assert.ok(clock.monotonic() - startedAt < REFUSED_WITHIN_MS);
    await disk.free();
    await etcd.start();
    await eventually(async () => void (await store.putConfig(writeOf('after', CONTENT))));
    for (const [dataId, n] of acknowledged) {
      const stored = Number.parseInt((await store.getConfig(keyOf(dataId)))!.content, 10);
      assert.ok(stored >= n, `${dataId}: ${n} was acknowledged, ${stored} is stored`);
    }
    assert.equal((await store.getConfig(keyOf('before')))!.content, '1');
  });
});
