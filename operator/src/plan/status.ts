import { isDeepStrictEqual } from 'node:util';
import type { MemberList } from '@nacos-kube/core/model/member-list.ts';
import type { NacosCluster, NacosClusterStatus, NacosClusterStatusMember } from '../generated/nacos-cluster.ts';
import { childNames, labelSelectorText, PAUSED_ANNOTATION, selectorLabels } from '../resources/names.ts';
import type { PodDefaults } from '../resources/pod.ts';
import { imageOf } from '../resources/pod.ts';
import { isManaged, storageChoice, storageOf } from '../resources/storage.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Action, EventReason } from './actions.ts';
import type { ConditionWish, Reason } from './conditions.ts';
import { conditionOf, withTimes } from './conditions.ts';
import type { EtcdProgress } from './etcd.ts';
import { etcdReason, judgeEtcd, storageStatus } from './etcd-status.ts';
import type { RolloutPlan } from './rollout.ts';
import type { ScalePlan } from './scale.ts';
import type { MemberView } from './views.ts';

/** Where a cluster stands between what is and what shall be. */
export interface Progress {
  readonly scale: ScalePlan;
  readonly list: MemberList;
  readonly listHash: string;
  readonly isListChanging: boolean;
  readonly changedAt: string;
  /** Time since the list that is written was changed; 0 when it is changed now. */
  readonly sinceListChangeMs: number;
  readonly members: readonly (MemberView & { readonly listAgrees: boolean | undefined })[];
  readonly rollout: RolloutPlan;
  /** Undefined where the store is not ours to run. */
  readonly etcd: EtcdProgress | undefined;
}

const RECHECK_READY_MS = 60_000;
const RECHECK_PROGRESSING_MS = 10_000;
/** No object of Kubernetes changes when etcd raises an alarm. */
const RECHECK_ETCD_MS = 15_000;
/** A member that still obeys another list after this is no straggler but a split. */
const CONVERGE_MAX_MS = 60_000;
/** The leaving members wait for the others to obey, so they are asked often. */
const RECHECK_SCALE_IN_MS = 1_000;

