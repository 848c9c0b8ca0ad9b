import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError } from '@nacos-kube/core/settings.ts';
import { readSidecarSettings } from './read.ts';

const read = (env: Record<string, string>, flags: Record<string, string> = {}) =>
  readSidecarSettings({ env, flags, properties: new Map() });

/** What operator/src/resources/pod.ts gives the container. */
const POD = {
  NACOS_KUBE_MEMBER: 'demo-0.demo-headless.shop.svc.cluster.local:8848',
  NACOS_KUBE_MEMBER_LIST: '/run/nacos-kube/cluster.conf',
  NACOS_KUBE_SIDECAR_TOKEN_FILE: '/run/nacos-kube/sidecar-token',
  NACOS_KUBE_NAMESPACE: 'shop',
  NACOS_KUBE_CONFIGMAP: 'demo-members',
  NACOS_KUBE_MEMBER_LIST_FALLBACK: '/etc/nacos-kube/members/cluster.conf',
  NACOS_KUBE_NODE_PORT: '8848',
  NACOS_KUBE_METRICS_PORT: '9100',
  NACOS_KUBE_PROBE_INTERVAL_SECONDS: '5',
  NACOS_KUBE_PROBE_TIMEOUT_MILLISECONDS: '500',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT: '443',
};

test('the environment of the pod says all', () => {
  const settings = read(POD);
  assert.deepEqual(settings.source, {
    kind: 'configmap',
    address: '10.96.0.1',
    port: 443,
    kubeNamespace: 'shop',
    name: 'demo-members',
    authorityFile: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
    tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    fallbackFile: '/etc/nacos-kube/members/cluster.conf',
  });
  assert.equal(settings.probeIntervalMs, 5_000);
});

test('with a file as the source no Kubernetes is needed', () => {
  const files = { memberList: 'a', sidecarTokenFile: 'b', memberListSource: 'c' };
  assert.deepEqual(read({}, files).source, { kind: 'file', file: 'c' });
});

test('all that is missing is told at once', () => {
  assert.throws(
    () => read({ NACOS_KUBE_CONFIGMAP: 'demo-members' }),
    (error) =>
      error instanceof SettingsError &&
      error.problems.length === 4 &&
      error.problems.every((problem) => problem.startsWith('--')),
  );
});
