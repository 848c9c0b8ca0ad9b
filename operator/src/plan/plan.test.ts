import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { NacosClusterStatus } from '../generated/nacos-cluster.ts';
import type { ConfigMap, PersistentVolumeClaim, StatefulSet } from '../kube/objects.ts';
import { memberListConfigMap } from '../resources/member-list.ts';
import type { Snapshot } from '../snapshot.ts';
import {
  aCluster,
  address,
  aPod,
  aReport,
  aSnapshot,
  aStatefulSet,
  asStored,
  DEFAULTS,
  MYSQL,
  NOW,
  reportsOf,
} from '../testing/fixtures.ts';
import type { Action } from './actions.ts';
import { plan } from './plan.ts';

const OLD = isoTime(NOW - 600_000);
const EMBEDDED = { embedded: { size: '1Gi' } };

function written(count: number, generation = 1, changedAt = OLD): ConfigMap {
  const members = Array.from({ length: count }, (_, i) => address(i));
  return asStored(memberListConfigMap(aCluster(), { generation, members }, changedAt, undefined), '30');
}

/** Three members, all as they shall be. */
function steady(rest: Partial<Snapshot> = {}): Snapshot {
  return aSnapshot(aCluster(), {
    memberList: written(3),
    statefulSet: aStatefulSet(3),
    pods: [aPod(0), aPod(1), aPod(2)],
    reports: reportsOf([0, 1, 2], 3),
    ...rest,
  });
}

function planned(snapshot: Snapshot): readonly Action[] {
  return plan(snapshot, NOW, DEFAULTS);
}

function applied<T>(actions: readonly Action[], plural: string, name?: string): T | undefined {
  for (const action of actions) {
    if (action.kind !== 'apply' || action.type.plural !== plural) continue;
    const object = action.object as { metadata: { name: string } };
    if (name === undefined || object.metadata.name === name) return action.object as T;
  }
  return undefined;
}

function listOf(actions: readonly Action[]): { generation: number; count: number; changedAt: string } {
  const map = applied<ConfigMap>(actions, 'configmaps') as ConfigMap;
  const lines = (map.data?.['cluster.conf'] ?? '').trimEnd().split('\n');
  const changedAt = map.metadata.annotations?.['nacos-kube.dev/changed-at'] as string;
  return { generation: Number(/generation=(\d+)/.exec(lines[0] ?? '')?.[1]), count: lines.length - 1, changedAt };
}

function replicasOf(actions: readonly Action[]): number | undefined {
  return applied<StatefulSet>(actions, 'statefulsets')?.spec.replicas;
}

function deletions(actions: readonly Action[]): string[] {
  return actions.flatMap((action) => (action.kind === 'delete' ? [`${action.type.plural}/${action.name}`] : []));
}

function statusOf(actions: readonly Action[]): NacosClusterStatus | undefined {
  return actions.flatMap((action) => (action.kind === 'status' ? [action.status] : []))[0];
}

function conditionText(actions: readonly Action[], type = 'Ready'): string {
  const found = statusOf(actions)?.conditions?.find((one) => one.type === type);
  return `${found?.status} ${found?.reason}`;
}

function events(actions: readonly Action[]): string[] {
  return actions.flatMap((action) => (action.kind === 'event' ? [action.reason] : []));
}

/** The same snapshot as the next look sees it: with the status that was planned. */
function withStatus(snapshot: Snapshot, status = statusOf(planned(snapshot))): Snapshot {
  return { ...snapshot, cluster: { ...snapshot.cluster, ...(status ? { status } : {}) } };
}

test('the first pass makes every child, in an order in which none lacks another, and says Ready Unknown', () => {
  const actions = planned(aSnapshot(aCluster(), { hasClusterKey: false }));
  assert.deepEqual(
    actions.map((action) => (action.kind === 'apply' ? action.type.kind : action.kind)),
    [
      'create-cluster-key',
      'ServiceAccount',
      'Role',
      'RoleBinding',
      'ConfigMap',
      'Service',
      'Service',
      'StatefulSet',
      'PodDisruptionBudget',
      'event',
      'status',
      'recheck',
    ],
  );
  assert.equal(conditionText(actions), 'Unknown Converging');
  assert.deepEqual(listOf(actions), { generation: 1, count: 3, changedAt: isoTime(NOW) });
});

