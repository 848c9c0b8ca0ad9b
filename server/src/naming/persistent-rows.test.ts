import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { type Change, type Store, StoreError } from '../store/store.ts';
import { Touches } from '../store/touches.ts';
import { encodePersistent, persistentKey } from './persistent.ts';
import { PersistentRows } from './persistent-rows.ts';
import { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const instance = (ip: string, weight = 1): Instance => ({
  ip,
  port: 80,
  cluster: 'DEFAULT',
  weight,
  healthy: true,
  enabled: true,
  ephemeral: false,
  metadata: NO_METADATA,
  instanceId: ip,
  app: '',
});
const A = instance('10.0.0.1');
const rowA = persistentKey(demo, instanceKey(A));
const changeOf = (key: string): Change => ({ revision: 1, what: { kind: 'instance', key }, removed: false });

/** Rows on a store whose answers can be held back, and another member's way to the same database. */
async function start() {
  const host = new FakeHost();
  const database = createMemoryDatabase();
  const other = createMemoryStore(host, database);
  const memory = createMemoryStore(host, database);
  await Promise.all([other.start(), memory.start()]);
  const held: { readonly call: string; readonly go: () => void }[] = [];
  let holds: readonly string[] = [];
  const store = new Proxy(memory, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return Reflect.get(target, name, receiver);
      return async (...values: unknown[]) => {
        const answer: unknown = await member.apply(target, values);
        if (!holds.includes(String(name))) return answer;
        const { promise, resolve } = Promise.withResolvers<void>();
        held.push({ call: String(name), go: resolve });
        await promise;
        return answer;
      };
    },
  }) as Store;
  const registry = new Registry('m1');
  const changes: RegistryChange[] = [];
  const rows = new PersistentRows(host, store, registry, (change) => changes.push(change));
  const weights = () =>
    Object.fromEntries((registry.view(serviceKey(demo))?.instances ?? []).map((one) => [one.ip, one.weight]));
  /** Answers of these calls are held back from now on; those that were held go out. */
  const hold = async (...calls: string[]) => {
    holds = calls;
    for (const one of held.splice(0)) if (!calls.includes(one.call)) one.go();
    await host.advance(1);
  };
  const write = (one: Instance) => other.putRecord(encodePersistent(demo, one));
  return { host, memory, other, registry, rows, changes, weights, hold, write };
}

test('what is put is stored and shown at once, what is removed is gone', async () => {
  const { rows, other, changes, weights } = await start();
  await rows.put(demo, A);
  assert.deepEqual(weights(), { '10.0.0.1': 1 });
  assert.notEqual(await other.getRecord('instance', rowA), undefined);
  assert.deepEqual(
    changes.map(({ origin, visible }) => [origin, visible]),
    [['store', true]],
  );
  await rows.remove(demo, instanceKey(A));
  assert.deepEqual(weights(), {});
  assert.equal(await other.getRecord('instance', rowA), undefined);
});

test('a write that the store refuses changes nothing', async () => {
  const { rows, memory, weights } = await start();
  memory.faults.down = 'read-only';
  await assert.rejects(rows.put(demo, A), StoreError);
  assert.deepEqual(weights(), {});
});

test('a full read shows what is there and takes away what is not', async () => {
  const { rows, other, weights, write } = await start();
  await rows.put(demo, A);
  await write(instance('10.0.0.2', 2));
  await other.removeRecord('instance', rowA);
  assert.equal(rows.isLoaded, false);
  await rows.feedReader.reread(0);
  assert.equal(rows.isLoaded, true);
  assert.deepEqual(weights(), { '10.0.0.2': 2 });
});

test('a row that is not ours is skipped and counted, the rest goes on', async () => {
  const { rows, other, weights, write } = await start();
  await other.putRecord({ kind: 'instance', key: 'public##g@@demo##x', value: '{"ip":7}' });
  await other.putRecord({ kind: 'instance', key: 'nonsense', value: '{}' });
  await write(A);
  await rows.feedReader.reread(0);
  assert.equal(rows.bad, 2);
  assert.deepEqual(weights(), { '10.0.0.1': 1 });
});

test('an instance that is registered while an older state of its row is read stays', async () => {
  const { rows, host, weights, hold } = await start();
  await hold('getRecord');
  const told = rows.feedReader.apply([changeOf(rowA)]);
  await host.advance(1);
  await rows.put(demo, A);
  assert.deepEqual(weights(), { '10.0.0.1': 1 });
  await hold();
  await told;
  assert.deepEqual(weights(), { '10.0.0.1': 1 });
});

test('an instance that is removed while everything is read does not come back', async () => {
  const { rows, host, weights, hold, write } = await start();
  await write(A);
  await hold('scanRecords');
  const read = rows.feedReader.reread(0);
  await host.advance(1);
  await rows.remove(demo, instanceKey(A));
  await hold();
  await read;
  assert.deepEqual(weights(), {});
});

test('of two writes the later one is shown, though the answer to the earlier comes last', async () => {
  const { rows, host, weights, hold, write } = await start();
  await hold('putRecord');
  const put = rows.put(demo, instance('10.0.0.1', 3));
  await host.advance(1);
  await write(instance('10.0.0.1', 4));
  await rows.feedReader.apply([changeOf(rowA)]);
  assert.deepEqual(weights(), { '10.0.0.1': 4 });
  await hold();
  await put;
  assert.deepEqual(weights(), { '10.0.0.1': 4 });
});

test('a write whose row cannot be read back is not acknowledged', async () => {
  const { rows, host, memory, weights, hold, write } = await start();
  await hold('putRecord');
  const put = rows.put(demo, instance('10.0.0.1', 3));
  await host.advance(1);
  await write(instance('10.0.0.1', 4));
  await rows.feedReader.apply([changeOf(rowA)]);
  memory.faults.down = 'unavailable';
  const refused = assert.rejects(put, { kind: 'unavailable' });
  await hold();
  await refused;
  assert.match(host.log.lines.join('\n'), /cannot be read back/);
  assert.deepEqual(weights(), { '10.0.0.1': 4 });
});

test('of more keys than are remembered each counts as touched', () => {
  const touches = new Touches(2);
  const before = touches.moment;
  for (const key of ['a', 'b', 'c']) touches.touch(key);
  assert.equal(touches.since('a', before), true);
  assert.equal(touches.since('never', before), true);
  assert.equal(touches.since('b', touches.moment), false);
  const later = touches.moment;
  touches.touchAll();
  assert.equal(touches.since('c', later), true);
  assert.equal(touches.since('c', touches.moment), false);
});

test('an address that holds the mark of keys is an instance like others, of its own service', async () => {
  const { rows, weights, registry } = await start();
  const odd = instance('a##b');
  await rows.put(demo, odd);
  assert.deepEqual(weights(), { 'a##b': 1 });
  assert.deepEqual([...registry.serviceNames('public')], [demo.name]);
  await rows.remove(demo, instanceKey(odd));
  assert.deepEqual([weights(), registry.serviceCount, registry.instanceCount], [{}, 0, 0]);
});

test('a row whose value is of another instance than its key is skipped', async () => {
  const { rows, other, weights } = await start();
  const { value } = encodePersistent(demo, instance('10.0.0.2'));
  await other.putRecord({ kind: 'instance', key: rowA, value });
  await rows.feedReader.reread(0);
  assert.deepEqual([weights(), rows.bad], [{}, 1]);
});
