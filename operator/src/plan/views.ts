import { parseIsoTime } from '@nacos-kube/core/host/time.ts';
import type { ParsedMemberList } from '@nacos-kube/core/model/member-list.ts';
import { parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import type { Pod, StatefulSet } from '../kube/objects.ts';
import { isPodReady, isTerminating } from '../kube/objects.ts';
import { CHANGED_AT_ANNOTATION, MEMBER_LIST_KEY, memberAddress, ordinalOf } from '../resources/names.ts';
import { storageOf } from '../resources/storage.ts';
import type { MemberReport, Snapshot } from '../snapshot.ts';
import { sameMembers } from './members.ts';
import type { RolloutPod } from './rollout.ts';

/** A pod of the cluster with all that plans ask of it. */
export interface MemberView extends RolloutPod {
  readonly address: string;
  readonly podIP: string | undefined;
  readonly report: MemberReport | undefined;
}

export function memberViews(snapshot: Snapshot, clusterDomain: string, nowMs: number): readonly MemberView[] {
  const { cluster, pods, reports, statefulSet } = snapshot;
  const revision = revisionOf(statefulSet);
  return pods
    .flatMap((pod): MemberView[] => {
      const ordinal = ordinalOf(pod.metadata.name, cluster.metadata.name);
      if (ordinal === undefined || !isOwnedBy(pod, statefulSet?.metadata.uid)) return [];
      return [
        {
          name: pod.metadata.name,
          uid: pod.metadata.uid ?? '',
          ordinal,
          address: memberAddress(cluster, ordinal, clusterDomain),
          podIP: pod.status?.podIP,
          isReady: isPodReady(pod) && !isTerminating(pod),
          readySinceMs: readySinceMs(pod),
          isTerminating: isTerminating(pod),
          isStopping: isStopping(pod, nowMs),
          isOutdated: revision !== undefined && pod.metadata.labels?.['controller-revision-hash'] !== revision,
          report: reports.get(pod.metadata.name),
        },
      ];
    })
    .sort((a, b) => a.ordinal - b.ordinal);
}

/** Behind the end of its grace. */
const STUCK_AFTER_MS = 60_000;

export function isStopping({ metadata }: Pod, nowMs: number): boolean {
  const endMs = parseIsoTime(metadata.deletionTimestamp ?? '');
  return endMs !== undefined && nowMs - endMs < STUCK_AFTER_MS;
}

/** The list as it is written, and when it was changed. */
export function writtenList(snapshot: Snapshot): {
  readonly parsed: ParsedMemberList | undefined;
  readonly changedAt: string | undefined;
  readonly changedAtMs: number | undefined;
} {
  const text = snapshot.memberList?.data?.[MEMBER_LIST_KEY];
  const changedAt = snapshot.memberList?.metadata.annotations?.[CHANGED_AT_ANNOTATION];
  return {
    parsed: text === undefined ? undefined : parseMemberList(text),
    changedAt,
    changedAtMs: changedAt === undefined ? undefined : parseIsoTime(changedAt),
  };
}

/** Whether the member obeys the list; undefined when it was not heard, or is alone and has none. */
export function agreesWith(view: MemberView, snapshot: Snapshot, listed: readonly string[]): boolean | undefined {
  if (storageOf(snapshot.cluster).kind === 'embedded' || !view.report) return undefined;
  return sameMembers(
    view.report.members.map((member) => member.address),
    listed,
  );
}

/** The revision pods should have; undefined while the StatefulSet's controller has not seen its last change. */
export function revisionOf(statefulSet: StatefulSet | undefined): string | undefined {
  const status = statefulSet?.status;
  if (!status?.updateRevision) return undefined;
  return status.observedGeneration === statefulSet?.metadata.generation ? status.updateRevision : undefined;
}

/** Since when its readiness is as it is, if it is that. */
export function readySinceMs(pod: Pod, wanted: 'True' | 'False' = 'True'): number | undefined {
  return conditionSinceMs(pod, 'Ready', wanted);
}

export function conditionSinceMs(pod: Pod, type: string, wanted: 'True' | 'False'): number | undefined {
  const condition = pod.status?.conditions?.find((one) => one.type === type && one.status === wanted);
  return condition?.lastTransitionTime === undefined ? undefined : parseIsoTime(condition.lastTransitionTime);
}

export function isOwnedBy(pod: Pod, uid: string | undefined): boolean {
  return uid !== undefined && (pod.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false);
}
