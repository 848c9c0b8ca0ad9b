import type { NacosClusterSpec, NacosClusterStatus } from '../generated/nacos-cluster.ts';
import type { Action } from '../plan/actions.ts';
import { plan } from '../plan/plan.ts';
import { memberListConfigMap } from '../resources/member-list.ts';
import type { EtcdSnapshot, Snapshot } from '../snapshot.ts';
import { anEtcd, anEtcdCluster } from './etcd-fixtures.ts';
import { address, aPod, aSnapshot, aStatefulSet, asStored, DEFAULTS, NOW, reportsOf } from './fixtures.ts';

const LIST = { generation: 1, members: [0, 1, 2].map(address) };

/** Three nodes as they shall be, on an etcd of `members` that `etcd` says how it is. */
export function steady(etcd: Partial<EtcdSnapshot> = {}, members = 3, spec: Partial<NacosClusterSpec> = {}): Snapshot {
  const cluster = anEtcdCluster(members, spec);
  return aSnapshot(cluster, {
    memberList: asStored(memberListConfigMap(cluster, LIST, '2026-01-31T09:00:00.000Z', undefined), '30'),
    statefulSet: aStatefulSet(3),
    pods: [aPod(0), aPod(1), aPod(2)],
    reports: reportsOf([0, 1, 2], 3),
    etcd: anEtcd(3, etcd),
  });
}

export const planned = (snapshot: Snapshot) => plan(snapshot, NOW, DEFAULTS);
export const orders = (actions: readonly Action[]) =>
  actions.flatMap((action) => (action.kind === 'etcd' ? [`${action.order.do} by ${action.address}`] : []));
export const deletions = (actions: readonly Action[]) =>
  actions.flatMap((action) => (action.kind === 'delete' ? [action.name] : []));
export const kinds = (actions: readonly Action[]) =>
  actions.map((action) => (action.kind === 'apply' ? `${action.type.kind} ${nameOf(action.object)}` : action.kind));
const nameOf = (object: object) => (object as { metadata: { name: string } }).metadata.name;

export function applied<T>(actions: readonly Action[], kind: string, name: string): T | undefined {
  const found = actions.find((one) => one.kind === 'apply' && one.type.kind === kind && nameOf(one.object) === name);
  return found?.kind === 'apply' ? (found.object as T) : undefined;
}

export function statusOf(actions: readonly Action[]): NacosClusterStatus | undefined {
  return actions.flatMap((action) => (action.kind === 'status' ? [action.status] : []))[0];
}

export function condition(actions: readonly Action[], type: string): string {
  const found = statusOf(actions)?.conditions?.find((one) => one.type === type);
  return `${found?.status} ${found?.reason}`;
}
