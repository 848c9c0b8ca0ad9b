import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { joinList } from '@nacos-kube/core/wire/naming-list.ts';
import fc from 'fast-check';
import { buildListParts, listParts, shownInstances } from './list.ts';
import { Registry } from './registry.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const instance = (ip: string, more: Partial<Instance> = {}): Instance => ({
  ip,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: NO_METADATA,
  instanceId: ip,
  app: '',
  ...more,
});
const shown = (instances: Instance[], clusters: string[] = [], healthyOnly = false) =>
  shownInstances(instances, clusters, healthyOnly, 0).map((one) => `${one.instance.ip} ${one.healthy}`);

test('unhealthy instances come first, disabled ones are left out', () => {
  const all = [instance('a'), instance('b', { healthy: false }), instance('c', { enabled: false })];
  assert.deepEqual(shown(all), ['b false', 'a true']);
  assert.deepEqual(shown(all, [], true), ['a true']);
});

test('when nobody is healthy, everybody is shown as healthy', () => {
  const all = [instance('a', { healthy: false }), instance('b', { healthy: false })];
  assert.deepEqual(shown(all, [], true), ['a true', 'b true']);
});

test('only the clusters asked for count, unknown ones are ignored', () => {
  const all = [instance('a', { cluster: 'hz' }), instance('b', { healthy: false, cluster: 'sh' })];
  assert.deepEqual(shown(all, ['sh', 'none']), ['b true']);
  assert.deepEqual(shown(all, ['none']), []);
});

test('an answer that was kept equals one that is built anew, whatever changed in between', () => {
  const step = fc.record({
    ip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
    cluster: fc.constantFrom('DEFAULT', 'hz'),
    weight: fc.constantFrom(1, 0.5),
    what: fc.constantFrom('register', 'deregister', 'unhealthy', 'beat'),
    healthyOnly: fc.boolean(),
    isJavaSinceOne: fc.boolean(),
    asked: fc.constantFrom([], ['DEFAULT'], ['hz', 'DEFAULT']),
  });
  const moment = { cacheMs: 3000, nowMs: 1, clusters: '', env: '' };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const registry = new Registry('m1');
      let nowMs = 0;
      for (const { ip, cluster, weight, what, healthyOnly, isJavaSinceOne, asked } of steps) {
        nowMs += 1_000;
        const key = `${ip}:80:${cluster}`;
        if (what === 'register') registry.register(demo, instance(ip, { cluster, weight }), nowMs);
        if (what === 'deregister') registry.deregister(serviceKey(demo), key, nowMs);
        if (what === 'beat') registry.beat(serviceKey(demo), key, nowMs);
        if (what === 'unhealthy') {
          nowMs += 20_000;
          for (const overdue of registry.takeOverdue(nowMs)) registry.judge(overdue, 'unhealthy', nowMs);
        }
        const view = registry.view(serviceKey(demo));
        if (view === undefined) continue;
        const question = { clusterNames: asked, healthyOnly, agent: { isJavaSinceOne } };
        assert.equal(joinList(listParts(view, question), moment), joinList(buildListParts(view, question), moment));
      }
    }),
  );
});
