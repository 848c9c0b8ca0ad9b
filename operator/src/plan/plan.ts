import { isoTime } from '@nacos-kube/core/host/time.ts';
import { memberListHash } from '@nacos-kube/core/model/member-list.ts';
import { isTerminating } from '../kube/objects.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
} from '../kube/resource-types.ts';
import { serviceAccount, sidecarRole, sidecarRoleBinding } from '../resources/access.ts';
import { disruptionBudget } from '../resources/disruption-budget.ts';
import { memberListConfigMap } from '../resources/member-list.ts';
import { memberAddress, PAUSED_ANNOTATION } from '../resources/names.ts';
import type { PodDefaults } from '../resources/pod.ts';
import { headlessService, vipService } from '../resources/services.ts';
import { statefulSet } from '../resources/stateful-set.ts';
import { isChoiceWritten } from '../resources/storage.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Action } from './actions.ts';
import { claimGrowth } from './claims.ts';
import { planEtcd } from './etcd.ts';
import { etcdActions } from './etcd-children.ts';
import { nextMemberList } from './members.ts';
import type { RolloutPlan } from './rollout.ts';
import { planRollout } from './rollout.ts';
import { planScale } from './scale.ts';
import type { Progress } from './status.ts';
import { planChoice, planStatus } from './status.ts';
import { agreesWith, memberViews, writtenList } from './views.ts';

/**
 * What to do so that the cluster becomes what its manifest says. Pure: the same snapshot gives the same actions, and
 * doing them twice does no harm. How many members there shall be comes from the manifest alone, never from what was
 * seen: a blind or stale look changes nothing for the worse.
 */
export function plan(snapshot: Snapshot, nowMs: number, defaults: PodDefaults): readonly Action[] {
  const { cluster } = snapshot;
  if (isTerminating(cluster)) return []; // its children go with it, its volumes stay
  // Which store it is stands fast before anything is made of it, so that nobody's scaling comes in between.
  if (cluster.spec.storage === undefined && !isChoiceWritten(cluster)) return planChoice(cluster);
  const isPaused = cluster.metadata.annotations?.[PAUSED_ANNOTATION] === 'true';

  const progress = planProgress(snapshot, nowMs, defaults);
  const store = progress.etcd ? etcdActions(snapshot, progress.etcd, defaults) : [];
  const nodes = [...childActions(snapshot, progress, defaults), ...rolloutActions(progress.rollout)];
  const changes = isPaused ? [] : [...store, ...nodes];
  return [...changes, ...planStatus(snapshot, progress, isPaused, nowMs, defaults)];
}

/** Where the cluster stands between what is and what shall be. */
function planProgress(snapshot: Snapshot, nowMs: number, defaults: PodDefaults): Progress {
  const { cluster } = snapshot;
  const views = memberViews(snapshot, defaults.clusterDomain, nowMs);
  const written = writtenList(snapshot);
  const addresses = (count: number) =>
    Array.from({ length: count }, (_, ordinal) => memberAddress(cluster, ordinal, defaults.clusterDomain));
  const lastGeneration = cluster.status?.memberList?.generation ?? 0;

  const wantedList = nextMemberList(written.parsed, addresses(cluster.spec.replicas), lastGeneration);
  const isWritten = written.parsed?.kind === 'sealed' && written.parsed.generation === wantedList.generation;
  const scale = planScale({
    wanted: cluster.spec.replicas,
    told: snapshot.statefulSet?.spec.replicas,
    readyOrdinals: views.filter((view) => view.isReady).map((view) => view.ordinal),
    isListObeyed: views
      .filter((view) => view.isReady && view.ordinal < cluster.spec.replicas)
      .every((view) => agreesWith(view, snapshot, wantedList.members) === true),
    sinceListChangeMs: isWritten ? nowMs - (written.changedAtMs ?? nowMs) : undefined,
  });

  const list =
    scale.listed === cluster.spec.replicas
      ? wantedList
      : nextMemberList(written.parsed, addresses(scale.listed), lastGeneration);
  const isListChanging = written.parsed?.kind !== 'sealed' || written.parsed.generation !== list.generation;
  const changedAt = isListChanging || written.changedAt === undefined ? isoTime(nowMs) : written.changedAt;
  const sinceListChangeMs = isListChanging ? 0 : nowMs - (written.changedAtMs ?? nowMs);
  const members = views.map((view) => ({ ...view, listAgrees: agreesWith(view, snapshot, list.members) }));
  const rollout: RolloutPlan =
    scale.phase === 'steady'
      ? planRollout({
          replicas: scale.replicas,
          pods: views,
          isSplit: members.some((member) => member.isReady && member.listAgrees === false),
          nowMs,
        })
      : { kind: 'done' };
  return {
    scale,
    list,
    listHash: memberListHash(list.members),
    isListChanging,
    changedAt,
    sinceListChangeMs,
    members,
    rollout,
    etcd: planEtcd(snapshot, scale.phase === 'steady' && rollout.kind === 'done', nowMs),
  };
}

