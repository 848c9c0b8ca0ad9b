import type { NacosClusterStatusStorageMember } from '../generated/nacos-cluster.ts';
import { isInitialized, isPodReady, isTerminating, type Pod } from '../kube/objects.ts';
import { childNames, ordinalOf } from '../resources/names.ts';
import type { EtcdSnapshot } from '../snapshot.ts';
import type { RolloutPod } from './rollout.ts';
import { conditionSinceMs, isOwnedBy, isStopping, readySinceMs, revisionOf } from './views.ts';

/** A member of the managed etcd with all that plans ask of it; its pod may be missing, or etcd may not know it. */
export interface EtcdMemberView extends RolloutPod {
  /** Its number in etcd; undefined when it is no member or nobody with a quorum answers. */
  readonly id: string | undefined;
  readonly isStarted: boolean;
  /** It has joined and does not count for the quorum yet. */
  readonly isLearner: boolean;
  /**
   * Its etcd was started under a number that was removed, or with a list of members that has changed since: it ends
   * again and again, and never joins by itself.
   */
  readonly isStranger: boolean;
  readonly isLeader: boolean;
  /** It is a member with a vote, its pod is ready and it answered. */
  readonly isUp: boolean;
  /** Of which cluster it says it is, when it answered; members of two would undo each other's work. */
  readonly clusterId: string | undefined;
  /** Where it answered. */
  readonly address: string | undefined;
  /** Since when its pod is not ready; undefined while it is, or has not said so yet. */
  readonly unreadySinceMs: number | undefined;
  readonly version: string | undefined;
  readonly dbBytes: number | undefined;
  readonly dbBytesInUse: number | undefined;
  readonly alarms: readonly string[];
}

const MIB = 1024 * 1024;
/** So long it may take from its start to its first answer; a probe that failed is not a pod that is lost neither. */
const STRANGER_AFTER_MS = 20_000;

/** By ordinal. Pods and members are joined by name: a member that is added has none yet, but the name is in its URL. */
export function etcdViews(clusterName: string, etcd: EtcdSnapshot, nowMs: number): readonly EtcdMemberView[] {
  const base = childNames(clusterName).etcd;
  const revision = revisionOf(etcd.statefulSet);
  const members = new Map(
    (etcd.members ?? []).flatMap((member) => {
      const host = /^https?:\/\/([^.:/]+)/.exec(member.peerUrls[0] ?? '')?.[1] ?? member.name;
      const ordinal = ordinalOf(host, base);
      return ordinal === undefined ? [] : [[ordinal, member] as const];
    }),
  );
  const pods = new Map(
    etcd.pods.flatMap((pod) => {
      const ordinal = ordinalOf(pod.metadata.name, base);
      const isOurs = ordinal !== undefined && isOwnedBy(pod, etcd.statefulSet?.metadata.uid);
      return isOurs ? [[ordinal, pod] as const] : [];
    }),
  );
  const ordinals = [...new Set([...pods.keys(), ...members.keys()])].sort((a, b) => a - b);
  return ordinals.map((ordinal) => {
    const [pod, member] = [pods.get(ordinal), members.get(ordinal)];
    const name = `${base}-${ordinal}`;
    const report = etcd.reports.get(name);
    const isReady = pod !== undefined && isPodReady(pod) && !isTerminating(pod);
    const isStarted = (member?.clientUrls.length ?? 0) > 0;
    const isLearner = member?.isLearner === true;
    // The pod was seen before the members were asked for, and it was one before its init container ended.
    const isStranger =
      etcd.members !== undefined &&
      pod !== undefined &&
      (member === undefined || (!isStarted && endsOf(pod) > 0)) &&
      hasNotServedFor(pod, nowMs) >= STRANGER_AFTER_MS;
    return {
      name,
      ordinal,
      uid: pod?.metadata.uid ?? '',
      isReady,
      readySinceMs: pod && readySinceMs(pod),
      isTerminating: pod !== undefined && isTerminating(pod),
      isOutdated:
        pod !== undefined && revision !== undefined && pod.metadata.labels?.['controller-revision-hash'] !== revision,
      id: member?.id,
      isStarted,
      isLearner,
      isStranger,
      isStopping: pod !== undefined && isStopping(pod, nowMs),
      isLeader: report !== undefined && report.leaderId === report.memberId,
      isUp: isReady && isStarted && !isLearner && report !== undefined,
      clusterId: report?.clusterId,
      address: report?.address,
      unreadySinceMs: pod && readySinceMs(pod, 'False'),
      version: report?.version,
      dbBytes: report?.dbBytes,
      dbBytesInUse: report?.dbBytesInUse,
      alarms: etcd.alarms.filter(({ memberId }) => memberId === member?.id).map(({ alarm }) => alarm),
    };
  });
}

/** Since its etcd was started, or was ready last. 0 for one that serves, waits to join or is stopping. */
function hasNotServedFor(pod: Pod, nowMs: number): number {
  if (isPodReady(pod) || !isInitialized(pod) || isTerminating(pod)) return 0;
  const [unready, initialized] = [readySinceMs(pod, 'False'), conditionSinceMs(pod, 'Initialized', 'True')];
  return nowMs - Math.max(unready ?? nowMs, initialized ?? 0);
}

/** How often its etcd has ended. */
function endsOf(pod: Pod): number {
  return pod.status?.containerStatuses?.find(({ name }) => name === 'etcd')?.restartCount ?? 0;
}

/** For the status; sizes in whole MiB, lest it is written at each look. */
export function etcdMemberStatus(view: EtcdMemberView, isServing: boolean): NacosClusterStatusStorageMember {
  return {
    name: view.name,
    ...(view.id === undefined ? {} : { id: BigInt(view.id).toString(16) }),
    state: stateOf(view, isServing),
    leader: view.isLeader,
    ...(view.version === undefined ? {} : { version: view.version }),
    ...(view.dbBytes === undefined ? {} : { dbSize: `${Math.ceil(view.dbBytes / MIB)}Mi` }),
    ...(view.alarms.length === 0 ? {} : { alarms: view.alarms }),
  };
}

function stateOf(view: EtcdMemberView, isServing: boolean): string {
  if (view.isUp) return 'UP';
  if (isServing && view.id === undefined) return 'ABSENT';
  return isServing && (view.isLearner || !view.isStarted) ? 'JOINING' : 'DOWN';
}
