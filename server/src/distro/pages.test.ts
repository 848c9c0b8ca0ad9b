import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, instanceKey } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Datum } from '../naming/datum.ts';
import { Registry } from '../naming/registry.ts';
import { datumChars, inMessages, MESSAGE_CHARS_MAX } from './message-size.ts';
import { type Cursor, datumPage, decodeCursor, PAGE_DATUMS_MAX, Snapshots } from './pages.ts';

const idOf = (name: string) => ({ namespaceId: 'public', name: `DEFAULT_GROUP@@${name}` });
const instance = (n: number, more: Partial<Instance> = {}): Instance => ({
  ip: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: new Map(),
  instanceId: `${n}`,
  app: '',
  ...more,
});

function registryWith(sizes: Readonly<Record<string, number>>, more: Partial<Instance> = {}): Registry {
  const registry = new Registry('m1');
  for (const [name, size] of Object.entries(sizes)) {
    for (let n = 0; n < size; n++) registry.register(idOf(name), instance(n, more), 0);
  }
  return registry;
}

function readAll(page: (after: Cursor | null) => ReturnType<typeof datumPage>): readonly (readonly Datum[])[] {
  const pages: (readonly Datum[])[] = [];
  for (let after: Cursor | null = null, isMore = true; isMore; ) {
    const { datums, next } = page(after);
    pages.push(datums);
    after = next;
    isMore = next !== null;
    assert.ok(pages.length < 1_000, 'it never ends');
  }
  return pages;
}
const placeOf = ({ service, key, kind }: Datum) => `${service} ${key} ${kind === 'probed'}`;

test('pages hold everything once, in order of code units, however large one service is', () => {
  const registry = registryWith({ b: 3, B: 2, huge: 2 * PAGE_DATUMS_MAX + 7, é: 1, z: 5 });
  const snapshots = new Snapshots(registry);
  const pages = readAll((after) => snapshots.page('m2', after, PAGE_DATUMS_MAX));
  assert.deepEqual(
    pages.map((page) => page.length),
    [PAGE_DATUMS_MAX, PAGE_DATUMS_MAX, 18],
  );
  const places = pages.flat().map(placeOf);
  assert.equal(new Set(places).size, places.length);
  assert.deepEqual(places, places.toSorted());
});

test('a page ends with whole instances: both data of a key are in one', () => {
  const registry = registryWith({ demo: 10 });
  const key = serviceKey(idOf('demo'));
  for (let n = 0; n < 10; n++) {
    registry.putPersistent(idOf('demo'), instance(n, { ephemeral: false }));
    registry.judgeProbe(key, instanceKey(instance(n)), false);
  }
  const pages = readAll((after) => datumPage(registry, [key], after, 3));
  assert.equal(pages.flat().length, 20);
  for (const page of pages) assert.equal(page.length % 2, 0);
});

test('a service that goes and one that comes while pages are read disturb neither the rest nor the end', () => {
  const registry = registryWith({ a: 2, b: 2, c: 2 });
  const snapshots = new Snapshots(registry);
  const first = snapshots.page('m2', null, 3);
  assert.equal(first.next?.[0], serviceKey(idOf('b')));
  for (const { key } of [...registry.datums(serviceKey(idOf('b')))]) registry.deregister(serviceKey(idOf('b')), key, 0);
  registry.collect(25 * 3_600_000);
  registry.register(idOf('bb'), instance(1), 0);
  const rest = snapshots.page('m2', first.next, 100);
  assert.equal(rest.next, null);
  assert.deepEqual([...new Set(rest.datums.map((one) => one.service))], [serviceKey(idOf('c'))]);
});

test('large metadata makes small pages and messages', () => {
  const metadata = new Map([['text', 'x'.repeat(60_000)]]);
  const registry = registryWith({ demo: 200 }, { metadata });
  const key = serviceKey(idOf('demo'));
  const pages = readAll((after) => datumPage(registry, [key], after));
  assert.ok(pages.length > 5);
  assert.equal(pages.flat().length, 200);
  const messages = [...inMessages(registry.datums(key), datumChars, 500)];
  assert.equal(messages.flat().length, 200);
  for (const message of messages)
    assert.ok(JSON.stringify(message.map((one) => [one])).length <= MESSAGE_CHARS_MAX * 2);
});

test('a thing that is larger than a message goes alone', () => {
  const sizes = [1, MESSAGE_CHARS_MAX + 1, 2, 3];
  assert.deepEqual([...inMessages(sizes, (size) => size, 10)], [[1], [MESSAGE_CHARS_MAX + 1], [2, 3]]);
  assert.deepEqual([...inMessages([1, 2, 3], () => 1, 2)], [[1, 2], [3]]);
  assert.deepEqual([...inMessages([], () => 1, 2)], []);
});

test('a cursor that is none is refused', () => {
  assert.equal(decodeCursor(null), null);
  assert.deepEqual(decodeCursor(['public##g@@a', 'k']), ['public##g@@a', 'k']);
  for (const bad of [undefined, 'a', [], ['public##g@@a'], ['no service', 'k'], ['public##g@@a', 'k', 'k']]) {
    assert.throws(() => decodeCursor(bad), { name: 'BadMessageError' });
  }
});
