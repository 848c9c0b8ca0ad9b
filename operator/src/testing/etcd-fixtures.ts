import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { EtcdMember } from '../etcd/gateway.ts';
import type { NacosCluster, NacosClusterSpec } from '../generated/nacos-cluster.ts';
import type { ConfigMap, Pod, StatefulSet } from '../kube/objects.ts';
import type { EtcdReport, EtcdSnapshot } from '../snapshot.ts';
import { aCluster, NOW, type PodWish } from './fixtures.ts';

/** A NacosCluster with a managed etcd of so many members, on its way for a while. */
export function anEtcdCluster(members = 3, rest: Partial<NacosClusterSpec> = {}): NacosCluster {
  const storage = {
    etcd: { managed: { members, volume: { size: '4Gi' } }, prefix: '/nacos-kube/', volume: { size: '1Gi' } },
  };
  return aCluster(
    { storage, ...rest },
    { status: { readyReplicas: 3, storage: { kind: 'etcd', managed: true, formed: true } } },
  );
}

export function etcdMember(ordinal: number, hasStarted = true, isLearner = false): EtcdMember {
  const host = `demo-etcd-${ordinal}.demo-etcd.shop.svc.cluster.local`;
  return {
    id: String(100 + ordinal),
    name: hasStarted ? `demo-etcd-${ordinal}` : '',
    peerUrls: [`http://${host}:2380`],
    clientUrls: hasStarted ? [`http://${host}:2379`] : [],
    isLearner,
  };
}

interface EtcdPodWish extends PodWish {
  readonly isInitialized?: boolean;
  readonly initializedSinceMs?: number;
  /** How often its etcd has ended. */
  readonly restarts?: number;
}

export function etcdPod(ordinal: number, wish: EtcdPodWish = {}): Pod {
  const {
    isInitialized = true,
    isReady = true,
    revision = 'r1',
    readySinceMs = NOW - 60_000,
    isTerminating = false,
    initializedSinceMs = readySinceMs,
    restarts = 0,
  } = wish;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `demo-etcd-${ordinal}`,
      namespace: 'shop',
      uid: `etcd-uid-${ordinal}`,
      labels: { 'controller-revision-hash': revision },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'demo-etcd', uid: 'etcd-set', controller: true },
      ],
      ...(isTerminating ? { deletionTimestamp: isoTime(NOW) } : {}),
    },
    status: {
      podIP: `10.244.1.${10 + ordinal}`,
      conditions: [
        {
          type: 'Initialized',
          status: isInitialized ? 'True' : 'False',
          lastTransitionTime: isoTime(initializedSinceMs),
        },
        { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: isoTime(readySinceMs) },
      ],
      containerStatuses: [{ name: 'etcd', restartCount: restarts }],
    },
  };
}

export function etcdReport(ordinal: number, rest: Partial<EtcdReport> = {}): EtcdReport {
  return {
    address: `10.244.1.${10 + ordinal}`,
    clusterId: '77',
    memberId: String(100 + ordinal),
    leaderId: '100',
    version: '3.6.5',
    dbBytes: 20_480,
    dbBytesInUse: 16_384,
    ...rest,
  };
}

export function etcdReports(count: number, rest: Partial<EtcdReport> = {}): ReadonlyMap<string, EtcdReport> {
  return new Map(upTo(count).map((ordinal) => [`demo-etcd-${ordinal}`, etcdReport(ordinal, rest)]));
}

export function etcdSet(replicas: number, revision = 'r1'): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'demo-etcd', namespace: 'shop', uid: 'etcd-set', generation: 1, resourceVersion: '40' },
    spec: { replicas },
    status: { observedGeneration: 1, replicas, updateRevision: revision },
  };
}

/** An etcd of so many members, all as they shall be; `demo-etcd-0` leads. */
export function anEtcd(count = 3, rest: Partial<EtcdSnapshot> = {}): EtcdSnapshot {
  return {
    settings: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'demo-etcd' },
      data: { state: 'existing' },
    } as ConfigMap,
    statefulSet: etcdSet(count),
    disruptionBudget: undefined,
    hasLogin: true,
    pods: upTo(count).map((ordinal) => etcdPod(ordinal)),
    members: upTo(count).map((ordinal) => etcdMember(ordinal)),
    alarms: [],
    guard: 'on',
    reports: etcdReports(count),
    ...rest,
  };
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, ordinal) => ordinal);
}
