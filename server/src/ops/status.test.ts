import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { NO_SWITCHES } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { Registry } from '../naming/registry.ts';
import { COUNTS_KEPT_MS, NodeStatus } from './status.ts';

const instance = (n: number, ephemeral: boolean) => ({
  ...{ ip: `10.0.0.${n}`, port: 80, cluster: 'DEFAULT', weight: 1, healthy: true, enabled: true, ephemeral },
  ...{ metadata: NO_METADATA, instanceId: `${n}`, app: '' },
});

test('services are counted once a second at most, however often anybody asks', async () => {
  const host = new FakeHost();
  const registry = new Registry('m1');
  const asked: string[] = [];
  const status = new NodeStatus({
    ...{ clock: host.clock, registry, switches: NO_SWITCHES, machine: host.machine, isReady: () => true },
    isOwn(service) {
      asked.push(service);
      return service.endsWith('mine');
    },
  });
  for (const name of ['g@@mine', 'g@@theirs']) {
    registry.register({ namespaceId: 'public', name }, instance(1, true), 0);
    registry.putPersistent({ namespaceId: 'public', name }, instance(2, false));
  }
  for (let i = 0; i < 10; i++) status.describe();
  assert.equal(asked.length, 2);
  const { serviceCount, instanceCount, responsibleServiceCount, responsibleInstanceCount } = status.describe();
  const counts = [serviceCount, instanceCount, responsibleServiceCount, responsibleInstanceCount];
  assert.deepEqual(counts, [2, 4, 1, 2]);
  registry.register({ namespaceId: 'public', name: 'g@@mine' }, instance(3, true), 0);
  await host.advance(COUNTS_KEPT_MS);
  assert.equal(status.describe().responsibleInstanceCount, 3);
});
