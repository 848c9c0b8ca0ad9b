import type { Host } from '@nacos-kube/core/host/host.ts';
import type { EtcdGateway } from './etcd/gateway.ts';
import { observeEtcd } from './etcd-reports.ts';
import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { KubeApi } from './kube/api.ts';
import type { Mirror } from './kube/mirror.ts';
import type { ConfigMap, ObjectKey, PersistentVolumeClaim, Pod, Secret, StatefulSet } from './kube/objects.ts';
import { isPodReady, isTerminating, parseObjectKey } from './kube/objects.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  NACOS_CLUSTERS,
  PODS,
  SECRETS,
  STATEFUL_SETS,
} from './kube/resource-types.ts';
import { askMember } from './member-reports.ts';
import { COMPONENT_ETCD, COMPONENT_LABEL, childNames, INSTANCE_LABEL } from './resources/names.ts';
import { neededSecrets, storageOf } from './resources/storage.ts';
import type { MemberReport, Snapshot } from './snapshot.ts';

/**
 * One look at a cluster. What can't be taken back is decided on (the manifest, the list, the StatefulSet) is read anew
 * from the API server; pods and claims come from the mirror. Undefined when there is no such NacosCluster any more.
 */
export async function observe(
  host: Host,
  api: KubeApi,
  mirror: Mirror,
  gateway: EtcdGateway,
  key: ObjectKey,
): Promise<Snapshot | undefined> {
  const ref = parseObjectKey(key);
  const names = childNames(ref.name);
  const child = (name: string) => ({ ...ref, name });
  const [cluster, memberList, statefulSet, clusterKey] = await Promise.all([
    api.get<NacosCluster>(NACOS_CLUSTERS, ref),
    api.get<ConfigMap>(CONFIG_MAPS, child(names.memberList)),
    api.get<StatefulSet>(STATEFUL_SETS, child(names.statefulSet)),
    api.get<Secret>(SECRETS, child(names.clusterKey)),
  ]);
  if (!cluster) return undefined;

  const isOurs = (object: Pod | PersistentVolumeClaim) =>
    object.metadata.namespace === ref.namespace && object.metadata.labels?.[INSTANCE_LABEL] === ref.name;
  const all = [...mirror.values<Pod>(PODS)].filter(isOurs);
  const isOfEtcd = (pod: Pod) => pod.metadata.labels?.[COMPONENT_LABEL] === COMPONENT_ETCD;
  const pods = all.filter((pod) => !isOfEtcd(pod));
  return {
    cluster,
    memberList,
    statefulSet,
    disruptionBudget: mirror.get(DISRUPTION_BUDGETS, `${ref.namespace}/${names.disruptionBudget}`),
    hasClusterKey: clusterKey !== undefined,
    databaseSecretProblem: await databaseSecretProblem(api, cluster),
    claims: [...mirror.values<PersistentVolumeClaim>(CLAIMS)].filter(isOurs),
    pods,
    reports: await reportsOf(host, pods),
    etcd: await observeEtcd(host, api, mirror, gateway, cluster, all.filter(isOfEtcd)),
  };
}

async function reportsOf(host: Host, pods: readonly Pod[]): Promise<ReadonlyMap<string, MemberReport>> {
  const asked = pods
    .filter((pod) => isPodReady(pod) && !isTerminating(pod) && pod.status?.podIP !== undefined)
    .map(async (pod) => [pod.metadata.name, await askMember(host, pod.status?.podIP as string)] as const);
  const answers = await Promise.all(asked);
  return new Map(answers.flatMap(([name, report]) => (report ? [[name, report]] : [])));
}

/** Only whether the keys are there: what they hold is for the pods alone. */
async function databaseSecretProblem(api: KubeApi, cluster: NacosCluster): Promise<string | undefined> {
  const { namespace } = cluster.metadata;
  for (const { name, keys } of neededSecrets(storageOf(cluster))) {
    const secret = await api.get<Secret>(SECRETS, { name, ...(namespace === undefined ? {} : { namespace }) });
    if (!secret) return `there is no Secret ${name} in ${namespace}: make it with the keys ${keys.join(' and ')}`;
    const missing = keys.filter((key) => !secret.data?.[key]);
    if (missing.length > 0) return `the Secret ${name} lacks ${missing.join(' and ')}: add what is missing`;
  }
  return undefined;
}
