import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { Blobs } from './blobs.ts';
import { EtcdClient } from './client.ts';
import { EtcdFailure } from './failure.ts';
import { Housekeeping } from './housekeeping.ts';
import { Ids } from './ids.ts';
import { Keys } from './keys.ts';
import { Known } from './known.ts';
import type { Calls } from './protocol.ts';
import { Room, Slots, Turns } from './turns.ts';

const EVERY_MS = 10_000;
const KEYS = new Keys('/x/');

/** Another node holds the lock, so a look is one read. */
class SomeClient extends EtcdClient {
  isBroken = false;
  looks = 0;

  override async repeat<Name extends keyof Calls>(): Promise<Calls[Name][1]> {
    this.looks += 1;
    if (this.isBroken) throw new EtcdFailure('etcd: it did not answer in time', { kind: 'unavailable' });
    return { kvs: [{ key: KEYS.lock }], count: '1' } as unknown as Calls[Name][1];
  }
}

it('one look that fails, as when the calls move to another member, is not told; an outage and its end are', async () => {
  const host = new FakeHost();
  const client = new SomeClient(host, {
    ...{ endpoints: ['http://127.0.0.1:1'], prefix: '/x/', user: undefined, password: undefined },
    ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
  });
  const room = new Room();
  const housekeeping = new Housekeeping(
    {
      ...{ host, client, keys: KEYS, blobs: new Blobs(host, client, KEYS, room), ids: new Ids(host.random) },
      ...{ known: new Known(), turns: new Turns(room), slots: new Slots(room) },
    },
    { changesKept: 100, historyKeptDays: 30, everyMs: EVERY_MS, historyEveryMs: EVERY_MS },
  );
  const look = async (isBroken: boolean) => {
    client.isBroken = isBroken;
    await host.advance(EVERY_MS);
  };
  housekeeping.start();
  await look(true);
  await look(false);
  await look(true);
  await look(true);
  assert.deepEqual([client.looks, host.log.lines], [5, []]);
  for (let looks = 0; looks < 5; looks++) await look(true);
  assert.equal(host.log.lines.length, 1);
  assert.match(host.log.lines[0] ?? '', /^warn old data cannot be removed/);
  await look(false);
  await look(false);
  assert.deepEqual(host.log.lines.slice(1), ['info old data can be removed again']);
  await housekeeping.stop();
});
