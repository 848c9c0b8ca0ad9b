import type { V1StatefulSet } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import type { PersistentVolumeClaim } from '../kube/objects.ts';
import { childMeta, childNames, DATA_VOLUME, selectorLabels } from './names.ts';
import type { PodDefaults } from './pod.ts';
import { podTemplate } from './pod.ts';
import { storageOf } from './storage.ts';

export interface StatefulSetWish {
  readonly replicas: number;
  /** Claim templates of the one that exists: they can't be changed, so what is there is repeated. */
  readonly claimTemplates?: readonly PersistentVolumeClaim[];
  /** Set where the write must fail on a stale view, i.e. where it takes pods away. */
  readonly resourceVersion?: string;
}

/**
 * Pods start in parallel, for none needs another to start (F18), and are replaced one at a time by the operator
 * (`OnDelete`), which waits for more than a readiness probe.
 */
export function statefulSet(cluster: NacosCluster, wish: StatefulSetWish, defaults: PodDefaults): V1StatefulSet {
  const names = childNames(cluster.metadata.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      ...childMeta(cluster, names.statefulSet),
      ...(wish.resourceVersion === undefined ? {} : { resourceVersion: wish.resourceVersion }),
    } as NonNullable<V1StatefulSet['metadata']>,
    spec: {
      replicas: wish.replicas,
      serviceName: names.headless,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorLabels(cluster.metadata.name) },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: podTemplate(cluster, defaults),
      volumeClaimTemplates: (wish.claimTemplates?.map(bareTemplate) ?? [claimTemplate(cluster)]) as never,
    },
  };
}

function claimTemplate(cluster: NacosCluster) {
  const { size, storageClassName } = storageOf(cluster).volume;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: DATA_VOLUME, labels: selectorLabels(cluster.metadata.name) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClassName === undefined ? {} : { storageClassName }),
      resources: { requests: { storage: size } },
    },
  };
}

/** Only what may be applied: without the status and times that the API server added. */
export function bareTemplate(template: PersistentVolumeClaim) {
  const { name, labels } = template.metadata;
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, labels }, spec: template.spec };
}

/** The wish for a larger volume; the storage class decides whether it can be had. */
export function claimSize(
  cluster: NacosCluster,
  claimName: string,
  size: string,
  annotations?: Readonly<Record<string, string>>,
) {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName,
      namespace: cluster.metadata.namespace ?? 'default',
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: { resources: { requests: { storage: size } } },
  };
}