test('one replica with the embedded store has no disruption budget and runs alone', () => {
  const actions = planned(aSnapshot(aCluster({ replicas: 1, storage: EMBEDDED })));
  assert.equal(applied(actions, 'poddisruptionbudgets'), undefined);
  assert.match(JSON.stringify(applied(actions, 'statefulsets')), /"--mode","standalone"/);
  assert.doesNotMatch(JSON.stringify(applied(actions, 'statefulsets')), /MYSQL/);
});

test('a disruption budget of a cluster that shrank to one member is removed', () => {
  const disruptionBudget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'demo', uid: 'pdb-uid' },
  };
  const actions = planned(
    aSnapshot(aCluster({ replicas: 1 }), { statefulSet: aStatefulSet(1), memberList: written(1), disruptionBudget }),
  );
  assert.deepEqual(deletions(actions), ['poddisruptionbudgets/demo']);
});

test('with mysql the login comes as files and never stands in the pod', () => {
  const text = JSON.stringify(applied(planned(aSnapshot(aCluster())), 'statefulsets'));
  assert.match(text, /"MYSQL_SERVICE_PASSWORD_FILE","value":"\/etc\/nacos-kube\/mysql\/password"/);
  assert.doesNotMatch(text, /secretKeyRef/);
});

test('a steady cluster is Ready, and its status is written once', () => {
  const first = planned(steady());
  assert.equal(conditionText(first), 'True AllMembersReady');
  assert.equal(conditionText(first, 'MembersConsistent'), 'True AllMembersReady');
  const second = planned(withStatus(steady()));
  assert.equal(statusOf(second), undefined);
  assert.deepEqual(events(second), []);
  assert.deepEqual(second.at(-1), { kind: 'recheck', afterMs: 60_000 });
});

test('planning is idempotent: a steady cluster is told what it has', () => {
  const actions = planned(steady());
  assert.deepEqual(listOf(actions), { generation: 1, count: 3, changedAt: OLD });
  assert.equal(replicasOf(actions), 3);
  assert.deepEqual(deletions(actions), []);
});

test('whatever pods and members are seen, list and replicas stay as the manifest says', () => {
  const looks: Partial<Snapshot>[] = [
    { pods: [], reports: new Map() },
    { pods: [aPod(0)], reports: reportsOf([0], 1) },
    { pods: [aPod(0, { isReady: false }), aPod(1, { isTerminating: true })] },
    { pods: [aPod(0), aPod(1), aPod(2), aPod(7)], reports: reportsOf([0, 1, 2], 8) },
    { statefulSet: undefined },
    { memberList: undefined },
  ];
  for (const look of looks) {
    const actions = planned(steady(look));
    assert.equal(listOf(actions).count, 3);
    assert.equal(replicasOf(actions), 3);
    assert.deepEqual(deletions(actions), []);
  }
});

test('no spec of the pod knows how many members there are, so scaling restarts nobody', () => {
  const template = (replicas: number) =>
    (applied(planned(aSnapshot(aCluster({ replicas }))), 'statefulsets') as { spec: { template: object } }).spec
      .template;
  assert.deepEqual(template(3), template(5));
  assert.deepEqual(template(3), template(1));
});

test('scaling 3 > 5 lists and starts two more at once', () => {
  const actions = planned({ ...steady(), cluster: aCluster({ replicas: 5 }) });
  assert.deepEqual(listOf(actions), { generation: 2, count: 5, changedAt: isoTime(NOW) });
  assert.equal(replicasOf(actions), 5);
  assert.equal(conditionText(actions), 'False ScalingOut');
  assert.ok(events(actions).includes('MemberListChanged'));
});

