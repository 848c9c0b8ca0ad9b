import type { V1Container, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import {
  CLUSTER_KEY_KEY,
  childLabels,
  childNames,
  DATA_VOLUME,
  headlessHost,
  MEMBER_LIST_KEY,
  NODE_PORT,
  PEER_PORT,
  RESTARTED_AT_ANNOTATION,
  SIDECAR_PORT,
  selectorLabels,
} from './names.ts';
import { settingsAsEnv, sidecarSettings } from './settings-env.ts';
import { storageOf } from './storage.ts';
import { storagePodParts } from './storage-pod.ts';

/** What the operator's own settings say about pods. */
export interface PodDefaults {
  /** `repository:tag`, for clusters that name no image. */
  readonly image: string;
  /** Of a managed etcd, for clusters that name no image of it. */
  readonly etcdImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly clusterDomain: string;
}

export const USER_ID = 10001;
/** The entry point of the image, for what is run beside it. */
const IMAGE_PROGRAM = '/app/bin/nacos-kube.ts';
const GRACE_SECONDS = 60;
/** Two minutes to answer at all; how long a node then warms up is for readiness: its snapshot from peers, its configs, a database that is slow. */
const STARTUP_PROBE = { periodSeconds: 2, failureThreshold: 60, timeoutSeconds: 2 };

const SHARED = '/run/nacos-kube';
const CLUSTER_KEY_DIRECTORY = '/etc/nacos-kube/cluster-key';
const MEMBERS_DIRECTORY = '/etc/nacos-kube/members';
const API_TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The pod of one member. Nothing in it names the other members or how many there are, so a change of the member list
 * restarts nobody (docs: environment of node and sidecar in operator/DESIGN.md).
 */
export function podTemplate(cluster: NacosCluster, defaults: PodDefaults): V1PodTemplateSpec {
  const restartedAt = cluster.metadata.annotations?.[RESTARTED_AT_ANNOTATION];
  return {
    metadata: {
      labels: childLabels(cluster.metadata.name),
      annotations: {
        'kubectl.kubernetes.io/default-container': 'node',
        ...(restartedAt === undefined ? {} : { [RESTARTED_AT_ANNOTATION]: restartedAt }),
      },
    },
    spec: podSpec(cluster, defaults),
  };
}

/** `repository:tag` of the cluster, each part from the operator's default where the manifest leaves it out. */
export function imageOf(cluster: NacosCluster, defaultImage: string): { readonly image: string; readonly tag: string } {
  const split = splitImage(defaultImage);
  const repository = cluster.spec.image.repository ?? split.repository;
  const tag = cluster.spec.image.tag ?? split.tag;
  return { image: tag.startsWith('sha256:') ? `${repository}@${tag}` : `${repository}:${tag}`, tag };
}

function splitImage(image: string): { readonly repository: string; readonly tag: string } {
  const digest = image.indexOf('@');
  if (digest >= 0) return { repository: image.slice(0, digest), tag: image.slice(digest + 1) };
  const colon = image.lastIndexOf(':');
  // A colon before the last slash belongs to the registry's port.
  if (colon <= image.lastIndexOf('/')) return { repository: image, tag: 'latest' };
  return { repository: image.slice(0, colon), tag: image.slice(colon + 1) };
}

function podSpec(cluster: NacosCluster, defaults: PodDefaults): V1PodSpec {
  const names = childNames(cluster.metadata.name);
  const { pullSecrets } = cluster.spec.image;
  return {
    serviceAccountName: names.serviceAccount,
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
      // A cluster on one machine is better than none.
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: selectorLabels(cluster.metadata.name) },
    })),
    // A native sidecar: with restartPolicy Always it starts before the node, and the node only once it has written cluster.conf.
    initContainers: [sidecarContainer(cluster, defaults)],
    containers: [nodeContainer(cluster, defaults)],
    volumes: [
      { name: 'shared', emptyDir: { sizeLimit: '16Mi' } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
      { name: 'cluster-key', secret: { secretName: names.clusterKey, defaultMode: 0o440 } },
      { name: 'members', configMap: { name: names.memberList, defaultMode: 0o444 } },
      {
        name: 'api-token',
        projected: {
          defaultMode: 0o440,
          sources: [
            { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            {
              downwardAPI: {
                items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
              },
            },
          ],
        },
      },
      ...storagePodParts(cluster, defaults.clusterDomain).volumes,
    ],
  };
}

/** Environment and files that both programs of a pod are told the same way. */
function sharedEnv(cluster: NacosCluster, defaults: PodDefaults): NonNullable<V1Container['env']> {
  return [
    { name: 'NACOS_KUBE_POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    {
      name: 'NACOS_KUBE_MEMBER',
      value: `$(NACOS_KUBE_POD).${headlessHost(cluster, defaults.clusterDomain)}:${NODE_PORT}`,
    },
    { name: 'NACOS_KUBE_MEMBER_LIST', value: `${SHARED}/${MEMBER_LIST_KEY}` },
    { name: 'NACOS_KUBE_CLUSTER_KEY_FILE', value: `${CLUSTER_KEY_DIRECTORY}/${CLUSTER_KEY_KEY}` },
    { name: 'NACOS_KUBE_SIDECAR_TOKEN_FILE', value: `${SHARED}/sidecar-token` },
  ];
}

