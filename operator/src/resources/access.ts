import type { V1Role, V1RoleBinding, V1Secret, V1ServiceAccount } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { CLUSTER_KEY_KEY, childMeta, childNames } from './names.ts';

export const CLUSTER_KEY_BYTES = 32;

/** Made once and never rotated here: members that disagree on it can't talk. `key` is base64url of random bytes. */
export function clusterKeySecret(cluster: NacosCluster, key: string): V1Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: childMeta(cluster, childNames(cluster.metadata.name).clusterKey),
    stringData: { [CLUSTER_KEY_KEY]: key },
  };
}

export function serviceAccount(cluster: NacosCluster): V1ServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: childMeta(cluster, childNames(cluster.metadata.name).serviceAccount),
    automountServiceAccountToken: false,
  };
}

/** All that a sidecar may do: read and watch the one ConfigMap with the member list of its own cluster. */
export function sidecarRole(cluster: NacosCluster): V1Role {
  const names = childNames(cluster.metadata.name);
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: childMeta(cluster, names.sidecarRole),
    rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [names.memberList], verbs: ['get', 'watch'] }],
  };
}

export function sidecarRoleBinding(cluster: NacosCluster): V1RoleBinding {
  const names = childNames(cluster.metadata.name);
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: childMeta(cluster, names.sidecarRole),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: names.sidecarRole },
    subjects: [
      { kind: 'ServiceAccount', name: names.serviceAccount, namespace: cluster.metadata.namespace ?? 'default' },
    ],
  };
}
