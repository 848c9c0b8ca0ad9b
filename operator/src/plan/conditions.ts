import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { NacosCluster, NacosClusterStatusCondition } from '../generated/nacos-cluster.ts';

export type ConditionType = 'Ready' | 'Available' | 'Progressing' | 'Degraded' | 'MembersConsistent' | 'DatabaseReady';
export type ConditionStatus = NacosClusterStatusCondition['status'];

export type Reason =
  | 'AllMembersReady'
  | 'MemberNotReady'
  | 'MembershipSplit'
  | 'MembersNotHeard'
  | 'Converging'
  | 'RollingUpdate'
  | 'ScalingOut'
  | 'ScalingIn'
  | 'ScaleInBlocked'
  | 'DatabaseSecretInvalid'
  | 'DatabaseStarting'
  | 'DatabaseFull'
  | 'DatabaseCorrupt'
  | 'QuorumLost'
  | 'SpecInvalid'
  | 'Paused'
  | 'ReconcileError';

export interface ConditionWish {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
}

/** The conditions with the times at which their status changed, kept from those before. */
export function withTimes(
  cluster: NacosCluster,
  wishes: readonly ConditionWish[],
  nowMs: number,
): readonly NacosClusterStatusCondition[] {
  return wishes.map((wish) => {
    const before = conditionOf(cluster, wish.type);
    return {
      type: wish.type,
      status: wish.status,
      ...(cluster.metadata.generation === undefined ? {} : { observedGeneration: cluster.metadata.generation }),
      lastTransitionTime: before?.status === wish.status ? before.lastTransitionTime : secondsTime(nowMs),
      reason: wish.reason,
      message: wish.message,
    };
  });
}

export function conditionOf(cluster: NacosCluster, type: ConditionType): NacosClusterStatusCondition | undefined {
  return cluster.status?.conditions?.find((condition) => condition.type === type);
}

/** Times of conditions have whole seconds. */
function secondsTime(nowMs: number): string {
  return isoTime(nowMs).replace(/\.\d{3}Z$/, 'Z');
}
