import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, NetworkError } from '@nacos-kube/core/host/host.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { EtcdGateway } from './etcd/gateway.ts';
import { observeEtcd } from './etcd-reports.ts';
import type { KubeApi } from './kube/api.ts';
import type { Mirror } from './kube/mirror.ts';
import type { KubeObject, OwnerReference, Pod } from './kube/objects.ts';
import { CONFIG_MAPS, type ResourceType, SECRETS } from './kube/resource-types.ts';
import { ownerReference } from './resources/names.ts';
import { anEtcdCluster, etcdMember, etcdPod, etcdReport, etcdSet } from './testing/etcd-fixtures.ts';

const CLUSTER = anEtcdCluster();

/** What is seen of an etcd that serves, and whose objects belong to that NacosCluster. */
function seen(
  owner: OwnerReference | undefined,
  pods: readonly Pod[] = [0, 1, 2].map((ordinal) => etcdPod(ordinal)),
  memberId = '100',
  calls: Partial<EtcdGateway> = {},
) {
  const owned = <T extends KubeObject>(object: T): T =>
    owner === undefined ? object : { ...object, metadata: { ...object.metadata, ownerReferences: [owner] } };
  const api = {
    get: async ({ plural }: ResourceType) => {
      if (plural === SECRETS.plural) return { data: { user: 'cm9vdA==', password: 'cA==' } };
      if (plural !== CONFIG_MAPS.plural) return owned(etcdSet(3));
      return owned({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'demo-etcd' } });
    },
  } as unknown as KubeApi;
  const gateway = {
    status: async () => etcdReport(0, { memberId }),
    members: async () => [0, 1, 2].map((ordinal) => etcdMember(ordinal)),
    isGuarded: async () => true,
    alarms: async () => [],
    ...calls,
  } as unknown as EtcdGateway;
  const mirror = { get: () => undefined } as unknown as Mirror;
  return observeEtcd(new FakeHost(), api, mirror, gateway, CLUSTER, pods);
}

test('an etcd that serves is heard', async () => {
  for (const owner of [ownerReference(CLUSTER), undefined]) {
    const found = await seen(owner);
    assert.deepEqual([found?.members?.length, found?.reports.size, found?.guard], [3, 3, 'on']);
    assert.ok(found?.settings && found.statefulSet);
  }
});

test('what a NacosCluster of the same name left behind, and is on its way out, is not taken for that of this one', async () => {
  const found = await seen({ ...ownerReference(CLUSTER), uid: 'the-one-before' });
  assert.deepEqual([found?.settings, found?.statefulSet], [undefined, undefined]);
  assert.deepEqual([found?.members, found?.reports.size, found?.guard], [undefined, 0, 'unknown']);
});

test('a pod of a StatefulSet before this one is not asked', async () => {
  const old = etcdPod(0);
  const pod = { ...old, metadata: { ...old.metadata, ownerReferences: [] } };
  assert.equal((await seen(ownerReference(CLUSTER), [pod]))?.members, undefined);
});

test('a list without who tells it is not listened to: it is an old one, or of another cluster', async () => {
  const found = await seen(ownerReference(CLUSTER), [etcdPod(0)], '999');
  assert.deepEqual([found?.members, found?.guard, found?.reports.size], [undefined, 'unknown', 1]);
});

test('what one member alone is asked for another one is asked when it falls silent', async () => {
  const alarm = { memberId: '102', alarm: 'NOSPACE' } as const;
  const silent = async ({ address }: Endpoint) => {
    if (address === '10.244.1.10') throw new NetworkError('timeout', 'no answer');
    return [alarm];
  };
  const asked: string[] = [];
  const isGuarded = async ({ address }: Endpoint) => {
    asked.push(address);
    return true;
  };
  const found = await seen(undefined, undefined, undefined, { alarms: silent, isGuarded });
  assert.deepEqual([found?.alarms, found?.guard, found?.members?.length], [[alarm], 'on', 3]);
  assert.deepEqual(asked, ['10.244.1.10', '10.244.1.11'], 'each costs a password hash');
});