function childActions(snapshot: Snapshot, progress: Progress, defaults: PodDefaults): readonly Action[] {
  const { cluster, disruptionBudget: budget } = snapshot;
  const told = snapshot.statefulSet?.spec.replicas;
  const shrinks = told !== undefined && progress.scale.replicas < told;
  const claimTemplates = snapshot.statefulSet?.spec.volumeClaimTemplates;
  return [
    ...(snapshot.hasClusterKey ? [] : [{ kind: 'create-cluster-key' } as const]),
    { kind: 'apply', type: SERVICE_ACCOUNTS, object: serviceAccount(cluster) },
    { kind: 'apply', type: ROLES, object: sidecarRole(cluster) },
    { kind: 'apply', type: ROLE_BINDINGS, object: sidecarRoleBinding(cluster) },
    {
      kind: 'apply',
      type: CONFIG_MAPS,
      // A list that changes is written only over the one it was made from.
      object: memberListConfigMap(
        cluster,
        progress.list,
        progress.changedAt,
        progress.isListChanging ? snapshot.memberList?.metadata.resourceVersion : undefined,
      ),
    },
    { kind: 'apply', type: SERVICES, object: headlessService(cluster) },
    { kind: 'apply', type: SERVICES, object: vipService(cluster) },
    ...nodes(),
    ...claimGrowth(snapshot).map((object) => ({ kind: 'apply', type: CLAIMS, object }) as const),
    ...disruptionBudgetActions(),
  ];

  /** Not before their store serves and asks for its login: they would only fail until then. */
  function nodes(): readonly Action[] {
    if (snapshot.statefulSet === undefined && progress.etcd && progress.etcd.guard !== 'on') return [];
    const wish = {
      replicas: progress.scale.replicas,
      ...(claimTemplates && claimTemplates.length > 0 ? { claimTemplates } : {}),
      ...(shrinks && snapshot.statefulSet?.metadata.resourceVersion !== undefined
        ? { resourceVersion: snapshot.statefulSet.metadata.resourceVersion }
        : {}),
    };
    return [{ kind: 'apply', type: STATEFUL_SETS, object: statefulSet(cluster, wish, defaults) }];
  }

  /** A budget of a single member would block every drain of its machine. */
  function disruptionBudgetActions(): readonly Action[] {
    if (cluster.spec.replicas > 1) {
      return [{ kind: 'apply', type: DISRUPTION_BUDGETS, object: disruptionBudget(cluster) }];
    }
    if (!budget?.metadata.uid) return [];
    const { name, uid } = budget.metadata;
    return [{ kind: 'delete', type: DISRUPTION_BUDGETS, name, uid, why: 'one replica has no disruption budget' }];
  }
}

function rolloutActions(rollout: RolloutPlan): readonly Action[] {
  if (rollout.kind !== 'replace') return [];
  const { name, uid } = rollout.pod;
  return [
    { kind: 'event', type: 'Normal', reason: 'ReplacingMember', note: `replacing ${name} with the new revision` },
    { kind: 'delete', type: PODS, name, uid, why: 'rolling update' },
  ];
}
