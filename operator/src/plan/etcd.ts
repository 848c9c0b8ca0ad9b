import { ETCD_MEMBERS_KEY, ETCD_STATE_KEY } from '../resources/etcd.ts';
import { etcdQuotaBytes } from '../resources/etcd-pod.ts';
import { childNames, DATA_VOLUME, ETCD_FORMED_ANNOTATION, ordinalOf } from '../resources/names.ts';
import { isManaged, type ManagedEtcd, storageOf } from '../resources/storage.ts';
import type { EtcdSnapshot, Snapshot } from '../snapshot.ts';
import type { Action, EtcdOrder } from './actions.ts';
import { etcdClaims } from './claims.ts';
import { nextLeaving } from './etcd-leaving.ts';
import { type EtcdMemberView, etcdViews } from './etcd-views.ts';
import { ROLL_SETTLE_MS, type RolloutPlan } from './rollout.ts';

/** Where the managed etcd stands, and what it is told next. */
export interface EtcdProgress {
  readonly managed: ManagedEtcd;
  /** Its members have found together once: from then on none may begin anew. */
  readonly isFormed: boolean;
  /** A member with a quorum answered. */
  readonly isServing: boolean;
  readonly guard: EtcdSnapshot['guard'];
  readonly members: readonly EtcdMemberView[];
  /** Pods its StatefulSet shall have. */
  readonly replicas: number;
  /** Members that a pod which starts is told of. */
  readonly told: number;
  readonly phase: 'starting' | 'steady' | 'out' | 'in' | 'in-blocked';
  readonly rollout: RolloutPlan;
  /** A pod that must go so that its member joins anew. */
  readonly stranger: EtcdMemberView | undefined;
  readonly orders: readonly Action[];
  readonly alarms: readonly string[];
  /** All members that shall be are there, ready, of the wanted revision and without alarm. */
  readonly isWhole: boolean;
  /** Asked again sooner than usual. */
  readonly recheckMs: number | undefined;
}

const SOON_MS = 1_000;
/** Below this nothing is won by it. */
export const DEFRAGMENT_BYTES_MIN = 64 * 1024 * 1024;
const DEFRAGMENT_FACTOR = 2;
/** Of a full one, which takes nothing until it is smaller. */
const DEFRAGMENT_FULL_FACTOR = 1.1;
const BROKEN_ALONE_MS = 20_000;
const BROKEN_AMONG_OTHERS_MS = 60_000;
/** An alarm is lifted when so much of the bound is free again. */
const DISARM_SHARE = 0.8;

/**
 * One thing at a time, and nothing that would cost the quorum: guarded by its login first, then its number of members,
 * then new revisions (after the nodes, the leader last), then defragmenting. Members that lost their volume join anew by
 * themselves (etcd/member-start.ts), as learners, which are promoted here. Undefined where the store is another one.
 */
