import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeKube } from '../testing/fake-kube.ts';
import { KubeError } from './api.ts';
import type { KubeObject } from './objects.ts';
import { Reflector } from './reflector.ts';
import { CONFIG_MAPS } from './resource-types.ts';

function configMap(name: string, value = '1'): KubeObject & { data: { value: string } } {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data: { value } };
}

function world() {
  const host = new FakeHost();
  const api = new FakeKube();
  const changes: string[] = [];
  const reflector = new Reflector(host, api, {
    type: CONFIG_MAPS,
    kubeNamespace: 'shop',
    onChange: (key, before, after) => void changes.push(`${before ? (after ? '~' : '-') : '+'}${key}`),
  });
  return { host, api, changes, reflector };
}

test('it lists, then follows', async () => {
  const { host, api, changes, reflector } = world();
  api.put(CONFIG_MAPS, configMap('a'));
  assert.equal(reflector.hasSynced, false);
  reflector.start();
  await host.advance(0);
  assert.equal(reflector.hasSynced, true);
  api.put(CONFIG_MAPS, configMap('b'));
  api.put(CONFIG_MAPS, configMap('a', '2'));
  api.remove(CONFIG_MAPS, 'shop/b');
  await host.advance(0);
  assert.deepEqual(changes, ['+shop/a', '+shop/b', '~shop/a', '-shop/b']);
  assert.deepEqual([...reflector.values()].length, 1);
  await reflector.stop();
});

test('it lists page by page', async () => {
  const { host, api, reflector } = world();
  for (let i = 0; i < 1_201; i++) api.put(CONFIG_MAPS, configMap(`m${i}`));
  reflector.start();
  await host.advance(0);
  assert.equal([...reflector.values()].length, 1_201);
  assert.equal(api.calls.filter((call) => call.startsWith('list')).length, 3);
  await reflector.stop();
});

test('a watch that ends goes on from its last version without a new list', async () => {
  const { host, api, changes, reflector } = world();
  reflector.start();
  await host.advance(10_000);
  api.put(CONFIG_MAPS, configMap('a'));
  api.endWatches();
  api.put(CONFIG_MAPS, configMap('b'));
  await host.advance(2_000);
  assert.deepEqual(changes, ['+shop/a', '+shop/b']);
  assert.equal(api.calls.filter((call) => call.startsWith('list')).length, 1);
  await reflector.stop();
});

test('bookmarks carry the version on, so that a long silence needs no new list', async () => {
  const { host, api, reflector } = world();
  reflector.start();
  await host.advance(10_000);
  api.put({ ...CONFIG_MAPS, plural: 'others' }, configMap('x'));
  api.bookmark();
  api.compact();
  api.endWatches();
  await host.advance(2_000);
  assert.equal(api.calls.filter((call) => call.startsWith('list')).length, 1);
  await reflector.stop();
});

test('410 makes it list again, and tells what is gone only then', async () => {
  const { host, api, changes, reflector } = world();
  api.put(CONFIG_MAPS, configMap('a'));
  api.put(CONFIG_MAPS, configMap('b'));
  reflector.start();
  await host.advance(10_000);
  changes.length = 0;
  api.failWith = (call) => (call.startsWith('watch') ? new KubeError(0, 'Unreachable', 'down') : undefined);
  api.endWatches(new KubeError(0, 'Unreachable', 'cut'));
  api.remove(CONFIG_MAPS, 'shop/a');
  api.compact();
  await host.advance(60_000);
  assert.deepEqual(changes, []);
  api.failWith = undefined;
  await host.advance(60_000);
  assert.deepEqual(changes, ['-shop/a']);
  await reflector.stop();
});

test('while the API server is away it asks at most every 30 s, deletes nothing and never stops', async () => {
  const { host, api, changes, reflector } = world();
  api.put(CONFIG_MAPS, configMap('a'));
  reflector.start();
  await host.advance(10_000);
  changes.length = 0;
  api.failWith = () => new KubeError(0, 'Unreachable', 'connect ECONNREFUSED');
  api.endWatches(new KubeError(0, 'Unreachable', 'cut'));
  await host.advance(60_000);
  const early = api.calls.length;
  await host.advance(3_600_000);
  assert.ok(api.calls.length - early <= 3_600 / 24 + 1, `${api.calls.length - early} calls in an hour`);
  assert.deepEqual(changes, []);
  assert.equal(reflector.get('shop/a')?.metadata.name, 'a');
  api.failWith = undefined;
  api.put(CONFIG_MAPS, configMap('b'));
  await host.advance(40_000);
  assert.deepEqual(changes, ['+shop/b']);
  await reflector.stop();
});

test('an empty page in the middle of an outage is not taken for the whole', async () => {
  const { host, api, changes, reflector } = world();
  for (let i = 0; i < 600; i++) api.put(CONFIG_MAPS, configMap(`m${i}`));
  reflector.start();
  await host.advance(10_000);
  changes.length = 0;
  api.failWith = (call) => (call === 'list configmaps 500' ? new KubeError(500, '', 'etcd is slow') : undefined);
  api.endWatches(new KubeError(410, 'Expired', 'too old'));
  api.put(CONFIG_MAPS, configMap('m0', '2'));
  api.compact();
  await host.advance(60_000);
  assert.deepEqual(changes, []);
  api.failWith = undefined;
  await host.advance(40_000);
  assert.deepEqual(changes, ['~shop/m0']);
  await reflector.stop();
});

test('a watch that is silent for 90 s is begun anew', async () => {
  const { host, api, reflector } = world();
  reflector.start();
  await host.advance(80_000);
  api.bookmark();
  await host.advance(89_000);
  assert.equal(api.calls.filter((call) => call.startsWith('watch')).length, 1);
  await host.advance(2_000);
  assert.equal(api.calls.filter((call) => call.startsWith('watch')).length, 2);
  await reflector.stop();
});

test('a server that ends every watch at once is not hammered', async () => {
  const { host, api, reflector } = world();
  api.watch = async () => void api.calls.push('watch');
  reflector.start();
  await host.advance(60_000);
  assert.ok(api.calls.length < 12, `${api.calls.length} calls in a minute`);
  await reflector.stop();
});

test('a reader that throws does not end the watch', async () => {
  const host = new FakeHost();
  const api = new FakeKube();
  const reflector = new Reflector(host, api, {
    type: CONFIG_MAPS,
    onChange: () => {
      throw new Error('reader');
    },
  });
  reflector.start();
  await host.advance(0);
  api.put(CONFIG_MAPS, configMap('a'));
  api.put(CONFIG_MAPS, configMap('b'));
  await host.advance(0);
  assert.equal([...reflector.values()].length, 2);
  await reflector.stop();
});

test('stopping ends the watch and every wait', async () => {
  const { host, api, reflector } = world();
  api.failWith = () => new KubeError(0, 'Unreachable', 'down');
  reflector.start();
  await host.advance(100);
  await reflector.stop();
  assert.equal(api.watchers.size, 0);
});
