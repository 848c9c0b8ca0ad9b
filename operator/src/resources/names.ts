import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { GROUP, KIND, VERSION } from '../generated/nacos-cluster.ts';
import type { OwnerReference } from '../kube/objects.ts';

export const NODE_PORT = 8848;
export const PEER_PORT = 7848;
export const SIDECAR_PORT = 9100;
export const ETCD_CLIENT_PORT = 2379;
export const ETCD_PEER_PORT = 2380;
export const ETCD_METRICS_PORT = 2381;

export const MEMBER_LIST_KEY = 'cluster.conf';
export const CLUSTER_KEY_KEY = 'key';
export const DATA_VOLUME = 'data';

/** Names of a NacosCluster's children; its own name has 40 characters at most, so all of these are legal. */
export function childNames(clusterName: string) {
  return {
    memberList: `${clusterName}-members`,
    clusterKey: `${clusterName}-cluster-key`,
    headless: `${clusterName}-headless`,
    vip: clusterName,
    statefulSet: clusterName,
    disruptionBudget: clusterName,
    serviceAccount: `${clusterName}-node`,
    sidecarRole: `${clusterName}-sidecar`,
    pod: (ordinal: number) => `${clusterName}-${ordinal}`,
    claim: (ordinal: number) => `${DATA_VOLUME}-${clusterName}-${ordinal}`,
    etcd: `${clusterName}-etcd`,
    etcdLogin: `${clusterName}-etcd-login`,
  } as const;
}

/** Ordinal of a pod or a claim of the cluster; undefined for what has another name. */
export function ordinalOf(name: string, clusterName: string, prefix = ''): number | undefined {
  const start = `${prefix}${clusterName}-`;
  const rest = name.slice(start.length);
  return name.startsWith(start) && /^\d{1,5}$/.test(rest) ? Number(rest) : undefined;
}

export function headlessHost(cluster: NacosCluster, clusterDomain: string): string {
  return `${childNames(cluster.metadata.name).headless}.${cluster.metadata.namespace}.svc.${clusterDomain}`;
}

/** The identity of a member: its name in the headless Service, for a pod's IP changes with each start. */
export function memberAddress(cluster: NacosCluster, ordinal: number, clusterDomain: string): string {
  return `${cluster.metadata.name}-${ordinal}.${headlessHost(cluster, clusterDomain)}:${NODE_PORT}`;
}

export const COMPONENT_NODE = 'node';
export const COMPONENT_ETCD = 'etcd';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';
export const MANAGED_BY = 'nacos-kube';
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const INSTANCE_LABEL = 'app.kubernetes.io/instance';

/** What selects the pods. A selector can't be changed later, so it holds only what never changes. */
export function selectorLabels(clusterName: string, component = COMPONENT_NODE): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'nacos',
    [INSTANCE_LABEL]: clusterName,
    [COMPONENT_LABEL]: component,
  };
}

export function childLabels(clusterName: string, component = COMPONENT_NODE): Record<string, string> {
  return {
    ...selectorLabels(clusterName, component),
    'app.kubernetes.io/part-of': 'nacos-kube',
    [MANAGED_BY_LABEL]: MANAGED_BY,
  };
}

export function labelSelectorText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

export const CHANGED_AT_ANNOTATION = `${GROUP}/changed-at`;
export const PAUSED_ANNOTATION = `${GROUP}/paused`;
export const RESTARTED_AT_ANNOTATION = `${GROUP}/restartedAt`;
/** On the volumes of a managed etcd, which outlive it: whether its members ever found together. */
export const ETCD_FORMED_ANNOTATION = `${GROUP}/etcd-formed`;

/** Children die with their cluster; volumes have no owner and stay. */
export function ownerReference(cluster: NacosCluster): OwnerReference {
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: KIND,
    name: cluster.metadata.name,
    uid: cluster.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function childMeta(
  cluster: NacosCluster,
  name: string,
  annotations?: Readonly<Record<string, string>>,
  component = COMPONENT_NODE,
) {
  return {
    name,
    namespace: cluster.metadata.namespace ?? 'default',
    labels: childLabels(cluster.metadata.name, component),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations: { ...annotations } } : {}),
    ownerReferences: [ownerReference(cluster)],
  };
}
