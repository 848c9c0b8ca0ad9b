import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createTestHost } from '../host-for-tests.ts';
import { Blobs } from './blobs.ts';
import { EtcdClient } from './client.ts';
import { Keys } from './keys.ts';
import type { Calls } from './protocol.ts';
import { Room } from './turns.ts';

const LARGE = 'x'.repeat(1024 * 1024 + 1);

/** Answers when it is told to. */
class HeldClient extends EtcdClient {
  readonly grants: (() => void)[] = [];
  pieces = 0;

  override async repeat<Name extends keyof Calls>(name: Name): Promise<Calls[Name][1]> {
    if (name === 'Lease/LeaseGrant') await new Promise<void>((resolve) => this.grants.push(resolve));
    else this.pieces += 1;
    return { ID: '1' } as unknown as Calls[Name][1];
  }
}

it('few large contents are sent in pieces at once, and small ones do not wait for them', async () => {
  const host = createTestHost();
  const client = new HeldClient(host, {
    ...{ endpoints: ['http://127.0.0.1:1'], prefix: '/x/', user: undefined, password: undefined },
    ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
  });
  const blobs = new Blobs(host, client, new Keys('/x/'), new Room(3 * LARGE.length));
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const uploads = Array.from({ length: 7 }, () => blobs.upload(LARGE));
  await assert.rejects(blobs.upload(LARGE), /overloaded/);
  assert.deepEqual((await blobs.upload('ä')).blob.bytes, 2);
  assert.equal(client.grants.length, 4);
  for (let answered = 0; answered < 7; ) {
    for (const answer of client.grants.splice(0)) {
      answer();
      answered += 1;
    }
    await settled();
    assert.ok(client.grants.length <= 4);
  }
  const done = await Promise.all(uploads);
  assert.deepEqual([done.map(({ blob }) => blob.pieces), client.pieces], [[2, 2, 2, 2, 2, 2, 2], 14]);
});
