import type { NacosCluster, NacosClusterStatusStorage } from '../generated/nacos-cluster.ts';
import { childNames } from '../resources/names.ts';
import type { ConditionStatus, Reason } from './conditions.ts';
import { clusterIdsOf, type EtcdProgress } from './etcd.ts';
import { quorumOf } from './etcd-leaving.ts';
import { etcdMemberStatus } from './etcd-views.ts';

export interface EtcdVerdict {
  readonly isWhole: boolean;
  /** Somebody has to know: it refuses writes, or one more loss would make it. */
  readonly isBroken: boolean;
  readonly condition: { readonly status: ConditionStatus; readonly reason: Reason; readonly message: string };
}

/** How the managed etcd is, in the words of the conditions. */
export function judgeEtcd(cluster: NacosCluster, etcd: EtcdProgress): EtcdVerdict {
  const { managed, members, isFormed, isServing, guard, alarms, isWhole } = etcd;
  const wanted = members.filter((member) => member.ordinal < managed.members);
  const up = wanted.filter((member) => member.isUp).length;
  const missing = `${up} of ${managed.members} members of etcd are up`;
  const bad = (reason: Reason, message: string): EtcdVerdict => ({
    isWhole: false,
    isBroken: true,
    condition: { status: 'False', reason, message },
  });
  if (guard === 'refused') {
    const { etcdLogin } = childNames(cluster.metadata.name);
    return bad(
      'DatabaseSecretInvalid',
      `etcd asks for another login than that in the Secret ${etcdLogin}: put it back`,
    );
  }
  const clusterIds = clusterIdsOf(members);
  if (clusterIds.length > 1) {
    const sides = clusterIds.map((id) => {
      const names = members.filter(({ clusterId }) => clusterId === id).map(({ name }) => name);
      return `${names.join(', ')} as ${BigInt(id).toString(16)}`;
    });
    return bad(
      'MembershipSplit',
      `members of etcd answer as different clusters (${sides.join('; ')}): nothing is done to any of them until the volumes and pods of those that do not belong here are deleted`,
    );
  }
  if (alarms.includes('CORRUPT')) {
    return bad(
      'DatabaseCorrupt',
      'members of etcd differ in what they hold: restore one of them from the others by deleting its volume and its pod',
    );
  }
  if (alarms.includes('NOSPACE')) {
    return bad(
      'DatabaseFull',
      'the database of etcd has reached its bound and takes no writes, deletions neither: let spec.storage.etcd.managed.volume.size grow',
    );
  }
  if (!isFormed) {
    return {
      isWhole: false,
      isBroken: false,
      condition: { status: 'False', reason: 'DatabaseStarting', message: missing },
    };
  }
  if (!isServing) {
    // Their readiness is a linearizable read: a quorum of ready pods serves, whether it was heard just now or not.
    const ready = wanted.filter((member) => member.isReady).length;
    if (ready >= quorumOf(managed.members)) {
      const message = `${ready} of ${managed.members} members of etcd are ready, but none answered the operator`;
      const isSettled = etcd.phase === 'steady' && etcd.rollout.kind === 'done';
      return {
        isWhole: isSettled && ready === managed.members,
        isBroken: ready < managed.members,
        condition: { status: 'Unknown', reason: 'MembersNotHeard', message },
      };
    }
    return bad(
      'QuorumLost',
      `no member of etcd answers with a quorum, ${quorumOf(managed.members)} of ${managed.members} are needed`,
    );
  }
  const condition = {
    status: 'True',
    reason: up === managed.members ? 'AllMembersReady' : 'MemberNotReady',
    message: missing,
  } as const;
  return { isWhole, isBroken: up < managed.members, condition };
}

/** Why the cluster is on its way on account of its store. */
export function etcdReason({ phase, rollout }: EtcdProgress): Reason | undefined {
  switch (phase) {
    case 'starting':
      return 'Converging';
    case 'out':
      return 'ScalingOut';
    case 'in':
      return 'ScalingIn';
    case 'in-blocked':
      return 'ScaleInBlocked';
    case 'steady':
      return rollout.kind === 'done' ? undefined : 'RollingUpdate';
  }
}

export function storageStatus({ isFormed, isServing, members }: EtcdProgress): NacosClusterStatusStorage {
  return {
    kind: 'etcd',
    managed: true,
    formed: isFormed,
    members: members.map((member) => etcdMemberStatus(member, isServing)),
  };
}
