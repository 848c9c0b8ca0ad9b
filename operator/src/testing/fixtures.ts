import { isoTime, parseIsoTime } from '@nacos-kube/core/host/time.ts';
import type { NacosCluster, NacosClusterSpec } from '../generated/nacos-cluster.ts';
import type { Pod, StatefulSet } from '../kube/objects.ts';
import type { PodDefaults } from '../resources/pod.ts';
import type { MemberReport, Snapshot } from '../snapshot.ts';

export const NOW = parseIsoTime('2026-01-31T10:00:00Z') as number;

export const DEFAULTS: PodDefaults = {
  image: 'registry.local:5000/nacos-kube:0.1.0',
  etcdImage: 'quay.io/coreos/etcd:v3.6.5',
  imagePullPolicy: 'IfNotPresent',
  clusterDomain: 'cluster.local',
};

export const MYSQL = {
  mysql: { host: 'db', port: 3306, database: 'nacos', secretName: 'db-login', volume: { size: '1Gi' } },
} as const satisfies NacosClusterSpec['storage'];

/** A NacosCluster as the API server hands it out, with its defaults filled in. */
export function aCluster(spec: Partial<NacosClusterSpec> = {}, rest: Partial<NacosCluster> = {}): NacosCluster {
  return {
    apiVersion: 'nacos-kube.dev/v1alpha1',
    kind: 'NacosCluster',
    metadata: { name: 'demo', namespace: 'shop', uid: 'cluster-uid', generation: 1, resourceVersion: '10' },
    spec: {
      replicas: 3,
      image: {},
      auth: { enabled: false },
      storage: MYSQL,
      vip: { type: 'ClusterIP', port: 8848 },
      sidecar: { probe: { intervalSeconds: 5, timeoutMilliseconds: 500 } },
      ...spec,
    },
    ...rest,
  };
}

export function aSnapshot(cluster: NacosCluster, rest: Partial<Snapshot> = {}): Snapshot {
  return {
    cluster,
    memberList: undefined,
    statefulSet: undefined,
    disruptionBudget: undefined,
    hasClusterKey: true,
    databaseSecretProblem: undefined,
    claims: [],
    pods: [],
    reports: new Map(),
    etcd: undefined,
    ...rest,
  };
}

export function aStatefulSet(replicas: number, revision = 'r1', rest: Partial<StatefulSet> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'demo', namespace: 'shop', uid: 'set-uid', generation: 1, resourceVersion: '20' },
    spec: { replicas },
    status: { observedGeneration: 1, replicas, updateRevision: revision },
    ...rest,
  };
}

export interface PodWish {
  readonly isReady?: boolean;
  readonly revision?: string;
  readonly readySinceMs?: number;
  readonly isTerminating?: boolean;
}

export function aPod(ordinal: number, wish: PodWish = {}): Pod {
  const { isReady = true, revision = 'r1', readySinceMs = NOW - 60_000, isTerminating = false } = wish;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `demo-${ordinal}`,
      namespace: 'shop',
      uid: `pod-uid-${ordinal}`,
      labels: { 'controller-revision-hash': revision, 'app.kubernetes.io/instance': 'demo' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'demo', uid: 'set-uid', controller: true }],
      ...(isTerminating ? { deletionTimestamp: isoTime(NOW) } : {}),
    },
    status: {
      podIP: `10.244.0.${10 + ordinal}`,
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: isoTime(readySinceMs) }],
    },
  };
}

export function address(ordinal: number): string {
  return `demo-${ordinal}.demo-headless.shop.svc.cluster.local:8848`;
}

/** What a member reports that obeys a list of so many. */
export function aReport(count: number): MemberReport {
  return {
    isReady: true,
    members: Array.from({ length: count }, (_, i) => ({ address: address(i), state: 'UP', version: '0.1.0' })),
  };
}

export function reportsOf(ordinals: readonly number[], count: number): ReadonlyMap<string, MemberReport> {
  return new Map(ordinals.map((ordinal) => [`demo-${ordinal}`, aReport(count)]));
}

/** The object as the API server would hold it after the apply: plus what it adds. */
export function asStored<T>(object: object, resourceVersion: string): T {
  const copy = JSON.parse(JSON.stringify(object)) as { metadata: Record<string, unknown> };
  copy.metadata.resourceVersion = resourceVersion;
  return copy as T;
}
