import {
  CLAIMS,
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
  PODS,
  SERVICES,
  STATEFUL_SETS,
} from '../kube/resource-types.ts';
import {
  etcdConfigMap,
  etcdDisruptionBudget,
  etcdNetworkPolicy,
  etcdService,
  etcdStatefulSet,
} from '../resources/etcd.ts';
import type { PodDefaults } from '../resources/pod.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Action } from './actions.ts';
import { etcdClaimWishes } from './claims.ts';
import type { EtcdProgress } from './etcd.ts';

/** The objects of the managed etcd, in an order in which none lacks another, then what its members are asked for. */
export function etcdActions(snapshot: Snapshot, progress: EtcdProgress, defaults: PodDefaults): readonly Action[] {
  const { cluster, etcd } = snapshot;
  const { managed, replicas, isFormed, told } = progress;
  const claimTemplates = etcd?.statefulSet?.spec.volumeClaimTemplates;
  const wish = { replicas, ...(claimTemplates && claimTemplates.length > 0 ? { claimTemplates } : {}) };
  const apply = (type: typeof CLAIMS, object: object): Action => ({ kind: 'apply', type, object });
  return [
    ...(etcd?.hasLogin ? [] : [{ kind: 'create-etcd-login' } as const]),
    apply(CONFIG_MAPS, etcdConfigMap(cluster, isFormed, told)),
    apply(SERVICES, etcdService(cluster)),
    apply(NETWORK_POLICIES, etcdNetworkPolicy(cluster)),
    apply(STATEFUL_SETS, etcdStatefulSet(cluster, managed, wish, defaults)),
    ...etcdClaimWishes(snapshot, managed, isFormed).map((object) => apply(CLAIMS, object)),
    ...budget(),
    ...progress.orders,
    ...rejoining(),
    ...replacing(),
  ];

  function budget(): readonly Action[] {
    if (managed.members > 1) return [apply(DISRUPTION_BUDGETS, etcdDisruptionBudget(cluster))];
    const { name, uid } = etcd?.disruptionBudget?.metadata ?? {};
    if (!name || !uid) return [];
    return [{ kind: 'delete', type: DISRUPTION_BUDGETS, name, uid, why: 'one member has no disruption budget' }];
  }

  function rejoining(): readonly Action[] {
    if (progress.stranger === undefined) return [];
    const { name, uid } = progress.stranger;
    const note = `${name} is no member of etcd any more: its pod starts anew, so that it joins`;
    return [
      { kind: 'event', type: 'Normal', reason: 'ReplacingMember', note },
      { kind: 'delete', type: PODS, name, uid, why: 'it joins etcd anew' },
    ];
  }

  function replacing(): readonly Action[] {
    if (progress.rollout.kind !== 'replace') return [];
    const { name, uid } = progress.rollout.pod;
    return [
      { kind: 'event', type: 'Normal', reason: 'ReplacingMember', note: `replacing ${name} with the new revision` },
      { kind: 'delete', type: PODS, name, uid, why: 'rolling update of etcd' },
    ];
  }
}
