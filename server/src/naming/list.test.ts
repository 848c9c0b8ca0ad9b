import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyBytes } from '@nacos-kube/core/http/answers.ts';
import { type Instance, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { NO_SERVICE_SETTINGS } from '@nacos-kube/core/model/service.ts';
import { parseAgent } from '@nacos-kube/core/wire/naming-agent.ts';
import { clusterNamesOf, joinList } from '@nacos-kube/core/wire/naming-list.ts';
import fc from 'fast-check';
import { answerList, buildListParts, KEPT_ANSWERS_MAX, listText, shownInstances } from './list.ts';
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
  const text = fc.constantFrom('', 'DEFAULT', 'hz', 'hz,DEFAULT', 'none', ' hz , ', ',,', '杭州,hz', '"q"', 'a\\b,😀');
  const metadata = fc.constantFrom(NO_METADATA, new Map([['zone', 'ä"😀']]), new Map<string, null>([['empty', null]]));
  const step = fc.record({
    ip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
    cluster: fc.constantFrom('DEFAULT', 'hz'),
    weight: fc.constantFrom(1, 0.5),
    enabled: fc.boolean(),
    metadata,
    what: fc.constantFrom('register', 'register', 'deregister', 'unhealthy', 'beat', 'set', 'persistent', 'nothing'),
    protectThreshold: fc.constantFrom(0, 0.4, 1),
    questions: fc.array(
      fc.record({
        clusters: text,
        env: text,
        healthyOnly: fc.boolean(),
        agent: fc.constantFrom('Nacos-Java-Client:v1.4.2', 'Nacos-Java-Client:v0.9.0', 'Nacos-Go-Client:v1.0.0', ''),
        cacheMs: fc.constantFrom(3_000, 10_000),
      }),
      { maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const registry = new Registry('m1');
      let nowMs = 0;
      for (const { ip, cluster, what, protectThreshold, questions, ...more } of steps) {
        nowMs += 1_000;
        const key = `${ip}:80:${cluster}`;
        const wanted = { cluster, weight: more.weight, enabled: more.enabled, metadata: more.metadata };
        if (what === 'register') registry.register(demo, instance(ip, wanted), nowMs);
        if (what === 'deregister') registry.deregister(serviceKey(demo), key, nowMs);
        if (what === 'beat') registry.beat(serviceKey(demo), key, nowMs);
        if (what === 'persistent') registry.putPersistent(demo, instance(ip, { ...wanted, ephemeral: false }));
        if (what === 'set') {
          registry.setSettings(demo, { ...NO_SERVICE_SETTINGS, protectThreshold, metadata: more.metadata });
        }
        if (what === 'unhealthy') {
          nowMs += 20_000;
          for (const overdue of registry.takeOverdue(nowMs)) registry.judge(overdue, 'unhealthy', nowMs);
        }
        const view = registry.view(serviceKey(demo));
        if (view === undefined) continue;
        for (const { clusters, env, healthyOnly, agent, cacheMs } of questions) {
          const question = { clusterNames: clusterNamesOf(clusters), healthyOnly, agent: parseAgent(agent) };
          const moment = { cacheMs, nowMs: 1_700_000_000_000 + nowMs, clusters, env };
          const anew = joinList(buildListParts(view, question), moment);
          // Twice, so that one of them comes from what is kept.
          for (let time = 0; time < 2; time++) {
            const answer = answerList(view, question, moment);
            assert.equal(Buffer.from(bodyBytes(answer)).toString(), anew);
            assert.equal(listText(view, question, moment), anew);
          }
          JSON.parse(anew);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('more questions than are kept are answered all the same', () => {
  const registry = new Registry('m1');
  for (let n = 0; n < 3; n++) registry.register(demo, instance(`10.0.0.${n}`, { cluster: `c${n}` }), 0);
  const view = registry.view(serviceKey(demo))!;
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < KEPT_ANSWERS_MAX + 5; n++) {
      const clusters = `c${n}`;
      const question = { clusterNames: [clusters], healthyOnly: false, agent: { isJavaSinceOne: true } };
      const moment = { cacheMs: 3_000, nowMs: n, clusters, env: '' };
      assert.equal(listText(view, question, moment), joinList(buildListParts(view, question), moment));
    }
  }
});
