import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import type { Pod } from '../kube/objects.ts';
import { aCluster } from '../testing/fixtures.ts';
import { wishOf } from './wish.ts';

const NEAR = aCluster();
const FAR = aCluster({}, { metadata: { name: 'far', namespace: 'other', uid: 'far-uid' } });
const SECOND = aCluster({}, { metadata: { name: 'second', namespace: 'shop', uid: 'second-uid' } });

function pod(annotations: Record<string, string> = {}, rest: Partial<Pod> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'greeter-1',
      namespace: 'shop',
      uid: 'pod-uid',
      labels: { app: 'greeter' },
      annotations: Object.fromEntries(
        Object.entries({ register: 'true', ...annotations }).map(([key, value]) => [`nacos-kube.dev/${key}`, value]),
      ),
    },
    spec: { containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }] },
    status: { podIP: '10.244.1.5', conditions: [{ type: 'Ready', status: 'True' }] },
    ...rest,
  };
}

function refusal(
  annotations: Record<string, string>,
  clusters: readonly NacosCluster[] = [NEAR],
  one = pod(annotations),
) {
  const wish = wishOf(one, clusters);
  return wish.kind === 'refused' ? wish.why : wish.kind;
}

test('labels, ports and the one cluster of the namespace stand in for annotations', () => {
  assert.deepEqual(wishOf(pod(), [NEAR, FAR]), {
    kind: 'wanted',
    registration: {
      clusterKey: 'shop/demo',
      namespaceId: 'public',
      service: 'DEFAULT_GROUP@@greeter',
      ip: '10.244.1.5',
      port: 8080,
      cluster: 'DEFAULT',
      weight: 1,
      metadata: {
        'nacos-kube.dev/owner': 'cluster-uid',
        'nacos-kube.dev/pod': 'shop/greeter-1',
        'nacos-kube.dev/pod-uid': 'pod-uid',
      },
    },
  });
});

test('annotations say it all', () => {
  const wish = wishOf(
    pod({
      cluster: 'other/far',
      'service-name': 'hello',
      port: '9000',
      group: 'G',
      'namespace-id': 'ns1',
      'cluster-name': 'HZ',
      weight: '2.5',
      'metadata.version': 'v1',
    }),
    [NEAR, FAR],
  );
  assert.equal(wish.kind, 'wanted');
  if (wish.kind !== 'wanted') return;
  const { metadata, ...rest } = wish.registration;
  assert.deepEqual(rest, {
    clusterKey: 'other/far',
    namespaceId: 'ns1',
    service: 'G@@hello',
    ip: '10.244.1.5',
    port: 9000,
    cluster: 'HZ',
    weight: 2.5,
  });
  assert.equal(metadata.version, 'v1');
});

test('a pod that is not ready, is leaving or does not ask wants nothing', () => {
  assert.equal(wishOf(pod({ register: 'false' }), [NEAR]).kind, 'none');
  assert.equal(wishOf(pod({}, { status: { podIP: '10.0.0.1' } }), [NEAR]).kind, 'none');
  const leaving = pod();
  assert.equal(
    wishOf({ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: 'now' } }, [NEAR]).kind,
    'none',
  );
});

const REFUSED: readonly (readonly [string, Record<string, string>, RegExp, (readonly NacosCluster[])?])[] = [
  ['no cluster anywhere near', {}, /name one elsewhere/, [FAR]],
  ['two clusters in the namespace', {}, /has 2 NacosClusters: name one/, [NEAR, SECOND]],
  ['a cluster that is not there', { cluster: 'nope' }, /there is no NacosCluster shop\/nope/],
  ['a port that is none', { port: '80abc' }, /port to a number from 1 to 65535/],
  ['port 0', { port: '0' }, /port to a number from 1 to 65535/],
  ['a port beyond', { port: '65536' }, /port to a number from 1 to 65535/],
  ['a weight that is none', { weight: 'NaN' }, /weight must be a number/],
  ['an infinite weight', { weight: '1e999' }, /weight must be a number/],
  ['a negative weight', { weight: '-1' }, /weight must be a number/],
  ['a service with blanks', { 'service-name': 'a b' }, /may have letters/],
  ['a group inside the name', { 'service-name': 'G@@s' }, /may have letters/],
  ['a cluster name with dots', { 'cluster-name': 'a.b' }, /cluster-name may have/],
];
for (const [name, annotations, expected, clusters] of REFUSED) {
  test(`${name} is refused and says what to do`, () => assert.match(refusal(annotations, clusters), expected));
}

test('without a port anywhere it is refused', () => {
  assert.match(refusal({}, [NEAR], pod({}, { spec: { containers: [] } })), /set the annotation nacos-kube.dev\/port/);
});