export function planEtcd(snapshot: Snapshot, areNodesSettled: boolean, nowMs: number): EtcdProgress | undefined {
  const { cluster, etcd } = snapshot;
  const storage = storageOf(cluster);
  if (!isManaged(storage)) return undefined;
  const { managed } = storage;
  const views = etcd ? etcdViews(cluster.metadata.name, etcd, nowMs) : [];
  const isServing = etcd?.members !== undefined;
  const isFormed =
    isServing ||
    cluster.status?.storage?.formed === true ||
    etcd?.settings?.data?.[ETCD_STATE_KEY] === 'existing' ||
    hasOldVolumes(snapshot);
  const alarms = (etcd?.alarms ?? []).map(({ alarm }) => alarm);
  const common = { managed, isFormed, isServing, guard: etcd?.guard ?? ('unknown' as const), members: views, alarms };

  const scale = planMembers(managed.members, etcd, views, isFormed, volumesOf(snapshot));
  const areTwo = clusterIdsOf(views).length > 1;
  // One at a time: the next may be whom the others wait for.
  const stranger =
    areTwo || views.some((view) => view.isStopping)
      ? undefined
      : views.find((view) => view.isStranger && view.ordinal < managed.members);
  const next = rolloutIn(scale.phase);
  const rollout: typeof next =
    next.kind === 'replace' && stranger
      ? { kind: 'wait', why: `${stranger.name} joins anew`, recheckMs: SOON_MS }
      : next;
  const isWhole =
    isServing &&
    scale.phase === 'steady' &&
    rollout.kind === 'done' &&
    alarms.length === 0 &&
    !areTwo &&
    areAllUp(managed, views);
  const told = toldMembers(managed, scale, etcd, views, isFormed);
  const progress = { ...common, replicas: scale.replicas, told, phase: scale.phase, stranger, isWhole };
  if (areTwo) {
    const replicas = etcd?.statefulSet?.spec.replicas ?? scale.replicas;
    return { ...progress, replicas, rollout: { kind: 'done' }, orders: [], recheckMs: undefined };
  }
  const orders = [...guardOrders(common.guard, views), ...departedAlarmOrders(etcd, views), ...scale.orders];

  if (rollout.kind === 'replace' && rollout.pod.isLeader && managed.members > 1) {
    const heir = views.find((view) => view.isUp && !view.isLeader && view.id !== undefined);
    const move =
      heir &&
      orderTo(
        rollout.pod,
        { do: 'move-leader', to: heir.id as string },
        `${heir.name} leads instead of ${rollout.pod.name}, which is replaced next`,
      );
    const waits = { kind: 'wait', why: `${rollout.pod.name} hands over`, recheckMs: SOON_MS } as const;
    return { ...progress, rollout: waits, orders: [...orders, ...(move ?? [])], recheckMs: SOON_MS };
  }
  const upkeep =
    orders.length === 0 && rollout.kind === 'done' && scale.phase === 'steady' ? planUpkeep(managed, etcd, views) : [];
  const all = [...orders, ...upkeep];
  const isJoining = views.some((view) => view.isLearner);
  const isUnderWay =
    all.length > 0 || isJoining || stranger !== undefined || scale.phase === 'starting' || scale.phase === 'in';
  return { ...progress, rollout, orders: all, recheckMs: isUnderWay ? SOON_MS : undefined };

  function rolloutIn(phase: EtcdProgress['phase']): RolloutPlan<EtcdMemberView> {
    if (phase === 'steady') return planReplacing(managed.members, views, areNodesSettled, nowMs);
    // An image that cannot be run must be put right in any phase: what it stopped may be what the others wait for.
    return replaceBroken(managed.members, views, nowMs);
  }
}

/**
 * While the first members find together their number stays what the first of them were told; old volumes that formed
 * once need as many as there are, others none at all. Where there shall be fewer those that leave must not join again; but while one that stays is away they are told of, for without them it could
 * not join.
 */
function toldMembers(
  managed: ManagedEtcd,
  { phase, replicas }: MembersPlan,
  etcd: EtcdSnapshot | undefined,
  views: readonly EtcdMemberView[],
  isFormed: boolean,
): number {
  if (phase === 'starting') return isFormed ? replicas : (toldBefore(etcd) ?? managed.members);
  if (areAllUp(managed, views)) return managed.members;
  return Math.max(managed.members, etcd?.statefulSet?.spec.replicas ?? 0);
}

function toldBefore(etcd: EtcdSnapshot | undefined): number | undefined {
  const told = Number(etcd?.settings?.data?.[ETCD_MEMBERS_KEY]);
  return told >= 1 ? told : etcd?.statefulSet?.spec.replicas;
}

/** More than one only where a member came with the data of another cluster: then no word of theirs can be trusted. */
export function clusterIdsOf(views: readonly EtcdMemberView[]): readonly string[] {
  return [...new Set(views.flatMap(({ clusterId }) => (/^\d+$/.test(clusterId ?? '') ? [clusterId as string] : [])))];
}

/**
 * Volumes outlive their NacosCluster: one that is made anew under the same name goes on with what they hold, unless it is
 * known that there never was a quorum of them.
 */
function hasOldVolumes(snapshot: Snapshot): boolean {
  const { etcd } = snapshot;
  if (etcd === undefined || etcd.settings !== undefined || etcd.statefulSet !== undefined) return false;
  return etcdClaims(snapshot).some(({ metadata }) => metadata.annotations?.[ETCD_FORMED_ANNOTATION] !== 'false');
}

/** Ordinals that have a volume, counted from the first. */
function volumesOf(snapshot: Snapshot): number {
  const { etcd } = childNames(snapshot.cluster.metadata.name);
  const ordinals = etcdClaims(snapshot).map((claim) => ordinalOf(claim.metadata.name, etcd, `${DATA_VOLUME}-`) ?? -1);
  return Math.max(-1, ...ordinals) + 1;
}