test('scaling 5 > 3 shrinks the list, hears the others, then lets the pods go', () => {
  const five = { statefulSet: aStatefulSet(5), pods: [0, 1, 2, 3, 4].map((ordinal) => aPod(ordinal)) };
  const shrink = planned(steady({ ...five, memberList: written(5, 4), reports: reportsOf([0, 1, 2, 3, 4], 5) }));
  assert.deepEqual(listOf(shrink), { generation: 5, count: 3, changedAt: isoTime(NOW) });
  assert.equal(replicasOf(shrink), 5);
  assert.equal(conditionText(shrink), 'False ScalingIn');
  assert.deepEqual(shrink.at(-1), { kind: 'recheck', afterMs: 1_000 });

  const justWritten = { ...five, memberList: written(3, 5, isoTime(NOW - 1_000)) };
  const deaf = new Map([...reportsOf([0, 1], 3), ['demo-2', aReport(5)]]);
  assert.equal(replicasOf(planned(steady({ ...justWritten, reports: deaf }))), 5);
  const obeyed = planned(steady({ ...justWritten, reports: reportsOf([0, 1, 2], 3) }));
  assert.equal(replicasOf(obeyed), 3);
  assert.equal(applied<StatefulSet>(obeyed, 'statefulsets')?.metadata.resourceVersion, '20', 'refused on a stale view');
});

test('scale-in that would take the last ready members is refused and told', () => {
  const pods = [aPod(0, { isReady: false }), aPod(1, { isReady: false }), aPod(2)];
  const snapshot = { ...steady({ pods }), cluster: aCluster({ replicas: 2 }) };
  const actions = planned(snapshot);
  assert.equal(listOf(actions).count, 3);
  assert.equal(replicasOf(actions), 3);
  assert.equal(conditionText(actions), 'False ScaleInBlocked');
  assert.ok(events(actions).includes('ScaleInBlocked'));
});

test('a new image replaces one member at a time', () => {
  const statefulSet = aStatefulSet(3, 'r2');
  const first = planned(steady({ statefulSet }));
  assert.deepEqual(deletions(first), ['pods/demo-2']);
  assert.equal(conditionText(first), 'False RollingUpdate');
  assert.ok(events(first).includes('RollingUpdateStarted'));

  const starting = aPod(2, { revision: 'r2', isReady: false });
  assert.deepEqual(deletions(planned(steady({ statefulSet, pods: [aPod(0), aPod(1), starting] }))), []);
  const fresh = aPod(2, { revision: 'r2', readySinceMs: NOW - 3_000 });
  const settling = planned(steady({ statefulSet, pods: [aPod(0), aPod(1), fresh] }));
  assert.deepEqual(deletions(settling), []);
  assert.deepEqual(settling.at(-1), { kind: 'recheck', afterMs: 7_000 });
  const settled = planned(steady({ statefulSet, pods: [aPod(0), aPod(1), aPod(2, { revision: 'r2' })] }));
  assert.deepEqual(deletions(settled), ['pods/demo-1']);
});

test('no pod is replaced before the controller has taken up the change', () => {
  const statefulSet = aStatefulSet(3, 'r2', {
    metadata: { ...aStatefulSet(3).metadata, generation: 2 },
    status: { observedGeneration: 1, updateRevision: 'r2' },
  });
  assert.deepEqual(deletions(planned(steady({ statefulSet }))), []);
});

test('a member that was ready and is not any more is told, and the cluster is degraded', () => {
  const before = withStatus(steady());
  const actions = planned({ ...before, pods: [aPod(0), aPod(1), aPod(2, { isReady: false })] });
  assert.deepEqual(events(actions), ['MemberLost']);
  assert.equal(conditionText(actions), 'False MemberNotReady');
  assert.equal(conditionText(actions, 'Degraded'), 'True MemberNotReady');
  assert.equal(conditionText(actions, 'Available'), 'True MemberNotReady');
  assert.equal(statusOf(actions)?.readyReplicas, 2);
});

test('members that obey different lists are a split, once the list has had its time', () => {
  const reports = new Map([...reportsOf([0, 1], 3), ['demo-2', aReport(2)]]);
  const actions = planned({ ...withStatus(steady()), reports });
  assert.equal(conditionText(actions), 'False MembershipSplit');
  assert.equal(conditionText(actions, 'MembersConsistent'), 'False MembershipSplit');
  const young = planned({ ...withStatus(steady()), reports, memberList: written(3, 1, isoTime(NOW - 5_000)) });
  assert.equal(conditionText(young), 'False Converging');
});

