import type {
  V1ConfigMap,
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1Secret,
  V1Service,
  V1StatefulSet,
} from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import type { PersistentVolumeClaim } from '../kube/objects.ts';
import { etcdPodTemplate } from './etcd-pod.ts';
import {
  COMPONENT_ETCD,
  childMeta,
  childNames,
  DATA_VOLUME,
  ETCD_CLIENT_PORT,
  ETCD_METRICS_PORT,
  ETCD_PEER_PORT,
  selectorLabels,
} from './names.ts';
import type { PodDefaults } from './pod.ts';
import { bareTemplate } from './stateful-set.ts';
import type { ManagedEtcd } from './storage.ts';

export const ETCD_USER = 'root';
export const ETCD_STATE_KEY = 'state';
export const ETCD_MEMBERS_KEY = 'members';

function etcdMeta(cluster: NacosCluster, name: string = childNames(cluster.metadata.name).etcd) {
  return childMeta(cluster, name, undefined, COMPONENT_ETCD);
}

/**
 * Made once: etcd keeps a hash of the password, and the nodes read it when they start. It has no owner, so that it stays
 * as long as the volumes, which nobody could open without it.
 */
export function etcdLoginSecret(cluster: NacosCluster, password: string): V1Secret {
  const { ownerReferences: _none, ...metadata } = etcdMeta(cluster, childNames(cluster.metadata.name).etcdLogin);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata,
    stringData: { user: ETCD_USER, password },
  };
}

/** What a member is told when it starts and may change without restarting anybody: hence not in the pod's template. */
export function etcdConfigMap(cluster: NacosCluster, isFormed: boolean, members: number): V1ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: etcdMeta(cluster),
    data: { [ETCD_STATE_KEY]: isFormed ? 'existing' : 'new', [ETCD_MEMBERS_KEY]: String(members) },
  };
}

/** Names of the members; of those that are not ready too, for they find each other by it. */
export function etcdService(cluster: NacosCluster): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: etcdMeta(cluster),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selectorLabels(cluster.metadata.name, COMPONENT_ETCD),
      ports: [
        { name: 'client', port: ETCD_CLIENT_PORT, targetPort: ETCD_CLIENT_PORT, protocol: 'TCP' },
        { name: 'peer', port: ETCD_PEER_PORT, targetPort: ETCD_PEER_PORT, protocol: 'TCP' },
        { name: 'metrics', port: ETCD_METRICS_PORT, targetPort: ETCD_METRICS_PORT, protocol: 'TCP' },
      ],
    } as NonNullable<V1Service['spec']>,
  };
}

/** A drain takes one member at a time, so that it never takes the quorum. */
export function etcdDisruptionBudget(cluster: NacosCluster): V1PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: etcdMeta(cluster),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(cluster.metadata.name, COMPONENT_ETCD) },
    },
  };
}

/** Clients of etcd are the nodes and operators, its peers the other members; everybody may read its metrics. */
export function etcdNetworkPolicy(cluster: NacosCluster): V1NetworkPolicy {
  const { name } = cluster.metadata;
  const members = { podSelector: { matchLabels: selectorLabels(name, COMPONENT_ETCD) } };
  const nodes = { podSelector: { matchLabels: selectorLabels(name) } };
  const operators = {
    namespaceSelector: {},
    podSelector: {
      matchLabels: { 'app.kubernetes.io/name': 'nacos-kube', 'app.kubernetes.io/component': 'operator' },
    },
  };
  const to = (port: number, from: object[]) => ({
    ports: [{ port, protocol: 'TCP' }],
    ...(from.length > 0 ? { from } : {}),
  });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: etcdMeta(cluster),
    spec: {
      podSelector: { matchLabels: selectorLabels(name, COMPONENT_ETCD) },
      policyTypes: ['Ingress'],
      ingress: [
        to(ETCD_CLIENT_PORT, [nodes, members, operators]),
        to(ETCD_PEER_PORT, [members]),
        to(ETCD_METRICS_PORT, []),
      ],
    } as unknown as NonNullable<V1NetworkPolicy['spec']>,
  };
}

/**
 * Members start in parallel, for the first ones need each other, and are replaced by the operator alone. The volume of
 * one that is scaled away goes with it: what it holds is of a number that never comes back.
 */
export function etcdStatefulSet(
  cluster: NacosCluster,
  managed: ManagedEtcd,
  wish: { readonly replicas: number; readonly claimTemplates?: readonly PersistentVolumeClaim[] },
  defaults: PodDefaults,
): V1StatefulSet {
  const { etcd } = childNames(cluster.metadata.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: etcdMeta(cluster),
    spec: {
      replicas: wish.replicas,
      serviceName: etcd,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorLabels(cluster.metadata.name, COMPONENT_ETCD) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
      template: etcdPodTemplate(cluster, managed, defaults),
      volumeClaimTemplates: (wish.claimTemplates?.map(bareTemplate) ?? [claimTemplate(cluster, managed)]) as never,
    },
  };
}

function claimTemplate(cluster: NacosCluster, { volume }: ManagedEtcd) {
  const { size, storageClassName } = volume;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: DATA_VOLUME, labels: selectorLabels(cluster.metadata.name, COMPONENT_ETCD) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClassName === undefined ? {} : { storageClassName }),
      resources: { requests: { storage: size } },
    },
  };
}