/** Until it asks for its login everybody who reaches it could do anything. */
function guardOrders(guard: EtcdSnapshot['guard'], views: readonly EtcdMemberView[]): readonly Action[] {
  const one = views.find((view) => view.address !== undefined);
  return guard === 'off' && one ? orderTo(one, { do: 'guard' }, 'it answers nobody without the login any more') : [];
}

/**
 * The alarm of a member outlives it, and while it stands nobody takes a write, or is ready where data differ. One of the
 * number 0 is of nobody: etcd does not know who is right.
 */
function departedAlarmOrders(etcd: EtcdSnapshot | undefined, views: readonly EtcdMemberView[]): readonly Action[] {
  if (etcd?.members === undefined) return [];
  const known = new Set(['', '0', ...etcd.members.map(({ id }) => id)]);
  const by = views.find((view) => view.id !== undefined && !view.isLearner && view.address !== undefined);
  return etcd.alarms
    .filter(({ memberId }) => !known.has(memberId))
    .flatMap((alarm) => orderTo(by, { do: 'disarm', alarm }, 'the member whose alarm it was is none any more'));
}

interface MembersPlan {
  readonly replicas: number;
  readonly phase: EtcdProgress['phase'];
  readonly orders: readonly Action[];
}

/**
 * Growing: a pod more; it adds itself as a learner, which gets its vote when it has caught up. Shrinking: a member is
 * removed first (etcd-leaving.ts), and its pod goes when it is none any more. Made anew: as many as have a volume, for
 * fewer may be no quorum of those that the data name, and what never formed goes with its pod.
 */
function planMembers(
  wanted: number,
  etcd: EtcdSnapshot | undefined,
  views: readonly EtcdMemberView[],
  isFormed: boolean,
  volumes: number,
): MembersPlan {
  const told = etcd?.statefulSet?.spec.replicas;
  if (told === undefined || !isFormed) {
    const replicas = told ?? Math.max(wanted, volumes, toldBefore(etcd) ?? 0);
    return { replicas, phase: 'starting', orders: [] };
  }
  const promoting = promoteOrders(wanted, views);
  if (told < wanted) return { replicas: wanted, phase: 'out', orders: promoting };
  const leaving = views.filter((view) => view.ordinal >= wanted && view.id !== undefined);
  // Old volumes may know more members than there are pods, and nobody else would ever remove those.
  if (told === wanted && leaving.length === 0) return { replicas: wanted, phase: 'steady', orders: promoting };
  // Without a quorum nobody can be removed, so nobody goes.
  if (etcd?.members === undefined) return { replicas: told, phase: 'in-blocked', orders: [] };

  const step = nextLeaving(wanted, views);
  const highest = Math.max(wanted, ...leaving.map(({ ordinal }) => ordinal + 1));
  const replicas = Math.min(told, highest);
  switch (step.kind) {
    case 'gone':
      return { replicas: wanted, phase: 'in', orders: promoting };
    case 'joining':
      return { replicas: told, phase: 'in', orders: promoting };
    case 'blocked':
      return { replicas, phase: 'in-blocked', orders: [] };
    case 'order':
      return { replicas, phase: 'in', orders: orderTo(step.by, step.order, step.note) };
  }
}

/**
 * One at a time, as etcd allows no more; of those alone that shall stay. One that does not answer has caught up for all
 * its leader knows, and with a vote it could cost the quorum. Followers pass it on without the login (before 3.5.28 and
 * 3.6.6), which the leader refuses: hence to the leader or to nobody.
 */
function promoteOrders(wanted: number, views: readonly EtcdMemberView[]): readonly Action[] {
  const learner = views.find((view) => view.isLearner && view.isStarted && view.ordinal < wanted);
  if (learner?.id === undefined || learner.isTerminating || learner.address === undefined) return [];
  const leader = views.find((view) => view.isLeader && view.isUp);
  const note = `${learner.name} has caught up and counts for the quorum`;
  return orderTo(leader, { do: 'promote', id: learner.id }, note);
}