test('a damaged list is written again above the last generation that was told', () => {
  const memberList = { ...written(3), data: { 'cluster.conf': 'torn' } };
  const cluster = aCluster({}, { status: { readyReplicas: 3, memberList: { generation: 9 } } });
  assert.deepEqual(listOf(planned({ ...steady({ memberList }), cluster })).generation, 10);
});

test('times of conditions change only with their status', () => {
  const cluster = withStatus(steady()).cluster;
  const later = plan({ ...steady({ pods: [aPod(0), aPod(1)] }), cluster }, NOW + 5_000, DEFAULTS);
  const times = new Map(statusOf(later)?.conditions?.map((one) => [one.type, one.lastTransitionTime]));
  assert.equal(times.get('Ready'), '2026-01-31T10:00:05Z');
  assert.equal(times.get('Available'), '2026-01-31T10:00:00Z');
});

test('a paused cluster is only looked at', () => {
  const cluster = aCluster(
    { replicas: 5 },
    { metadata: { ...aCluster().metadata, annotations: { 'nacos-kube.dev/paused': 'true' } } },
  );
  const actions = planned({ ...steady({ statefulSet: aStatefulSet(3, 'r2') }), cluster });
  assert.deepEqual(
    new Set(actions.map((action) => action.kind).filter((kind) => kind !== 'event')),
    new Set(['status', 'recheck']),
  );
  assert.equal(conditionText(actions), 'False Paused');
  assert.equal(statusOf(actions)?.memberList, undefined);
  assert.deepEqual(events(actions).includes('MemberListChanged'), false);
});

test('a cluster that is being deleted is left to its owner references', () => {
  const cluster = aCluster({}, { metadata: { ...aCluster().metadata, deletionTimestamp: isoTime(NOW) } });
  assert.deepEqual(planned({ ...steady(), cluster }), []);
});

test('a missing login of the database says what to do', () => {
  const databaseSecretProblem = 'make the Secret db-login with the keys user and password';
  const actions = planned(
    aSnapshot(aCluster(), { databaseSecretProblem, statefulSet: aStatefulSet(3), memberList: written(3) }),
  );
  assert.equal(conditionText(actions), 'False DatabaseSecretInvalid');
  assert.ok(events(actions).includes('DatabaseSecretInvalid'));
});

test('claims grow to the size of the manifest, and the template keeps what it had', () => {
  const claim = (ordinal: number, storage: string): PersistentVolumeClaim => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: `data-demo-${ordinal}`, namespace: 'shop' },
    spec: { resources: { requests: { storage } } },
  });
  const template = { ...claim(0, '1Gi'), metadata: { name: 'data' } };
  const { mysql } = MYSQL;
  const storage = { mysql: { ...mysql, volume: { size: '2Gi' } } };
  const actions = planned({
    ...steady({
      statefulSet: { ...aStatefulSet(3), spec: { replicas: 3, volumeClaimTemplates: [template] } },
      claims: [claim(0, '1Gi'), claim(1, '2048Mi'), claim(2, '500M')],
    }),
    cluster: aCluster({ storage }),
  });
  const grown = actions.flatMap((action) =>
    action.kind === 'apply' && action.type.plural === 'persistentvolumeclaims'
      ? [action.object as PersistentVolumeClaim]
      : [],
  );
  assert.deepEqual(
    grown.map(({ metadata }) => metadata.name),
    ['data-demo-0', 'data-demo-2'],
  );
  const set = applied<StatefulSet>(actions, 'statefulsets');
  assert.equal(set?.spec.volumeClaimTemplates?.[0]?.spec.resources?.requests?.storage, '1Gi');
});

test('the pod is locked down and only the sidecar has a token', () => {
  const set = applied<{ spec: { template: { spec: PodSpec } } }>(planned(aSnapshot(aCluster())), 'statefulsets');
  const { spec } = (set as NonNullable<typeof set>).spec.template;
  assert.equal(spec.automountServiceAccountToken, false);
  for (const container of [...spec.initContainers, ...spec.containers]) {
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    });
  }
  const mounts = (container: { volumeMounts: readonly { name: string }[] }) =>
    container.volumeMounts.map(({ name }) => name);
  assert.ok(mounts(spec.initContainers[0]!).includes('api-token'));
  assert.ok(!mounts(spec.containers[0]!).includes('api-token'));
});

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
}
interface Container {
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string }[];
}
