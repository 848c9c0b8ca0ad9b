import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Etcd, etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { changesSince } from '../contract-tools.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store, StoredRecord } from '../store.ts';
import { Blobs } from './blobs.ts';
import { EtcdClient, type Patience } from './client.ts';
import type { EtcdContext } from './context.ts';
import { createEtcdStore } from './etcd.ts';
import { EtcdFailure, storeErrorOf } from './failure.ts';
import { Ids } from './ids.ts';
import { Keys } from './keys.ts';
import { Known } from './known.ts';
import type { Calls } from './protocol.ts';
import * as records from './records.ts';
import { Room, Slots, Turns } from './turns.ts';

const record = (value: string, key = 'k'): StoredRecord => {
  return { kind: 'instance', key, value: JSON.stringify(value) };
};

describe('records of etcd whose writes are not answered', { skip: (await etcdMissing()) ?? false }, () => {
  let etcd: Etcd;
  let prefixes = 0;
  const closed: (() => unknown)[] = [];
  before(async () => {
    etcd = await startEtcd();
  });
  after(async () => {
    for (const close of closed) await close();
    await etcd?.stop();
  });

  const begin = async () => {
    prefixes += 1;
    const settings = etcd.settings(`/lost${prefixes}/`);
    const others = createEtcdStore(createTestHost(), settings, { housekeepingMs: 60_000 });
    await others.start();
    const client = new LosingClient(createTestHost(), settings);
    client.open();
    closed.push(
      () => others.stop(),
      () => client.close(),
    );
    const etcdOf = contextOf(client, new Keys(settings.prefix));
    // Of a removal mark of a record with another key.
    const sameShard = (key: string) => {
      const markOf = (one: string) => `${etcdOf.keys.removals('instance', one)}`;
      for (let i = 0; ; i += 1) if (markOf(`${i}`) === markOf(key)) return `${i}`;
    };
    return { others, client, etcd: etcdOf, sameShard };
  };
  const isUnknown = (error: unknown) => {
    const { kind, message } = storeErrorOf(error, true) as { kind: string; message: string };
    assert.equal(kind, 'unavailable');
    assert.match(message, /the write may have been stored/);
    return true;
  };
  const valueIn = async (store: Store) => (await store.getRecord('instance', 'k'))?.value;

  it('are not put a second time over what others put or removed since', async () => {
    for (const theirs of ['put', 'remove'] as const) {
      const { others, client, etcd } = await begin();
      client.lose('done', async () => {
        assert.equal(await valueIn(others), '"ours"');
        if (theirs === 'put') await others.putRecord(record('theirs'));
        else assert.equal(await others.removeRecord('instance', 'k'), true);
      });
      await assert.rejects(records.putRecords(etcd, [record('ours')]), isUnknown);
      assert.equal(await valueIn(others), theirs === 'put' ? '"theirs"' : undefined);
    }
  });

  it('are not removed a second time over what others put since', async () => {
    const { others, client, etcd } = await begin();
    await records.putRecords(etcd, [record('old')]);
    client.lose('done', () => others.putRecord(record('theirs')));
    await assert.rejects(records.removeRecord(etcd, 'instance', 'k'), isUnknown);
    assert.equal(await valueIn(others), '"theirs"');
  });

  it('are written and removed once when nobody else did anything', async () => {
    for (const how of ['done', 'late'] as const) {
      const { others, client, etcd } = await begin();
      const from = await others.revision();
      client.lose(how);
      const revision = await records.putRecords(etcd, [record('ours'), record('ours', 'l')]);
      assert.equal(await others.revision(), revision);
      client.lose(how);
      assert.equal(await records.removeRecord(etcd, 'instance', 'k'), true);
      await others.putRecord(record('theirs'));
      await client.wake();
      const changes = await changesSince(others, from);
      assert.deepEqual(
        changes.map(({ what, removed }) => [what.key, removed]),
        [
          ['k', false],
          ['l', false],
          ['k', true],
          ['k', false],
        ],
      );
      assert.equal(await valueIn(others), '"theirs"');
    }
  });

  it('are tried anew where the first attempt surely was not carried out', async () => {
    const { others, client, etcd, sameShard } = await begin();
    const neighbour = record('x', sameShard('k'));
    await records.putRecords(etcd, [record('old'), neighbour]);
    client.lose('late', () => others.removeRecord('instance', neighbour.key));
    await records.putRecords(etcd, [record('ours')]);
    const { revision } = (await changesSince(others, 0)).at(-1)!;
    await client.wake();
    assert.deepEqual([await valueIn(others), await others.revision()], ['"ours"', revision]);
    // There is no telling whether it was there between.
    await records.removeRecord(etcd, 'instance', 'k');
    client.lose('late', () => others.removeRecord('instance', 'k'));
    await assert.rejects(records.putRecords(etcd, [record('again')]), isUnknown);
    await client.wake();
    assert.equal(await valueIn(others), undefined);
  });

  it('may have been stored, whatever fails after the lost answer', async () => {
    for (const write of ['put', 'remove'] as const) {
      const { client, etcd } = await begin();
      await records.putRecords(etcd, [record('old')]);
      client.lose('late');
      client.refuse = new EtcdFailure('no space', { kind: 'read-only' });
      const call =
        write === 'put' ? records.putRecords(etcd, [record('x')]) : records.removeRecord(etcd, 'instance', 'k');
      await assert.rejects(call, isUnknown);
    }
  });
});

/** Loses the answer to one call: of what was carried out (`done`), or will be when it wakes (`late`). */
class LosingClient extends EtcdClient {
  /** After a lost answer. */
  refuse: EtcdFailure | undefined;
  #losing: { readonly how: 'done' | 'late'; readonly meanwhile: () => Promise<unknown> } | undefined;
  #late: (() => Promise<unknown>)[] = [];

  lose(how: 'done' | 'late', meanwhile: () => Promise<unknown> = async () => undefined): void {
    this.#losing = { how, meanwhile };
  }

  async wake(): Promise<void> {
    for (const call of this.#late.splice(0)) await call();
  }

  override async once<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name][0],
    patience: Patience,
  ): Promise<Calls[Name][1]> {
    if (this.#losing === undefined) {
      if (this.refuse !== undefined && name === 'KV/Txn' && this.#late.length > 0) throw this.refuse;
      return super.once(name, request, patience);
    }
    const { how, meanwhile } = this.#losing;
    this.#losing = undefined;
    if (how === 'done') await super.once(name, request, patience);
    else this.#late.push(() => super.once(name, request, this.patience()));
    await meanwhile();
    throw new EtcdFailure('the answer was lost', { kind: 'unavailable', isPassing: true, mayBeDone: true });
  }
}

function contextOf(client: EtcdClient, keys: Keys): EtcdContext {
  const host = createTestHost();
  const room = new Room();
  const blobs = new Blobs(host, client, keys, room);
  const [ids, known, turns, slots] = [new Ids(host.random), new Known(), new Turns(room), new Slots(room)];
  return { host, client, keys, blobs, ids, known, turns, slots };
}
