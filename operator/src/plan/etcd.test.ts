import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NacosClusterStatus } from '../generated/nacos-cluster.ts';
import type { ConfigMap, PersistentVolumeClaim, StatefulSet } from '../kube/objects.ts';
import { etcdLoginSecret } from '../resources/etcd.ts';
import type { EtcdSnapshot, Snapshot } from '../snapshot.ts';
import {
  anEtcd,
  anEtcdCluster,
  etcdMember,
  etcdPod,
  etcdReport,
  etcdReports,
  etcdSet,
} from '../testing/etcd-fixtures.ts';
import { aCluster, aSnapshot, aStatefulSet, NOW } from '../testing/fixtures.ts';
import { applied, condition, deletions, kinds, orders, planned, statusOf, steady } from '../testing/planned-etcd.ts';
import type { Action } from './actions.ts';

const MIB = 1024 * 1024;

/** A NacosCluster that names no store. */
function unnamed(replicas: number, status?: NacosClusterStatus): Snapshot {
  const { storage: _none, ...spec } = aCluster({ replicas }).spec;
  return aSnapshot({ ...aCluster(), spec, ...(status ? { status } : {}) });
}

const chosen = (kind: 'embedded' | 'etcd'): NacosClusterStatus => ({
  readyReplicas: 0,
  storage: { kind, managed: kind === 'etcd' },
});

function etcdClaim(ordinal: number, mark?: string, storage = '4Gi'): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `data-demo-etcd-${ordinal}`,
      ...(mark === undefined ? {} : { annotations: { 'nacos-kube.dev/etcd-formed': mark } }),
    },
    spec: { resources: { requests: { storage } } },
  };
}

function claimsOf(actions: readonly Action[]): readonly PersistentVolumeClaim[] {
  return actions.flatMap((action) =>
    action.kind === 'apply' && action.type.kind === 'PersistentVolumeClaim'
      ? [action.object as PersistentVolumeClaim]
      : [],
  );
}

function marksOf(actions: readonly Action[]): readonly string[] {
  return claimsOf(actions).map(
    ({ metadata }) => `${metadata.name} ${metadata.annotations?.['nacos-kube.dev/etcd-formed']}`,
  );
}

test('which store it is stands in the status before anything is made, and fails on a stale look', () => {
  for (const [replicas, kind] of [
    [1, 'embedded'],
    [2, 'etcd'],
    [3, 'etcd'],
  ] as const) {
    const actions = planned(unnamed(replicas));
    assert.deepEqual(kinds(actions), ['status', 'recheck']);
    assert.deepEqual(statusOf(actions)?.storage, { kind, managed: kind === 'etcd' });
    assert.equal(actions[0]?.kind === 'status' && actions[0].resourceVersion, '10');
  }
});