/** One at a time: what serves nobody first, then followers from the highest ordinal, the leader last. */
function planReplacing(
  wanted: number,
  views: readonly EtcdMemberView[],
  areNodesSettled: boolean,
  nowMs: number,
): RolloutPlan<EtcdMemberView> {
  const outdated = views.filter((view) => view.isOutdated);
  if (outdated.length === 0) return { kind: 'done' };
  const leaving = views.find((view) => view.isStopping);
  if (leaving) return { kind: 'wait', why: `${leaving.name} is stopping`, recheckMs: 5_000 };
  const broken = replaceBroken(wanted, views, nowMs);
  if (broken.kind === 'replace') return broken;
  if (!areNodesSettled) return { kind: 'wait', why: 'the nodes come before the members of etcd', recheckMs: 10_000 };

  const next = outdated
    .filter((view) => !view.isTerminating)
    .toSorted((a, b) => Number(a.isLeader) - Number(b.isLeader) || b.ordinal - a.ordinal)[0];
  if (next === undefined) return { kind: 'wait', why: 'a pod of etcd does not stop', recheckMs: 10_000 };
  for (let ordinal = 0; ordinal < wanted; ordinal++) {
    const view = views.find((one) => one.ordinal === ordinal);
    if (view === next) continue;
    if (!view?.isUp) return { kind: 'wait', why: `member ${ordinal} of etcd is not up`, recheckMs: 5_000 };
    const settledMs = nowMs - (view.readySinceMs ?? nowMs);
    if (settledMs < ROLL_SETTLE_MS) {
      return { kind: 'wait', why: `${view.name} has just become ready`, recheckMs: ROLL_SETTLE_MS - settledMs };
    }
  }
  return { kind: 'replace', pod: next };
}

/**
 * An outdated member that serves nobody goes without waiting for the others, else a broken image could never be put
 * right. One that answers may still vote, and so may one that failed a probe on a busy machine: hence the time.
 */
function replaceBroken(wanted: number, views: readonly EtcdMemberView[], nowMs: number): RolloutPlan<EtcdMemberView> {
  if (views.some((view) => view.isStopping)) return { kind: 'done' };
  const ready = views.filter((view) => view.isReady && view.ordinal < wanted).length;
  const afterMs = ready === wanted - 1 ? BROKEN_ALONE_MS : BROKEN_AMONG_OTHERS_MS;
  const broken = views.find(
    (view) =>
      view.isOutdated &&
      !view.isTerminating &&
      !view.isReady &&
      view.address === undefined &&
      nowMs - (view.unreadySinceMs ?? nowMs) >= afterMs,
  );
  return broken === undefined ? { kind: 'done' } : { kind: 'replace', pod: broken };
}

/** Only when all are up: a member that is defragmented answers nothing meanwhile. */
function planUpkeep(
  managed: ManagedEtcd,
  etcd: EtcdSnapshot | undefined,
  views: readonly EtcdMemberView[],
): readonly Action[] {
  if (!etcd || !areAllUp(managed, views)) return [];
  const isFull = etcd.alarms.some(({ alarm }) => alarm === 'NOSPACE');
  const bound = etcdQuotaBytes(managed) * DISARM_SHARE;
  const isBloated = ({ dbBytes = 0, dbBytesInUse = 0 }: EtcdMemberView) =>
    isFull && dbBytes > bound && dbBytesInUse <= bound
      ? dbBytes > dbBytesInUse * DEFRAGMENT_FULL_FACTOR
      : dbBytes > dbBytesInUse * DEFRAGMENT_FACTOR && (isFull || dbBytes >= DEFRAGMENT_BYTES_MIN);
  const bloated = views.filter(isBloated);
  const follower = bloated.find((view) => !view.isLeader);
  if (follower) return orderTo(follower, { do: 'defragment' }, `${follower.name} gives back what it does not use`);
  const leader = bloated[0];
  if (leader) {
    const heir = views.find((view) => view !== leader && view.isUp);
    if (!heir) return orderTo(leader, { do: 'defragment' }, `${leader.name} gives back what it does not use`);
    const note = `${heir.name} leads instead of ${leader.name}, which is to be defragmented`;
    return orderTo(leader, { do: 'move-leader', to: heir.id as string }, note);
  }
  if (!isFull || views.some(({ dbBytes = 0 }) => dbBytes > bound)) return [];
  return etcd.alarms
    .filter(({ alarm }) => alarm === 'NOSPACE')
    .flatMap((alarm) => orderTo(views[0], { do: 'disarm', alarm }, 'there is space again: it takes writes'));
}

function areAllUp(managed: ManagedEtcd, views: readonly EtcdMemberView[]): boolean {
  return views.filter((view) => view.isUp && view.ordinal < managed.members).length === managed.members;
}

function orderTo(view: EtcdMemberView | undefined, order: EtcdOrder, note: string): readonly Action[] {
  return view?.address === undefined ? [] : [{ kind: 'etcd', address: view.address, order, note }];
}
