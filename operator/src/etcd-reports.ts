import type { Endpoint, Host } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { EtcdError, type EtcdGateway, type EtcdLogin, EtcdLoginError } from './etcd/gateway.ts';
import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { KubeApi } from './kube/api.ts';
import type { Mirror } from './kube/mirror.ts';
import type { ConfigMap, KubeObject, Pod, Secret, StatefulSet } from './kube/objects.ts';
import { isTerminating } from './kube/objects.ts';
import { CONFIG_MAPS, DISRUPTION_BUDGETS, SECRETS, STATEFUL_SETS } from './kube/resource-types.ts';
import { isOwnedBy } from './plan/views.ts';
import { childNames, ETCD_CLIENT_PORT } from './resources/names.ts';
import { isManaged, storageOf } from './resources/storage.ts';
import type { EtcdReport, EtcdSnapshot } from './snapshot.ts';

/** The managed etcd as it is: its objects, and what its members say. Undefined where there is none. */
export async function observeEtcd(
  host: Host,
  api: KubeApi,
  mirror: Mirror,
  gateway: EtcdGateway,
  cluster: NacosCluster,
  pods: readonly Pod[],
): Promise<EtcdSnapshot | undefined> {
  if (!isManaged(storageOf(cluster))) return undefined;
  const { namespace = 'default', name } = cluster.metadata;
  const names = childNames(name);
  const ref = { namespace, name: names.etcd };
  const [foundSettings, foundSet, login] = await Promise.all([
    api.get<ConfigMap>(CONFIG_MAPS, ref),
    api.get<StatefulSet>(STATEFUL_SETS, ref),
    etcdLogin(api, cluster),
  ]);
  const settings = unlessOfAnother(cluster, foundSettings);
  const statefulSet = unlessOfAnother(cluster, foundSet);
  const members = pods.filter((pod) => isOwnedBy(pod, statefulSet?.metadata.uid));
  return {
    settings,
    statefulSet,
    disruptionBudget: mirror.get(DISRUPTION_BUDGETS, `${namespace}/${names.etcd}`),
    hasLogin: login !== undefined,
    pods,
    ...(await askAll(host, gateway, members, login)),
  };
}

/**
 * A NacosCluster that is made right after one of its name was deleted still sees that one's etcd, which serves until it
 * is collected: for its own it would take it for formed, and its members would wait for those for ever.
 */
function unlessOfAnother<T extends KubeObject>(cluster: NacosCluster, object: T | undefined): T | undefined {
  const owner = object?.metadata.ownerReferences?.find(({ controller }) => controller);
  return owner === undefined || owner.uid === cluster.metadata.uid ? object : undefined;
}

export async function etcdLogin(api: KubeApi, cluster: NacosCluster): Promise<EtcdLogin | undefined> {
  const { namespace = 'default', name } = cluster.metadata;
  const secret = await api.get<Secret>(SECRETS, { namespace, name: childNames(name).etcdLogin });
  const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  return secret === undefined ? undefined : { user: text('user'), password: text('password') };
}

async function askAll(host: Host, gateway: EtcdGateway, pods: readonly Pod[], login: EtcdLogin | undefined) {
  const found: {
    reports: Map<string, EtcdReport>;
    members: EtcdSnapshot['members'];
    alarms: EtcdSnapshot['alarms'];
    guard: EtcdSnapshot['guard'];
  } = { reports: new Map(), members: undefined, alarms: [], guard: 'unknown' };
  if (login === undefined) return found;
  const asked = pods.flatMap((pod) => {
    const address = pod.status?.podIP;
    if (address === undefined || pod.status?.phase === 'Pending' || isTerminating(pod)) return [];
    return [ask(pod.metadata.name, { address, port: ETCD_CLIENT_PORT }, login)];
  });
  const quorate = (await Promise.all(asked)).filter((answer) => answer !== undefined);
  // Of one alone: it costs the work of a password hash. The next one where it dies of it.
  for (const { name, at, members } of quorate) {
    found.members ??= members;
    if (await askFurther(name, at, login)) break;
  }
  return found;

  /** What it says of itself; and the members, if it answers with a quorum. */
  async function ask(name: string, at: Endpoint, by: EtcdLogin) {
    try {
      const status = await gateway.status(at, by);
      found.reports.set(name, { ...status, address: at.address });
      const members = await gateway.members(at, by);
      // One that is no member itself any more has an old list, or another cluster's.
      return members.some(({ id }) => id === status.memberId) ? { name, at, members } : undefined;
    } catch (error) {
      return notHeard(name, error);
    }
  }

  async function askFurther(name: string, at: Endpoint, by: EtcdLogin) {
    try {
      found.guard = (await gateway.isGuarded(at, by)) ? 'on' : 'off';
      found.alarms = await gateway.alarms(at, by);
      return true;
    } catch (error) {
      return notHeard(name, error);
    }
  }

  function notHeard(name: string, error: unknown): undefined {
    if (error instanceof EtcdLoginError) found.guard = 'refused';
    else if (!(error instanceof NetworkError || error instanceof EtcdError)) throw error;
    host.log.debug('a member of etcd could not be asked', { name, error });
  }
}