test('the choice stays: an embedded one keeps its file, an etcd stays when one replica is left', () => {
  const embedded = planned(unnamed(1, chosen('embedded')));
  assert.equal(applied(embedded, 'StatefulSet', 'demo-etcd'), undefined);
  assert.match(JSON.stringify(applied(embedded, 'StatefulSet', 'demo')), /"standalone"/);
  const etcd = planned(unnamed(1, chosen('etcd')));
  assert.equal(applied<StatefulSet>(etcd, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3);
  assert.equal(statusOf(etcd)?.store, 'etcd');
});

test('the store is made first, and the nodes not before it serves and asks for its login', () => {
  const fresh = planned(
    aSnapshot(
      { ...anEtcdCluster(), status: { readyReplicas: 0 } },
      {
        etcd: {
          ...anEtcd(3),
          members: undefined,
          guard: 'unknown',
          statefulSet: undefined,
          settings: undefined,
          hasLogin: false,
          pods: [],
          reports: new Map(),
        },
      },
    ),
  );
  assert.deepEqual(kinds(fresh).slice(0, 6), [
    'create-etcd-login',
    'ConfigMap demo-etcd',
    'Service demo-etcd',
    'NetworkPolicy demo-etcd',
    'StatefulSet demo-etcd',
    'PodDisruptionBudget demo-etcd',
  ]);
  assert.equal(applied(fresh, 'StatefulSet', 'demo'), undefined);
  assert.deepEqual(applied<ConfigMap>(fresh, 'ConfigMap', 'demo-etcd')?.data, { state: 'new', members: '3' });
  assert.equal(condition(fresh, 'Ready'), 'Unknown Converging');
  assert.equal(condition(fresh, 'DatabaseReady'), 'False DatabaseStarting');

  const { status: _none, ...young } = anEtcdCluster();
  const serving = planned(aSnapshot(young, { etcd: anEtcd(3, { guard: 'off', settings: undefined }) }));
  assert.deepEqual(orders(serving), ['guard by 10.244.1.10']);
  assert.equal(applied(serving, 'StatefulSet', 'demo'), undefined);
  assert.equal(applied<ConfigMap>(serving, 'ConfigMap', 'demo-etcd')?.data?.['state'], 'existing');
  assert.equal(statusOf(serving)?.storage?.formed, true);

  const guarded = planned(aSnapshot(young, { etcd: anEtcd(3) }));
  const text = JSON.stringify(applied(guarded, 'StatefulSet', 'demo'));
  assert.match(text, /http:\/\/demo-etcd-0\.demo-etcd\.shop\.svc\.cluster\.local:2379,http:\/\/demo-etcd-1\./);
  assert.match(text, /"NACOS_KUBE_ETCD_PASSWORD_FILE","value":"\/etc\/nacos-kube\/etcd\/password"/);
  assert.doesNotMatch(text, /secretKeyRef/);
});

test('a store that formed once never begins anew, be its ConfigMap lost and nobody there', () => {
  const actions = planned(
    steady({ settings: undefined, members: undefined, guard: 'unknown', reports: new Map(), pods: [] }),
  );
  assert.deepEqual(applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data, { state: 'existing', members: '3' });
  assert.ok(applied(actions, 'StatefulSet', 'demo'), 'nodes that are there stay');
  assert.equal(condition(actions, 'DatabaseReady'), 'False QuorumLost');
  assert.equal(condition(actions, 'Ready'), 'False QuorumLost');
});

test('members that are ready but were not heard lose nobody the quorum', () => {
  const silent = { members: undefined, guard: 'unknown', reports: new Map() } as const;
  const all = planned(steady(silent));
  assert.equal(condition(all, 'DatabaseReady'), 'Unknown MembersNotHeard');
  assert.equal(condition(all, 'Ready'), 'True AllMembersReady');
  const pods = [etcdPod(0), etcdPod(1, { isReady: false }), etcdPod(2, { isReady: false })];
  assert.equal(condition(planned(steady({ ...silent, pods })), 'DatabaseReady'), 'False QuorumLost');
});

test('a NacosCluster that is made anew goes on with the volumes of the one before it', () => {
  const none = { settings: undefined, statefulSet: undefined, members: undefined, pods: [], reports: new Map() };
  const { status: _none, ...cluster } = anEtcdCluster();
  const claim = (name: string) => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec: {} });
  const stateWith = (...names: string[]) => {
    const actions = planned(aSnapshot(cluster, { etcd: anEtcd(3, none), claims: names.map(claim) }));
    return applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data?.['state'];
  };
  assert.equal(stateWith('data-demo-0'), 'new');
  assert.equal(stateWith('data-demo-0', 'data-demo-etcd-1'), 'existing');
  assert.equal(etcdLoginSecret(cluster, 'p').metadata?.ownerReferences, undefined, 'the login stays with them');
});

