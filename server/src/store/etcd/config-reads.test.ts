import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { assertRefused, inWaves, keyOf, writeOf } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createEtcdStore } from './etcd.ts';

const PREFIX = '/together/';
const SMALL = 60;
/** More than one request may bring. */
const LARGE = 3 * 1024 * 1024;

describe('configurations of etcd that are asked for at once', { skip: (await etcdMissing()) ?? false }, () => {
  let etcd: Etcd;
  let store: Store;
  before(async () => {
    etcd = await startEtcd();
    store = createEtcdStore(createTestHost(), etcd.settings(PREFIX));
    await store.start();
    await inWaves(SMALL, (i) => store.putConfig(writeOf(`small-${i}`, `content ${i}`)));
    for (const sign of ['a', 'b']) await store.putConfig(writeOf(`large-${sign}`, sign.repeat(LARGE)));
  });
  after(async () => {
    await store?.stop();
    await etcd?.stop();
  });

  const smallNames = Array.from({ length: SMALL }, (_, i) => `small-${i}`);
  const readAll = (names: readonly string[]) => Promise.all(names.map((name) => store.getConfig(keyOf(name))));
  const readsSoFar = async () => {
    const text = await (await fetch(`${etcd.members[0]!.endpoint}/metrics`)).text();
    const counts = text.matchAll(/^grpc_server_handled_total\{.*grpc_method="(?:Range|Txn)".*\} (\S+)$/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it('come with two requests, each its own', async () => {
    const from = await readsSoFar();
    const configs = await readAll(smallNames);
    const requests = (await readsSoFar()) - from;
    assert.deepEqual(
      configs.map((config) => config?.content),
      smallNames.map((_, i) => `content ${i}`),
    );
    // The housekeeping may come between.
    assert.ok(requests >= 2 && requests <= 5, `${requests} requests`);
  });

  it('come in parts when they are large, and a name that comes twice is answered twice', async () => {
    const names = ['large-a', 'small-1', 'none', 'large-b', 'small-1'];
    const [a, small, none, b, again] = await readAll(names);
    assert.deepEqual(
      [a?.content, b?.content].map((content) => content === 'a'.repeat(LARGE)),
      [true, false],
    );
    assert.equal(b?.content, 'b'.repeat(LARGE));
    assert.deepEqual([small?.content, none, again], ['content 1', undefined, small]);
  });

  it('are refused one by one where they do not fit their checksum', async () => {
    const damage = (key: string) => etcd.ctl('put', PREFIX + key, 'x'.repeat(64));
    const head = (await etcd.ctl('get', '--print-value-only', `${PREFIX}config//g/small-3`)).slice(32);
    await damage('config//g/small-2');
    await damage(`blob/${JSON.parse(head).blob.id}/0000`);
    const [one, two, three, four] = [1, 2, 3, 4].map((i) => store.getConfig(keyOf(`small-${i}`)));
    await Promise.all([assertRefused('damaged', two!), assertRefused('damaged', three!)]);
    assert.deepEqual([(await one)?.content, (await four)?.content], ['content 1', 'content 4']);
  });

  it('are all refused while etcd does not answer', async () => {
    await etcd.kill();
    const refused = smallNames.map((name) => assertRefused('unavailable', store.getConfig(keyOf(name))));
    await Promise.all(refused);
    await etcd.start();
    assert.equal((await readAll(['small-5', 'small-6']))[1]?.content, 'content 6');
  });
});