/** What stands in the status before anything is made, of a manifest that names no store. */
export function planChoice(cluster: NacosCluster): readonly Action[] {
  const { kind } = storageOf(cluster);
  const { resourceVersion } = cluster.metadata;
  const status: NacosClusterStatus = {
    readyReplicas: 0,
    ...cluster.status,
    store: kind,
    storage: storageChoice(cluster),
  };
  return [
    { kind: 'status', status, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    { kind: 'recheck', afterMs: 0 },
  ];
}

/** The status, where it differs from the one written, the events that tell of the difference, and when to look again. */
export function planStatus(
  snapshot: Snapshot,
  progress: Progress,
  isPaused: boolean,
  nowMs: number,
  defaults: PodDefaults,
): readonly Action[] {
  const { cluster } = snapshot;
  const verdict = judge(snapshot, progress, isPaused);
  const storage = storageOf(cluster);
  const names = childNames(cluster.metadata.name);
  const status: NacosClusterStatus = {
    ...(cluster.metadata.generation === undefined ? {} : { observedGeneration: cluster.metadata.generation }),
    replicas: progress.members.length,
    readyReplicas: readyMembers(progress).length,
    selector: labelSelectorText(selectorLabels(cluster.metadata.name)),
    store: storage.kind,
    storage: isManaged(storage) && progress.etcd ? storageStatus(progress.etcd) : storageChoice(cluster),
    auth: cluster.spec.auth?.enabled ? 'on' : 'off',
    version: imageOf(cluster, defaults.image).tag,
    // A paused cluster's list is not written, so its generation is not used up.
    ...(isPaused && progress.isListChanging
      ? cluster.status?.memberList && { memberList: cluster.status.memberList }
      : { memberList: { generation: progress.list.generation, hash: progress.listHash } }),
    members: progress.members.map(memberStatus),
    endpoints: {
      vip: `${names.vip}.${cluster.metadata.namespace}.svc.${defaults.clusterDomain}:${cluster.spec.vip.port}`,
    },
    conditions: withTimes(cluster, verdict.conditions, nowMs),
  };
  const isChanged = !isDeepStrictEqual(status, plain(cluster.status));
  return [
    ...transitionEvents(isPaused, snapshot, progress, verdict.progressing),
    ...(isChanged ? [{ kind: 'status', status } as const] : []),
    { kind: 'recheck', afterMs: recheckMs(progress, verdict) },
  ];
}

interface Verdict {
  readonly conditions: readonly ConditionWish[];
  readonly progressing: Reason | undefined;
  readonly isReady: boolean;
}

function judge(snapshot: Snapshot, progress: Progress, isPaused: boolean): Verdict {
  const { cluster, databaseSecretProblem } = snapshot;
  const wanted = cluster.spec.replicas;
  const ready = readyMembers(progress).length;
  const isWhole = ready === wanted;
  const disagreeing = progress.members.filter((member) => member.isReady && member.listAgrees === false);
  const progressing = progressReason(snapshot, progress, isWhole);
  const isSplit = disagreeing.length > 0 && progressing === undefined;
  const etcd = progress.etcd && judgeEtcd(cluster, progress.etcd);
  const areNodesReady = isWhole && !isSplit && snapshot.statefulSet !== undefined;
  const isReady = areNodesReady && progressing === undefined && (etcd === undefined || etcd.isWhole);

  const missing = `${ready} of ${wanted} members are ready${notReadyNames(progress, wanted)}`;
  const splitNote = `${disagreeing.map((member) => member.name).join(', ')} obeys another member list`;
  const { reason, note } = readiness();

  const conditions: ConditionWish[] = [
    { type: 'Ready', status: isBegun(snapshot) ? (isReady ? 'True' : 'False') : 'Unknown', reason, message: note },
    {
      type: 'Available',
      status: ready > 0 ? 'True' : 'False',
      reason: isWhole ? 'AllMembersReady' : 'MemberNotReady',
      message: ready > 0 ? `${ready} members answer clients` : 'no member answers clients',
    },
    {
      type: 'Progressing',
      status: progressing === undefined || isPaused ? 'False' : 'True',
      reason: isPaused ? 'Paused' : (progressing ?? (isWhole ? 'AllMembersReady' : 'MemberNotReady')),
      message: isPaused ? note : progressNote(progress, missing),
    },
    {
      type: 'Degraded',
      status: (isSplit || !isWhole || etcd?.isBroken === true) && progressing === undefined ? 'True' : 'False',
      ...degraded(),
    },
    consistency(progress, disagreeing.length, splitNote),
  ];
  if (databaseSecretProblem !== undefined) {
    const message = databaseSecretProblem;
    conditions.push({ type: 'DatabaseReady', status: 'False', reason: 'DatabaseSecretInvalid', message });
  } else if (etcd !== undefined) {
    conditions.push({ type: 'DatabaseReady', ...etcd.condition });
  }
  return { conditions, progressing, isReady };

  function degraded(): { readonly reason: Reason; readonly message: string } {
    if (isSplit) return { reason: 'MembershipSplit', message: splitNote };
    if (!isWhole) return { reason: 'MemberNotReady', message: missing };
    if (etcd?.isBroken) return { reason: etcd.condition.reason, message: etcd.condition.message };
    return { reason: 'AllMembersReady', message: missing };
  }

  /** The one word that people see in the Status column, and what it means. */
  function readiness(): { readonly reason: Reason; readonly note: string } {
    if (isPaused) {
      return {
        reason: 'Paused',
        note: `the annotation ${PAUSED_ANNOTATION} is set: nothing is changed until it is removed`,
      };
    }
    if (isReady) return { reason: 'AllMembersReady', note: missing };
    if (databaseSecretProblem !== undefined && !isWhole) {
      return { reason: 'DatabaseSecretInvalid', note: databaseSecretProblem };
    }
    if (etcd?.isBroken && etcd.condition.status === 'False') {
      return { reason: etcd.condition.reason, note: `${etcd.condition.message}; ${missing}` };
    }
    if (progressing !== undefined) return { reason: progressing, note: progressNote(progress, missing) };
    if (etcd !== undefined && areNodesReady) return { reason: 'MemberNotReady', note: etcd.condition.message };
    return isSplit ? { reason: 'MembershipSplit', note: splitNote } : { reason: 'MemberNotReady', note: missing };
  }
}

/** Why the cluster is on its way; what was begun keeps its name until all members are ready. */
function progressReason(snapshot: Snapshot, progress: Progress, isWhole: boolean): Reason | undefined {
  const { cluster, statefulSet } = snapshot;
  const { scale, members, rollout } = progress;
  if (scale.phase === 'in-blocked') return 'ScaleInBlocked';
  if (scale.phase === 'in' || members.some((member) => member.ordinal >= cluster.spec.replicas)) return 'ScalingIn';
  if (scale.phase === 'out') return 'ScalingOut';
  if (rollout.kind !== 'done') return 'RollingUpdate';
  const ofStore = progress.etcd && etcdReason(progress.etcd);
  if (ofStore !== undefined) return ofStore;
  if (!statefulSet) return 'Converging';
  // A change of the manifest that its controller has not taken up yet may still become a rolling update.
  if (statefulSet.status?.observedGeneration !== statefulSet.metadata.generation) return 'Converging';
  const before = conditionOf(cluster, 'Progressing');
  const isUnderWay = before === undefined || before.status === 'True';
  if (!isWhole && isUnderWay) return (before?.reason as Reason | undefined) ?? 'Converging';
  if (members.some((member) => member.listAgrees === false) && progress.sinceListChangeMs < CONVERGE_MAX_MS)
    return 'Converging';
  return progress.isListChanging ? 'Converging' : undefined;
}

function progressNote({ scale, rollout, etcd }: Progress, missing: string): string {
  if (scale.phase === 'in-blocked') return `scale-in would take the last members that are ready; ${missing}`;
  if (rollout.kind === 'wait') return `rolling update waits: ${rollout.why}; ${missing}`;
  if (rollout.kind === 'replace') return `rolling update replaces ${rollout.pod.name}; ${missing}`;
  if (etcd?.rollout.kind === 'wait') return `rolling update of etcd waits: ${etcd.rollout.why}; ${missing}`;
  if (etcd?.rollout.kind === 'replace') return `rolling update replaces ${etcd.rollout.pod.name}; ${missing}`;
  if (etcd?.phase === 'in-blocked') return `scale-in of etcd would take its quorum; ${missing}`;
  if (etcd?.phase === 'starting') return `its etcd starts first; ${missing}`;
  return missing;
}

/** A first look has made something; before it nobody can say anything. */
function isBegun({ statefulSet, etcd }: Snapshot): boolean {
  return statefulSet !== undefined || etcd?.statefulSet !== undefined;
}

function consistency(progress: Progress, disagreeing: number, splitNote: string): ConditionWish {
  const ready = progress.members.filter((member) => member.isReady);
  const heard = ready.filter((member) => member.report !== undefined).length;
  if (disagreeing > 0) {
    return { type: 'MembersConsistent', status: 'False', reason: 'MembershipSplit', message: splitNote };
  }
  if (heard < ready.length || ready.length === 0) {
    const message = `${heard} of ${ready.length} ready members told which list they obey`;
    return { type: 'MembersConsistent', status: 'Unknown', reason: 'MembersNotHeard', message };
  }
  const message = `all ready members obey list ${progress.list.generation}`;
  return { type: 'MembersConsistent', status: 'True', reason: 'AllMembersReady', message };
}

function memberStatus(member: Progress['members'][number]): NacosClusterStatusMember {
  const self = member.report?.members.find(({ address }) => address === member.address) ?? member.report?.members[0];
  return {
    name: member.name,
    address: member.address,
    ...(member.podIP === undefined ? {} : { podIP: member.podIP }),
    ready: member.isReady,
    state: member.isTerminating ? 'LEAVING' : (self?.state ?? (member.isReady ? 'UP' : 'STARTING')),
    ...(self?.version === undefined ? {} : { version: self.version }),
    ...(member.listAgrees === undefined ? {} : { listAgrees: member.listAgrees }),
  };
}

/** Told by comparing with the status before, so a restarted operator tells nothing twice. */
function transitionEvents(
  isPaused: boolean,
  snapshot: Snapshot,
  progress: Progress,
  progressing: Reason | undefined,
): readonly Action[] {
  const { cluster } = snapshot;
  const events: Action[] = [];
  const tell = (type: 'Normal' | 'Warning', reason: EventReason, note: string) =>
    events.push({ kind: 'event', type, reason, note });

  if (progress.isListChanging && !isPaused) {
    tell(
      'Normal',
      'MemberListChanged',
      `list ${progress.list.generation} names ${progress.list.members.length} members`,
    );
  }
  const before = cluster.status?.members ?? [];
  for (const member of progress.members) {
    const was = before.find(({ name }) => name === member.name)?.ready ?? false;
    if (member.isReady && !was) tell('Normal', 'MemberJoined', `${member.name} is ready`);
    if (!member.isReady && was && !member.isTerminating)
      tell('Warning', 'MemberLost', `${member.name} is not ready any more`);
  }
  for (const { name, ready } of before) {
    const isGone = !progress.members.some((member) => member.name === name);
    if (isGone && ready && progressing === undefined) tell('Warning', 'MemberLost', `the pod ${name} is gone`);
  }
  const wasRolling = conditionOf(cluster, 'Progressing')?.reason === 'RollingUpdate';
  if (progressing === 'RollingUpdate' && !wasRolling)
    tell('Normal', 'RollingUpdateStarted', 'members are replaced one at a time');
  if (progressing === undefined && wasRolling)
    tell('Normal', 'RollingUpdateFinished', 'all members run the new revision');
  const wasBlocked = conditionOf(cluster, 'Progressing')?.reason === 'ScaleInBlocked';
  if (progressing === 'ScaleInBlocked' && !wasBlocked) tell('Warning', 'ScaleInBlocked', progressNote(progress, ''));
  const wasDatabaseReady = conditionOf(cluster, 'DatabaseReady')?.status;
  if (snapshot.databaseSecretProblem !== undefined && wasDatabaseReady !== 'False') {
    tell('Warning', 'DatabaseSecretInvalid', snapshot.databaseSecretProblem);
  }
  const store = progress.etcd && judgeEtcd(cluster, progress.etcd);
  if (store?.condition.status === 'False' && wasDatabaseReady === 'True') {
    tell('Warning', 'StoreNotReady', store.condition.message);
  }
  return events;
}

function recheckMs(progress: Progress, verdict: Verdict): number {
  if (progress.scale.phase === 'in') return RECHECK_SCALE_IN_MS;
  if (progress.rollout.kind === 'wait') return progress.rollout.recheckMs;
  if (progress.etcd?.recheckMs !== undefined) return progress.etcd.recheckMs;
  if (progress.etcd?.rollout.kind === 'wait') return progress.etcd.rollout.recheckMs;
  if (!verdict.isReady) return RECHECK_PROGRESSING_MS;
  return progress.etcd === undefined ? RECHECK_READY_MS : RECHECK_ETCD_MS;
}

function readyMembers(progress: Progress) {
  return progress.members.filter((member) => member.isReady && member.ordinal < progress.scale.listed);
}

function notReadyNames(progress: Progress, wanted: number): string {
  const names = progress.members.filter((member) => !member.isReady && member.ordinal < wanted).map(({ name }) => name);
  return names.length === 0 ? '' : `; waiting for ${names.join(', ')}`;
}

/** A copy without prototypes or undefined values, as it went over the wire. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