test('a NacosCluster that is made anew with fewer members starts all that have a volume, and takes away the others then', () => {
  const none = { settings: undefined, statefulSet: undefined, members: undefined, pods: [], reports: new Map() };
  const { status: _none, ...cluster } = anEtcdCluster(1);
  const claims = [0, 1, 2].map((ordinal) => etcdClaim(ordinal, 'true'));
  const made = planned(aSnapshot(cluster, { etcd: anEtcd(3, none), claims }));
  assert.equal(applied<StatefulSet>(made, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3, 'one of three is no quorum');
  assert.deepEqual(applied<ConfigMap>(made, 'ConfigMap', 'demo-etcd')?.data, { state: 'existing', members: '3' });
  const serving = planned(aSnapshot(cluster, { etcd: anEtcd(3), claims }));
  assert.deepEqual(orders(serving), ['remove-member by 10.244.1.10']);
});

test('volumes of a store that never formed are not what the next NacosCluster of the name waits for', () => {
  const claims = [0, 1, 2].map((ordinal) => etcdClaim(ordinal));
  const never = { settings: undefined, members: undefined, guard: 'unknown', reports: new Map(), pods: [] } as const;
  const { status: _none, ...young } = anEtcdCluster();
  const starting = planned(aSnapshot(young, { etcd: anEtcd(3, never), claims }));
  assert.deepEqual(marksOf(starting), ['data-demo-etcd-0 false', 'data-demo-etcd-1 false', 'data-demo-etcd-2 false']);
  const formed = planned({ ...steady(), claims: [...claims.slice(1), etcdClaim(0, 'true')] });
  assert.deepEqual(marksOf(formed), ['data-demo-etcd-1 true', 'data-demo-etcd-2 true']);

  const anew = (...marks: (string | undefined)[]) => {
    const left = marks.map((mark, ordinal) => etcdClaim(ordinal, mark));
    const actions = planned(aSnapshot(young, { etcd: anEtcd(3, { ...never, statefulSet: undefined }), claims: left }));
    return applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data?.['state'];
  };
  assert.equal(anew('false', 'false', 'false'), 'new');
  assert.equal(anew('false', 'true', 'false'), 'existing');
  assert.equal(anew(undefined), 'existing', 'of a version that made no marks');
});

test('volumes that never formed get a pod each, which goes with them, and as many members begin as are wanted', () => {
  const { status: _none, ...young } = anEtcdCluster(1);
  const claims = [0, 1, 2].map((ordinal) => etcdClaim(ordinal, 'false'));
  const none = { members: undefined, guard: 'unknown', reports: new Map(), pods: [] } as const;
  const made = (rest: Partial<EtcdSnapshot>) => {
    const actions = planned(aSnapshot(young, { etcd: anEtcd(3, { ...none, ...rest }), claims }));
    const replicas = applied<StatefulSet>(actions, 'StatefulSet', 'demo-etcd')?.spec.replicas;
    return [replicas, applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data];
  };
  const settings = (members: string) => ({ data: { state: 'new', members } }) as unknown as ConfigMap;
  assert.deepEqual(made({ settings: undefined, statefulSet: undefined }), [3, { state: 'new', members: '1' }]);
  assert.deepEqual(made({ settings: settings('1') }), [3, { state: 'new', members: '1' }], 'as it began');
  assert.deepEqual(made({ settings: settings('3') }), [3, { state: 'new', members: '3' }], 'as it began');
  const formed = { settings: settings('1'), members: [etcdMember(0)], guard: 'on', reports: etcdReports(1) } as const;
  assert.deepEqual(made({ ...formed, pods: [etcdPod(0)] }), [1, { state: 'existing', members: '1' }]);
});

test('a volume of etcd keeps its mark when it grows', () => {
  const cluster = anEtcdCluster();
  const grown = (mark?: string) => {
    const actions = planned({ ...steady(), cluster, claims: [etcdClaim(0, mark, '1Gi'), etcdClaim(1, 'true')] });
    return claimsOf(actions).map(({ metadata, spec }) => [
      metadata.annotations?.['nacos-kube.dev/etcd-formed'],
      spec.resources?.requests?.['storage'],
    ]);
  };
  assert.deepEqual(grown(), [['true', '1Gi']]);
  assert.deepEqual(grown('true'), [['true', '4Gi']]);
});

test('a steady store costs nothing, and each member stands in the status', () => {
  const actions = planned(steady());
  assert.deepEqual([orders(actions), deletions(actions)], [[], []]);
  assert.equal(condition(actions, 'Ready'), 'True AllMembersReady');
  assert.equal(condition(actions, 'DatabaseReady'), 'True AllMembersReady');
  const recheck = actions.find(({ kind }) => kind === 'recheck');
  assert.equal(recheck?.kind === 'recheck' && recheck.afterMs, 15_000, 'alarms are told by nobody');
  assert.deepEqual(statusOf(actions)?.storage?.members?.[0], {
    name: 'demo-etcd-0',
    id: '64',
    state: 'UP',
    leader: true,
    version: '3.6.5',
    dbSize: '1Mi',
  });
  const next = planned({
    ...steady(),
    cluster: { ...anEtcdCluster(), status: statusOf(actions) as NacosClusterStatus },
  });
  assert.equal(statusOf(next), undefined, 'the same status is not written again');
});

test('a new revision: the nodes first, then followers from the highest, the leader last and after it handed over', () => {
  const outdated = { statefulSet: etcdSet(3, 'r2') };
  const nodesToo = planned({ ...steady(outdated), statefulSet: aStatefulSet(3, 'r2') });
  assert.deepEqual(deletions(nodesToo), ['demo-2']);
  assert.deepEqual(deletions(planned(steady(outdated))), ['demo-etcd-2']);

  const settling = [etcdPod(0), etcdPod(1), etcdPod(2, { revision: 'r2', readySinceMs: NOW - 3_000 })];
  assert.deepEqual(deletions(planned(steady({ ...outdated, pods: settling }))), []);
  const second = [etcdPod(0), etcdPod(1), etcdPod(2, { revision: 'r2' })];
  assert.deepEqual(deletions(planned(steady({ ...outdated, pods: second }))), ['demo-etcd-1']);

  const last = [etcdPod(0), etcdPod(1, { revision: 'r2' }), etcdPod(2, { revision: 'r2' })];
  const handingOver = planned(steady({ ...outdated, pods: last }));
  assert.deepEqual([deletions(handingOver), orders(handingOver)], [[], ['move-leader by 10.244.1.10']]);
  const moved = planned(steady({ ...outdated, pods: last, reports: etcdReports(3, { leaderId: '101' }) }));
  assert.deepEqual(deletions(moved), ['demo-etcd-0']);
});

test('while a member is down no other is replaced, but one that serves nobody is', () => {
  const down = [etcdPod(0), etcdPod(1, { isReady: false, revision: 'r2' }), etcdPod(2)];
  assert.deepEqual(deletions(planned(steady({ statefulSet: etcdSet(3, 'r2'), pods: down }))), []);
  const broken = [etcdPod(0), etcdPod(1, { isReady: false }), etcdPod(2)];
  const statefulSet = etcdSet(3, 'r2');
  assert.deepEqual(deletions(planned(steady({ statefulSet, pods: broken }))), [], 'it answers, so it may still vote');
  const reports = new Map([...etcdReports(3)].filter(([name]) => name !== 'demo-etcd-1'));
  assert.deepEqual(deletions(planned(steady({ statefulSet, pods: broken, reports }))), ['demo-etcd-1']);
  const justNow = [etcdPod(0), etcdPod(1, { isReady: false, readySinceMs: NOW - 3_000 }), etcdPod(2)];
  assert.deepEqual(deletions(planned(steady({ statefulSet, pods: justNow, reports }))), []);
  const away = { isReady: false, readySinceMs: NOW - 30_000 };
  const two = [etcdPod(0), etcdPod(1, away), etcdPod(2), etcdPod(3), etcdPod(4, away)];
  const five = { ...anEtcd(5), statefulSet: etcdSet(5, 'r2'), pods: two, reports };
  assert.deepEqual(
    deletions(planned({ ...steady({}, 5), etcd: five })),
    [],
    'with two away it takes longer to be sure',
  );
});

test('an image of etcd that never started can be put right', () => {
  const pods = [0, 1, 2].map((ordinal) => etcdPod(ordinal, { isReady: false }));
  const never = { settings: undefined, members: undefined, guard: 'unknown', reports: new Map(), pods } as const;
  const { status: _none, ...young } = anEtcdCluster();
  const actions = planned(aSnapshot(young, { etcd: anEtcd(3, { ...never, statefulSet: etcdSet(3, 'r2') }) }));
  assert.deepEqual(deletions(actions), ['demo-etcd-0']);
});

test('an image that took the quorum can be put right also where the number of members is on its way', () => {
  const pods = [etcdPod(0, { isReady: false }), etcdPod(1, { isReady: false, isInitialized: false })];
  const silent = { members: undefined, guard: 'unknown', reports: new Map(), pods } as const;
  const etcd = { ...anEtcd(3, silent), statefulSet: etcdSet(3, 'r2') };
  const actions = planned({ ...steady({}, 1), etcd });
  assert.equal(condition(actions, 'Progressing'), 'True ScaleInBlocked');
  assert.deepEqual(deletions(actions), ['demo-etcd-0']);
});

test('a database far over what it holds is defragmented, one member at a time, a leader after it handed over', () => {
  const bloated = { dbBytes: 200 * MIB, dbBytesInUse: 20 * MIB };
  assert.deepEqual(orders(planned(steady({ reports: etcdReports(3, bloated) }))), ['defragment by 10.244.1.11']);
  const leaderOnly = new Map([...etcdReports(3), ['demo-etcd-0', etcdReport(0, bloated)] as const]);
  assert.deepEqual(orders(planned(steady({ reports: leaderOnly }))), ['move-leader by 10.244.1.10']);
  const small = etcdReports(3, { dbBytes: 20 * MIB, dbBytesInUse: MIB });
  assert.deepEqual(orders(planned(steady({ reports: small }))), [], 'nothing is won');
  const pods = [etcdPod(0), etcdPod(1), etcdPod(2, { isReady: false })];
  assert.deepEqual(orders(planned(steady({ reports: etcdReports(3, bloated), pods }))), [], 'all must be up');
});

test('an alarm stands in status and conditions, and is lifted when there is space again', () => {
  const alarms = [{ memberId: '101', alarm: 'NOSPACE' }] as const;
  const full = planned(
    steady({ alarms, reports: etcdReports(3, { dbBytes: 2_000 * MIB, dbBytesInUse: 1_900 * MIB }) }),
  );
  assert.equal(condition(full, 'DatabaseReady'), 'False DatabaseFull');
  assert.equal(condition(full, 'Degraded'), 'True DatabaseFull');
  assert.equal(condition(full, 'Ready'), 'False DatabaseFull');
  assert.deepEqual(statusOf(full)?.storage?.members?.[1]?.alarms, ['NOSPACE']);
  assert.deepEqual(orders(full), []);
  const roomy = planned(steady({ alarms, reports: etcdReports(3, { dbBytes: 100 * MIB, dbBytesInUse: 90 * MIB }) }));
  assert.deepEqual(orders(roomy), ['disarm by 10.244.1.10']);
  const corrupt = planned(steady({ alarms: [{ memberId: '101', alarm: 'CORRUPT' }] }));
  assert.equal(condition(corrupt, 'DatabaseReady'), 'False DatabaseCorrupt');
  assert.deepEqual(orders(corrupt), []);
});

test('a full database that holds less than its bound is defragmented until the alarm can be lifted', () => {
  const alarms = [{ memberId: '101', alarm: 'NOSPACE' }] as const;
  const [full, used, small] = [2_048 * MIB, 1_300 * MIB, 1_310 * MIB];
  const next = (...sizes: number[]) => {
    const reports = sizes.map(
      (dbBytes, n) => [`demo-etcd-${n}`, etcdReport(n, { dbBytes, dbBytesInUse: used })] as const,
    );
    return orders(planned(steady({ alarms, reports: new Map(reports) })));
  };
  assert.deepEqual(next(full, full, full), ['defragment by 10.244.1.11']);
  assert.deepEqual(next(full, small, full), ['defragment by 10.244.1.12']);
  assert.deepEqual(next(full, small, small), ['move-leader by 10.244.1.10']);
  assert.deepEqual(next(small, small, small), ['disarm by 10.244.1.10']);
  const packed = etcdReports(3, { dbBytes: full, dbBytesInUse: 1_950 * MIB });
  assert.deepEqual(orders(planned(steady({ alarms, reports: packed }))), [], 'nothing is won by it');
});

test('the alarm of a member that was removed is lifted, be nobody ready for it; that of nobody stays', () => {
  const pods = [0, 1, 2].map((ordinal) => etcdPod(ordinal, { isReady: false }));
  const corrupt = (memberId: string) => orders(planned(steady({ pods, alarms: [{ memberId, alarm: 'CORRUPT' }] })));
  assert.deepEqual(corrupt('999'), ['disarm by 10.244.1.10']);
  assert.deepEqual(corrupt('101'), [], 'it is there');
  assert.deepEqual(corrupt('0'), []);
});

test('another login than in the Secret is told', () => {
  const actions = planned(steady({ guard: 'refused', members: undefined }));
  assert.equal(condition(actions, 'DatabaseReady'), 'False DatabaseSecretInvalid');
});

test('a paused cluster is looked at and let alone', () => {
  const snapshot = steady({ statefulSet: etcdSet(3, 'r2'), guard: 'off' });
  const metadata = { ...snapshot.cluster.metadata, annotations: { 'nacos-kube.dev/paused': 'true' } };
  const actions = planned({ ...snapshot, cluster: { ...snapshot.cluster, metadata } });
  assert.deepEqual([orders(actions), deletions(actions)], [[], []]);
});

test('an etcd of the user is checked by its authority, and knows the nodes by their certificate', () => {
  const etcd = {
    endpoints: ['https://etcd:2379'],
    prefix: '/shop/',
    tlsSecretName: 'etcd-tls',
    volume: { size: '1Gi' },
  };
  const set = applied(planned(aSnapshot(aCluster({ storage: { etcd } }))), 'StatefulSet', 'demo');
  const text = JSON.stringify(set);
  for (const [name, file] of [
    ['CA', 'ca.crt'],
    ['CERT', 'tls.crt'],
    ['KEY', 'tls.key'],
  ] as const) {
    assert.ok(text.includes(`"NACOS_KUBE_ETCD_${name}_FILE","value":"/etc/nacos-kube/etcd-tls/${file}"`), file);
    assert.ok(text.includes(`{"key":"${file}","path":"${file}"}`), file);
  }
  assert.match(text, /"secretName":"etcd-tls","defaultMode":288/);
});

test('the pod of a member is restricted, its liveness asks for no quorum, and half of its volume is the bound', () => {
  const set = JSON.parse(JSON.stringify(applied(planned(steady()), 'StatefulSet', 'demo-etcd')));
  const { spec } = set.spec.template;
  const [etcd] = spec.containers;
  assert.equal(spec.automountServiceAccountToken, false);
  assert.deepEqual(etcd.securityContext.capabilities, { drop: ['ALL'] });
  assert.equal(etcd.securityContext.readOnlyRootFilesystem, true);
  assert.equal(etcd.livenessProbe.httpGet.path, '/metrics');
  assert.equal(etcd.image, 'quay.io/coreos/etcd:v3.6.5');
  assert.match(JSON.stringify(spec.initContainers), /"NACOS_KUBE_ETCD_QUOTA_BYTES","value":"2147483648"/);
  assert.doesNotMatch(JSON.stringify(set.spec.template), /demo-etcd-\d/, 'nothing of it changes with their number');
});
