import type { V1Container, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { quantityBytes } from '../plan/quantity.ts';
import { ETCD_MEMBERS_KEY, ETCD_STATE_KEY } from './etcd.ts';
import {
  COMPONENT_ETCD,
  childLabels,
  childNames,
  DATA_VOLUME,
  ETCD_CLIENT_PORT,
  ETCD_METRICS_PORT,
  ETCD_PEER_PORT,
  RESTARTED_AT_ANNOTATION,
  selectorLabels,
} from './names.ts';
import { imageFields, LOCKED_DOWN, type PodDefaults, resourcesOf, USER_ID } from './pod.ts';
import type { ManagedEtcd } from './storage.ts';

const GRACE_SECONDS = 30;
const LOGIN_DIRECTORY = '/etc/nacos-kube/etcd';
const CONFIG_FILE = '/run/etcd/etcd.json';
const MIB = 1024 * 1024;
const QUOTA_BYTES_MIN = 64 * MIB;
/** etcd's own advice. */
const QUOTA_BYTES_MAX = 8 * 1024 * MIB;

/**
 * A member of the managed etcd. Nothing in it names the others or how many there are, so that their number changes
 * without restarts. It first waits in the init container until it may start (etcd/member-start.ts).
 */
export function etcdPodTemplate(cluster: NacosCluster, managed: ManagedEtcd, defaults: PodDefaults): V1PodTemplateSpec {
  const restartedAt = cluster.metadata.annotations?.[RESTARTED_AT_ANNOTATION];
  return {
    metadata: {
      labels: childLabels(cluster.metadata.name, COMPONENT_ETCD),
      annotations: {
        'kubectl.kubernetes.io/default-container': 'etcd',
        ...(restartedAt === undefined ? {} : { [RESTARTED_AT_ANNOTATION]: restartedAt }),
      },
    },
    spec: podSpec(cluster, managed, defaults),
  };
}

/** Half of the volume: to be defragmented the database is written a second time. */
export function etcdQuotaBytes({ volume }: ManagedEtcd): number {
  const half = Math.floor((quantityBytes(volume.size) ?? 0) / 2);
  return Math.min(QUOTA_BYTES_MAX, Math.max(QUOTA_BYTES_MIN, half));
}

function podSpec(cluster: NacosCluster, managed: ManagedEtcd, defaults: PodDefaults): V1PodSpec {
  const names = childNames(cluster.metadata.name);
  const { pullSecrets } = cluster.spec.image;
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    ...(pullSecrets && pullSecrets.length > 0 ? { imagePullSecrets: pullSecrets.map((name) => ({ name })) } : {}),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: selectorLabels(cluster.metadata.name, COMPONENT_ETCD) },
    })),
    initContainers: [prepareContainer(cluster, managed, defaults)],
    containers: [etcdContainer(cluster, managed, defaults)],
    volumes: [
      { name: 'run', emptyDir: { sizeLimit: '16Mi' } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
      { name: 'login', secret: { secretName: names.etcdLogin, defaultMode: 0o440 } },
    ],
  };
}

function prepareContainer(cluster: NacosCluster, managed: ManagedEtcd, defaults: PodDefaults): V1Container {
  const { etcd } = childNames(cluster.metadata.name);
  const { namespace, uid } = cluster.metadata;
  const fromMap = (key: string) => ({ configMapKeyRef: { name: etcd, key } });
  return {
    name: 'prepare',
    ...imageFields(cluster, defaults),
    args: ['etcd-member', '--user-file', `${LOGIN_DIRECTORY}/user`, '--password-file', `${LOGIN_DIRECTORY}/password`],
    env: [
      { name: 'NACOS_KUBE_POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'NACOS_KUBE_ETCD_DOMAIN', value: `${etcd}.${namespace}.svc.${defaults.clusterDomain}` },
      // A NacosCluster that is made anew under its name is another etcd: old members stay strangers to it.
      { name: 'NACOS_KUBE_ETCD_TOKEN', value: uid ?? etcd },
      { name: 'NACOS_KUBE_ETCD_QUOTA_BYTES', value: String(etcdQuotaBytes(managed)) },
      { name: 'NACOS_KUBE_ETCD_STATE', valueFrom: fromMap(ETCD_STATE_KEY) },
      { name: 'NACOS_KUBE_ETCD_MEMBERS', valueFrom: fromMap(ETCD_MEMBERS_KEY) },
    ],
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: '/data' },
      { name: 'run', mountPath: '/run/etcd' },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'login', mountPath: LOGIN_DIRECTORY, readOnly: true },
    ],
    resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    securityContext: LOCKED_DOWN,
  };
}

function etcdContainer(cluster: NacosCluster, managed: ManagedEtcd, defaults: PodDefaults): V1Container {
  // Answered from the first moment on, with a quorum or without: whoever is cut off must not be killed for it.
  const alive = { httpGet: { path: '/metrics', port: 'metrics' } };
  return {
    name: 'etcd',
    image: managed.image ?? defaults.etcdImage,
    imagePullPolicy: cluster.spec.image.pullPolicy ?? defaults.imagePullPolicy,
    command: ['etcd', '--config-file', CONFIG_FILE],
    ports: [
      { name: 'client', containerPort: ETCD_CLIENT_PORT, protocol: 'TCP' },
      { name: 'peer', containerPort: ETCD_PEER_PORT, protocol: 'TCP' },
      { name: 'metrics', containerPort: ETCD_METRICS_PORT, protocol: 'TCP' },
    ],
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: '/data' },
      { name: 'run', mountPath: '/run/etcd', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    // A large database is read before anything is answered.
    startupProbe: { ...alive, periodSeconds: 1, failureThreshold: 300, timeoutSeconds: 2 },
    livenessProbe: { ...alive, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    // A linearizable read; a full database still reads.
    readinessProbe: {
      httpGet: { path: '/health?exclude=NOSPACE', port: 'metrics' },
      periodSeconds: 2,
      failureThreshold: 3,
      timeoutSeconds: 3,
    },
    resources: resourcesOf(managed.resources, { cpu: '100m', memory: '256Mi' }, { memory: '2Gi' }),
    securityContext: LOCKED_DOWN,
  };
}