function nodeContainer(cluster: NacosCluster, defaults: PodDefaults): V1Container {
  const storage = storagePodParts(cluster, defaults.clusterDomain);
  // The mode follows the store, not the number of replicas: a cluster that grows from 1 to 3 restarts nobody.
  const mode = storageOf(cluster).kind === 'embedded' ? 'standalone' : 'cluster';
  return {
    name: 'node',
    ...imageFields(cluster, defaults),
    args: ['server', '--mode', mode],
    env: [
      ...sharedEnv(cluster, defaults),
      { name: 'MODE', value: mode },
      { name: 'NACOS_KUBE_DATA', value: '/data' },
      { name: 'NACOS_APPLICATION_PORT', value: String(NODE_PORT) },
      ...storage.env,
      ...settingsAsEnv(cluster.spec.settings ?? {}),
    ],
    ports: [
      { name: 'http', containerPort: NODE_PORT, protocol: 'TCP' },
      { name: 'peer', containerPort: PEER_PORT, protocol: 'TCP' },
    ],
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: '/data' },
      { name: 'shared', mountPath: SHARED },
      { name: 'tmp', mountPath: '/tmp', subPath: 'node' },
      { name: 'cluster-key', mountPath: CLUSTER_KEY_DIRECTORY, readOnly: true },
      ...storage.mounts,
    ],
    startupProbe: { httpGet: { path: '/nacos/v1/console/health/liveness', port: 'http' }, ...STARTUP_PROBE },
    livenessProbe: {
      httpGet: { path: '/nacos/v1/console/health/liveness', port: 'http' },
      periodSeconds: 10,
      failureThreshold: 6,
      timeoutSeconds: 5,
    },
    readinessProbe: {
      httpGet: { path: '/nacos/v1/console/health/readiness', port: 'http' },
      periodSeconds: 2,
      failureThreshold: 3,
      timeoutSeconds: 2,
    },
    lifecycle: { preStop: { exec: { command: ['node', IMAGE_PROGRAM, 'drain'] } } },
    resources: resourcesOf(cluster.spec.resources, { cpu: '100m', memory: '256Mi' }, { memory: '1Gi' }),
    securityContext: LOCKED_DOWN,
  };
}

function sidecarContainer(cluster: NacosCluster, defaults: PodDefaults): V1Container {
  const { probe } = cluster.spec.sidecar;
  return {
    name: 'sidecar',
    ...imageFields(cluster, defaults),
    restartPolicy: 'Always',
    args: ['sidecar'],
    env: [
      ...sharedEnv(cluster, defaults),
      { name: 'NACOS_KUBE_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
      { name: 'NACOS_KUBE_CONFIGMAP', value: childNames(cluster.metadata.name).memberList },
      { name: 'NACOS_KUBE_MEMBER_LIST_FALLBACK', value: `${MEMBERS_DIRECTORY}/${MEMBER_LIST_KEY}` },
      { name: 'NACOS_KUBE_NODE_PORT', value: String(NODE_PORT) },
      { name: 'NACOS_KUBE_METRICS_PORT', value: String(SIDECAR_PORT) },
      { name: 'NACOS_KUBE_PROBE_INTERVAL_SECONDS', value: String(probe.intervalSeconds) },
      { name: 'NACOS_KUBE_PROBE_TIMEOUT_MILLISECONDS', value: String(probe.timeoutMilliseconds) },
      ...settingsAsEnv(sidecarSettings(cluster.spec.settings ?? {})),
    ],
    ports: [{ name: 'metrics', containerPort: SIDECAR_PORT, protocol: 'TCP' }],
    volumeMounts: [
      { name: 'shared', mountPath: SHARED },
      { name: 'tmp', mountPath: '/tmp', subPath: 'sidecar' },
      { name: 'cluster-key', mountPath: CLUSTER_KEY_DIRECTORY, readOnly: true },
      { name: 'members', mountPath: MEMBERS_DIRECTORY, readOnly: true },
      { name: 'api-token', mountPath: API_TOKEN_DIRECTORY, readOnly: true },
    ],
    startupProbe: {
      httpGet: { path: '/readyz', port: 'metrics' },
      periodSeconds: 1,
      failureThreshold: 120,
      timeoutSeconds: 2,
    },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'metrics' },
      periodSeconds: 10,
      failureThreshold: 6,
      timeoutSeconds: 5,
    },
    resources: resourcesOf(cluster.spec.sidecar.resources, { cpu: '20m', memory: '96Mi' }, { memory: '256Mi' }),
    securityContext: LOCKED_DOWN,
  };
}

export const LOCKED_DOWN: NonNullable<V1Container['securityContext']> = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
};

/** The product's own image. */
export function imageFields(cluster: NacosCluster, defaults: PodDefaults) {
  return {
    image: imageOf(cluster, defaults.image).image,
    imagePullPolicy: cluster.spec.image.pullPolicy ?? defaults.imagePullPolicy,
  };
}

interface Quantities {
  readonly [name: string]: number | string;
}

/** What the manifest names replaces the default of the same name; a limit below the default request pulls that down. */
export function resourcesOf(
  wanted: { readonly requests?: Quantities; readonly limits?: Quantities } | undefined,
  requests: Quantities,
  limits: Quantities,
): NonNullable<V1Container['resources']> {
  const allLimits = texts({ ...limits, ...wanted?.limits });
  const named = wanted?.limits ?? {};
  const defaults = Object.fromEntries(Object.entries(requests).map(([name, value]) => [name, named[name] ?? value]));
  return { requests: texts({ ...defaults, ...wanted?.requests }), limits: allLimits };
}

function texts(quantities: Quantities): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, String(value)]));
}
