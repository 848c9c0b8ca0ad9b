import { DEFAULT_CLUSTER, DEFAULT_GROUP, groupedName, PUBLIC_NAMESPACE } from '@nacos-kube/core/model/names.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { GROUP } from '../generated/nacos-cluster.ts';
import type { ObjectKey, Pod } from '../kube/objects.ts';
import { isPodReady, isTerminating, objectKey } from '../kube/objects.ts';

const REGISTER = `${GROUP}/register`;
const METADATA_PREFIX = `${GROUP}/metadata.`;
/** The marks of ownership in an instance's metadata: by them alone we know what we may remove. */
export const OWNER_MARK = `${GROUP}/owner`;
export const POD_MARK = `${GROUP}/pod`;
export const POD_UID_MARK = `${GROUP}/pod-uid`;
const METADATA_MAX = 64;

/** A persistent instance that shall stand in a registry as long as its pod is ready. */
export interface Registration {
  /** `kubeNamespace/name` of the NacosCluster. */
  readonly clusterKey: ObjectKey;
  readonly namespaceId: string;
  /** `GROUP@@service`. */
  readonly service: string;
  readonly ip: string;
  readonly port: number;
  readonly cluster: string;
  readonly weight: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export type Wish =
  | { readonly kind: 'none' }
  | { readonly kind: 'wanted'; readonly registration: Registration }
  /** The pod asks for it, but not so that it can be done. */
  | { readonly kind: 'refused'; readonly why: string };

/** What the annotations of a pod ask for, as long as it is Ready and not on its way out. */
export function wishOf(pod: Pod, clusters: readonly NacosCluster[]): Wish {
  const { annotations = {} } = pod.metadata;
  if (annotations[REGISTER] !== 'true') return { kind: 'none' };
  const ip = pod.status?.podIP;
  if (!isPodReady(pod) || isTerminating(pod) || ip === undefined) return { kind: 'none' };

  const cluster = chooseCluster(pod, clusters);
  if (typeof cluster === 'string') return { kind: 'refused', why: cluster };
  const asked = readAnnotations(pod);
  const why = problemOf(asked);
  if (why !== undefined) return { kind: 'refused', why };
  return {
    kind: 'wanted',
    registration: {
      clusterKey: objectKey(cluster.metadata),
      namespaceId: asked.namespaceId,
      service: groupedName(asked.group, asked.name as string),
      ip,
      port: Number(asked.port),
      cluster: asked.clusterName,
      weight: Number(asked.weight),
      metadata: {
        ...asked.metadata,
        [OWNER_MARK]: cluster.metadata.uid ?? '',
        [POD_MARK]: objectKey(pod.metadata),
        [POD_UID_MARK]: pod.metadata.uid ?? '',
      },
    },
  };
}

interface Asked {
  readonly name: string | undefined;
  readonly group: string;
  readonly namespaceId: string;
  readonly clusterName: string;
  readonly port: string | undefined;
  readonly weight: string;
  readonly metadata: Readonly<Record<string, string>>;
}

function readAnnotations(pod: Pod): Asked {
  const { annotations = {}, labels = {} } = pod.metadata;
  const read = (name: string) => annotations[`${GROUP}/${name}`]?.trim() || undefined;
  return {
    name: read('service-name') ?? labels['app.kubernetes.io/name'] ?? labels.app,
    group: read('group') ?? DEFAULT_GROUP,
    namespaceId: read('namespace-id') ?? PUBLIC_NAMESPACE,
    clusterName: read('cluster-name') ?? DEFAULT_CLUSTER,
    port: read('port') ?? firstPort(pod),
    weight: read('weight') ?? '1',
    metadata: metadataOf(annotations),
  };
}

/** What is wrong and what to do about it. A registry would refuse it each time, so it is not asked. */
function problemOf({ name, group, clusterName, port, weight, metadata }: Asked): string | undefined {
  if (name === undefined) return `set the annotation ${GROUP}/service-name: the pod has no label to take it from`;
  if (!isName(name) || !isName(group)) {
    return `${GROUP}/service-name and group may have letters, digits and . : _ - only: ${JSON.stringify(`${group} ${name}`)}`;
  }
  if (!/^[0-9a-zA-Z-]{1,64}$/.test(clusterName)) {
    return `${GROUP}/cluster-name may have letters, digits and - only: ${JSON.stringify(clusterName)}`;
  }
  if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    return `set the annotation ${GROUP}/port to a number from 1 to 65535: ${JSON.stringify(port ?? 'none')}`;
  }
  if (!(Number(weight) >= 0 && Number(weight) <= 10_000)) {
    return `${GROUP}/weight must be a number from 0 to 10000: ${JSON.stringify(weight)}`;
  }
  if (Object.keys(metadata).length > METADATA_MAX)
    return `${METADATA_PREFIX}* may name ${METADATA_MAX} entries at most`;
  return undefined;
}

/** What makes an instance one and the same in a registry, with the registry. */
export function identityOf(registration: Omit<Registration, 'weight' | 'metadata'>): string {
  const { clusterKey, namespaceId, service, ip, port, cluster } = registration;
  return JSON.stringify([clusterKey, namespaceId, service, ip, port, cluster]);
}

export function isSameRegistration(one: Registration, other: Registration): boolean {
  return toText(one) === toText(other);
}

function toText(registration: Registration): string {
  return JSON.stringify([identityOf(registration), registration.weight, Object.entries(registration.metadata).sort()]);
}

/** The cluster, or why there is none. */
function chooseCluster(pod: Pod, clusters: readonly NacosCluster[]): NacosCluster | string {
  const named = pod.metadata.annotations?.[`${GROUP}/cluster`]?.trim();
  const { namespace } = pod.metadata;
  if (named) {
    const key = named.includes('/') ? named : `${namespace}/${named}`;
    const found = clusters.find((cluster) => objectKey(cluster.metadata) === key);
    return found ?? `there is no NacosCluster ${key}: correct the annotation ${GROUP}/cluster or make it`;
  }
  const near = clusters.filter((cluster) => cluster.metadata.namespace === namespace);
  if (near.length === 1) return near[0] as NacosCluster;
  return near.length === 0
    ? `there is no NacosCluster in ${namespace}: name one elsewhere with the annotation ${GROUP}/cluster: namespace/name`
    : `${namespace} has ${near.length} NacosClusters: name one with the annotation ${GROUP}/cluster`;
}

function metadataOf(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(annotations)
    .filter(([key]) => key.startsWith(METADATA_PREFIX) && key.length > METADATA_PREFIX.length)
    .map(([key, value]) => [key.slice(METADATA_PREFIX.length), value] as const);
  return Object.fromEntries(entries);
}

function firstPort(pod: Pod): string | undefined {
  const ports = pod.spec?.containers?.flatMap((container) => container.ports ?? []) ?? [];
  const tcp = ports.find(({ protocol }) => protocol === undefined || protocol === 'TCP');
  return tcp && String(tcp.containerPort);
}

function isName(text: string): boolean {
  return /^[0-9a-zA-Z.:_-]{1,200}$/.test(text);
}
