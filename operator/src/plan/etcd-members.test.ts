import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoTime } from '@nacos-kube/core/host/time.ts';
import type { EtcdMember } from '../etcd/gateway.ts';
import type { ConfigMap, Pod, StatefulSet } from '../kube/objects.ts';
import type { EtcdSnapshot } from '../snapshot.ts';
import { anEtcd, etcdMember, etcdPod, etcdReport, etcdReports, etcdSet } from '../testing/etcd-fixtures.ts';
import { NOW } from '../testing/fixtures.ts';
import { applied, condition, deletions, orders, planned, statusOf, steady } from '../testing/planned-etcd.ts';
import type { Action } from './actions.ts';

test('a member that joins after its volume was lost is shown, and the others are let alone', () => {
  const pods = [etcdPod(0), etcdPod(1, { isReady: false, isInitialized: false }), etcdPod(2)];
  const reports = new Map([...etcdReports(3)].filter(([name]) => name !== 'demo-etcd-1'));
  const absent = planned(steady({ pods, reports, members: [etcdMember(0), etcdMember(2)] }));
  assert.equal(statusOf(absent)?.storage?.members?.find(({ name }) => name === 'demo-etcd-1')?.state, 'ABSENT');
  const joining = planned(steady({ pods, reports, members: [etcdMember(0), etcdMember(1, false), etcdMember(2)] }));
  assert.equal(statusOf(joining)?.storage?.members?.[1]?.state, 'JOINING');
  assert.deepEqual([orders(joining), deletions(joining)], [[], []]);
  assert.equal(condition(joining, 'Ready'), 'False MemberNotReady');
  assert.equal(condition(joining, 'DatabaseReady'), 'True MemberNotReady');
  assert.equal(condition(joining, 'Degraded'), 'True MemberNotReady');
});

test('more members: a pod more each, which adds itself', () => {
  const actions = planned(steady({}, 5));
  assert.equal(applied<StatefulSet>(actions, 'StatefulSet', 'demo-etcd')?.spec.replicas, 5);
  assert.equal(applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data?.['members'], '5');
  assert.equal(condition(actions, 'Progressing'), 'True ScalingOut');
});

test('a learner gets its vote when it has started, one that shall leave never does', () => {
  const learner = (ordinal: number, hasStarted = true) => etcdMember(ordinal, hasStarted, true);
  const joining = (members: readonly EtcdMember[]) => planned(steady({ members }));
  const three = joining([etcdMember(0), learner(1), etcdMember(2)]);
  assert.deepEqual(orders(three), ['promote by 10.244.1.10']);
  assert.equal(statusOf(three)?.storage?.members?.[1]?.state, 'JOINING');
  assert.equal(condition(three, 'Ready'), 'False MemberNotReady');
  assert.deepEqual(orders(joining([etcdMember(0), learner(1, false), etcdMember(2)])), []);

  const members = [etcdMember(0), learner(1)];
  const reports = new Map([['demo-etcd-0', etcdReport(0)]]);
  const leaving = planned({ ...steady({}, 1), etcd: { ...anEtcd(3), members, reports } });
  assert.deepEqual(orders(leaving), ['remove-member by 10.244.1.10'], 'it counts for no quorum, so one alone decides');
});

test('fewer members: a learner that stays gets its vote before anybody leaves', () => {
  const members = (hasStarted: boolean) => [etcdMember(0, hasStarted, true), etcdMember(1), etcdMember(2)];
  const shrinking = (etcd: Partial<EtcdSnapshot>) => {
    const reports = etcdReports(3, { leaderId: '101' });
    return planned({ ...steady({}, 1), etcd: { ...anEtcd(3), reports, ...etcd } });
  };
  const first = shrinking({ members: members(true) });
  assert.deepEqual(orders(first), ['promote by 10.244.1.11']);
  assert.equal(applied<StatefulSet>(first, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3);
  assert.deepEqual(orders(shrinking({ members: members(false) })), [], 'it has not started yet');
  assert.deepEqual(orders(shrinking({})), ['remove-member by 10.244.1.10']);
});

test('fewer members: one that stays and lost its volume joins by those that leave, of whom none goes before', () => {
  const shrinking = (members: readonly EtcdMember[], pod = etcdPod(0, { isReady: false, isInitialized: false })) => {
    const reports = new Map([...etcdReports(3, { leaderId: '101' })].slice(isReady(pod) ? 0 : 1));
    return planned({ ...steady({}, 1), etcd: { ...anEtcd(3), pods: [pod, etcdPod(1), etcdPod(2)], members, reports } });
  };
  const isReady = (pod: Pod) => pod.status?.conditions?.every(({ status }) => status === 'True');
  const toldOf = (actions: readonly Action[]) => {
    return applied<ConfigMap>(actions, 'ConfigMap', 'demo-etcd')?.data?.['members'];
  };
  const [old, added] = [etcdMember(0), etcdMember(0, false, true)];
  for (const own of [[old], [], [added]]) {
    const actions = shrinking([...own, etcdMember(1), etcdMember(2)]);
    assert.deepEqual(orders(actions), []);
    assert.equal(applied<StatefulSet>(actions, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3);
    assert.equal(toldOf(actions), '3', 'it could ask nobody else');
  }
  const back = shrinking([old, etcdMember(1), etcdMember(2)], etcdPod(0));
  assert.deepEqual(orders(back), ['remove-member by 10.244.1.10']);
  assert.equal(toldOf(back), '1');
});

test('the vote is given by the leader alone: others would pass it on without the login', () => {
  const members = [etcdMember(0), etcdMember(1, true, true), etcdMember(2)];
  const ledBy = (leaderId: string) => orders(planned(steady({ members, reports: etcdReports(3, { leaderId }) })));
  assert.deepEqual(ledBy('102'), ['promote by 10.244.1.12']);
  assert.deepEqual(ledBy('0'), [], 'nobody leads: it waits');
});

test('a learner that does not answer or is stopping gets no vote, which could cost the quorum', () => {
  const members = [etcdMember(0), etcdMember(1, true, true), etcdMember(2)];
  const reports = new Map([...etcdReports(3)].filter(([name]) => name !== 'demo-etcd-1'));
  assert.deepEqual(orders(planned(steady({ members, reports }))), []);
  const stopping = [etcdPod(0), etcdPod(1, { isTerminating: true }), etcdPod(2)];
  assert.deepEqual(orders(planned(steady({ members, pods: stopping }))), []);
});

test('a pod that started under a number that was removed goes, so that it joins anew; one that waits to join stays', () => {
  const members = [etcdMember(0), etcdMember(2)];
  const ended = planned(steady({ members, pods: [etcdPod(0), etcdPod(1, { isReady: false }), etcdPod(2)] }));
  assert.deepEqual(deletions(ended), ['demo-etcd-1']);
  const waiting = [etcdPod(0), etcdPod(1, { isReady: false, isInitialized: false }), etcdPod(2)];
  assert.deepEqual(deletions(planned(steady({ members, pods: waiting }))), []);
  const stopping = [etcdPod(0), etcdPod(1, { isTerminating: true }), etcdPod(2)];
  assert.deepEqual(deletions(planned(steady({ members, pods: stopping }))), []);
  const noQuorum = planned(steady({ members: undefined, pods: [etcdPod(0), etcdPod(1, { isReady: false })] }));
  assert.deepEqual(deletions(noQuorum), [], 'nobody says so');
  const onItsWay = planned({ ...steady({}, 1), etcd: { ...anEtcd(3), members: [etcdMember(0), etcdMember(1)] } });
  assert.deepEqual(deletions(onItsWay), [], 'who shall leave goes with the StatefulSet');
});

test('a pod that serves, failed a probe or has just started is let alone, whatever a list says', () => {
  const members = [etcdMember(0), etcdMember(2)];
  const gone = (pod: Pod) => deletions(planned(steady({ members, pods: [etcdPod(0), pod, etcdPod(2)] })));
  assert.deepEqual(gone(etcdPod(1)), [], 'it serves');
  assert.deepEqual(gone(etcdPod(1, { isReady: false, readySinceMs: NOW - 19_000 })), []);
  assert.deepEqual(gone(etcdPod(1, { isReady: false, initializedSinceMs: NOW - 19_000 })), [], 'it waited to join');
  assert.deepEqual(gone(etcdPod(1, { isReady: false, readySinceMs: NOW - 20_000 })), ['demo-etcd-1']);
});

test('pods join anew one at a time, and no other is replaced meanwhile', () => {
  const members = [etcdMember(0), etcdMember(1), etcdMember(2)];
  const away = { isReady: false };
  const deleted = (third: Pod, revision = 'r1') => {
    const pods = [0, 1, 2].map((ordinal) => etcdPod(ordinal)).concat(third, etcdPod(4, away));
    const reports = etcdReports(3);
    const etcd = { ...anEtcd(5), members, pods, reports, statefulSet: etcdSet(5, revision) };
    return deletions(planned({ ...steady({}, 5), etcd }));
  };
  assert.deepEqual(deleted(etcdPod(3, away)), ['demo-etcd-3']);
  assert.deepEqual(deleted(etcdPod(3, { isTerminating: true })), []);
  assert.deepEqual(deleted(etcdPod(3, away), 'r2'), ['demo-etcd-3'], 'be there a new revision or not');
});

test('for a pod whose machine is gone nobody waits for ever: others join anew and are put right', () => {
  const gone = (endedMs: number) => {
    const pod = etcdPod(2, { isReady: false });
    return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: isoTime(NOW - endedMs) } };
  };
  const pods = (endedMs: number) => [etcdPod(0), etcdPod(1, { isReady: false }), gone(endedMs), etcdPod(3), etcdPod(4)];
  const reports = new Map([...etcdReports(5)].filter(([name]) => name !== 'demo-etcd-1' && name !== 'demo-etcd-2'));
  const members = [0, 2, 3, 4].map((ordinal) => etcdMember(ordinal));
  const deleted = (etcd: Partial<EtcdSnapshot>) =>
    deletions(planned({ ...steady({}, 5), etcd: { ...anEtcd(5), reports, ...etcd } }));
  assert.deepEqual(deleted({ members, pods: pods(5_000) }), []);
  assert.deepEqual(deleted({ members, pods: pods(90_000) }), ['demo-etcd-1'], 'it joins anew');
  const statefulSet = etcdSet(5, 'r2');
  assert.deepEqual(deleted({ statefulSet, pods: pods(5_000) }), []);
  assert.deepEqual(deleted({ statefulSet, pods: pods(90_000) }), ['demo-etcd-1'], 'its image cannot be run');
});

test('a learner whose etcd ends because the members have changed since it was added goes, so that it is told anew', () => {
  const members = [etcdMember(0), etcdMember(1, false, true), etcdMember(2)];
  const reports = new Map([...etcdReports(3)].filter(([name]) => name !== 'demo-etcd-1'));
  const gone = (restarts: number, own = members) => {
    const pods = [etcdPod(0), etcdPod(1, { isReady: false, restarts }), etcdPod(2)];
    return deletions(planned(steady({ members: own, pods, reports })));
  };
  assert.deepEqual(gone(1), ['demo-etcd-1']);
  assert.deepEqual(gone(0), [], 'its etcd may be about to start');
  assert.deepEqual(gone(3, [etcdMember(0), etcdMember(1), etcdMember(2)]), [], 'it has started once: it has its log');
});

test('members that answer as two clusters are told of, and nothing is done to any of them', () => {
  const stray = etcdReport(2, { clusterId: '171' });
  const reports = new Map([...etcdReports(3), ['demo-etcd-2', stray] as const]);
  const members = [etcdMember(0), etcdMember(1, true, true)];
  const pods = [etcdPod(0), etcdPod(1), etcdPod(2, { isReady: false })];
  const statefulSet = etcdSet(3, 'r2');
  const actions = planned({ ...steady({ reports, members, pods, statefulSet, guard: 'off' }, 1) });
  assert.deepEqual([orders(actions), deletions(actions)], [[], []]);
  assert.equal(applied<StatefulSet>(actions, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3);
  assert.equal(condition(actions, 'DatabaseReady'), 'False MembershipSplit');
  const found = statusOf(actions)?.conditions?.find(({ type }) => type === 'DatabaseReady');
  assert.match(found?.message ?? '', /demo-etcd-0, demo-etcd-1 as 4d; demo-etcd-2 as ab/);
});

test('fewer members: removed from the highest, a leader hands over before, the pod goes when it is a member no more', () => {
  const five = anEtcd(5);
  const first = planned({ ...steady(), etcd: five });
  assert.deepEqual(orders(first), ['remove-member by 10.244.1.10']);
  assert.equal(applied<StatefulSet>(first, 'StatefulSet', 'demo-etcd')?.spec.replicas, 5);
  assert.equal(applied<ConfigMap>(first, 'ConfigMap', 'demo-etcd')?.data?.['members'], '3', 'it must not join again');

  const removed = planned({ ...steady(), etcd: { ...five, members: (five.members ?? []).slice(0, 4) } });
  assert.equal(applied<StatefulSet>(removed, 'StatefulSet', 'demo-etcd')?.spec.replicas, 4);
  const gone = planned({ ...steady(), etcd: { ...five, members: (five.members ?? []).slice(0, 3) } });
  assert.equal(applied<StatefulSet>(gone, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3);
  assert.deepEqual(orders(gone), []);

  const leads = planned({ ...steady(), etcd: { ...five, reports: etcdReports(5, { leaderId: '104' }) } });
  assert.deepEqual(orders(leads), ['move-leader by 10.244.1.14']);
});

test('members that outlived their pods are no members any more: they would count for the quorum', () => {
  const members = [0, 1, 2, 3, 4].map((ordinal) => etcdMember(ordinal));
  const statefulSet = etcdSet(3, 'r2');
  const left = planned(steady({ statefulSet, members }));
  assert.deepEqual([orders(left), deletions(left)], [['remove-member by 10.244.1.10'], []]);
  assert.equal(applied<StatefulSet>(left, 'StatefulSet', 'demo-etcd')?.spec.replicas, 3, 'their pods do not come back');
  const last = planned(steady({ statefulSet, members: members.slice(0, 4) }));
  assert.deepEqual([orders(last), deletions(last)], [['remove-member by 10.244.1.10'], []]);
  assert.deepEqual(deletions(planned(steady({ statefulSet }))), ['demo-etcd-2']);
});

test('fewer members: who is away or has no vote goes before who serves, and none of the volumes with it', () => {
  const members = [etcdMember(0), etcdMember(1, true, true), etcdMember(2), etcdMember(3)];
  const pods = [etcdPod(0), etcdPod(1), etcdPod(2, { isReady: false, isInitialized: false }), etcdPod(3)];
  const reports = new Map([...etcdReports(4)].filter(([name]) => name !== 'demo-etcd-2'));
  const removed = (own: readonly EtcdMember[]) => {
    const etcd = { ...anEtcd(4), members: own, pods, reports };
    const actions = planned({ ...steady({}, 1), etcd });
    assert.equal(
      applied<StatefulSet>(actions, 'StatefulSet', 'demo-etcd')?.spec.replicas,
      4,
      'the highest is one still',
    );
    return actions.flatMap((one) => (one.kind === 'etcd' && one.order.do === 'remove-member' ? [one.order.id] : []));
  };
  assert.deepEqual(removed(members), ['102'], 'without it the highest would be all the quorum that there is');
  assert.deepEqual(removed(members.filter(({ id }) => id !== '102')), ['101']);
  assert.deepEqual(removed([etcdMember(0), etcdMember(3)]), ['103']);
});

test('fewer members: never below the quorum of the rest', () => {
  const five = anEtcd(5);
  const pods = five.pods.map((pod, ordinal) => (ordinal < 2 ? etcdPod(ordinal, { isReady: false }) : pod));
  const blocked = planned({ ...steady(), etcd: { ...five, pods } });
  assert.deepEqual(orders(blocked), []);
  assert.equal(condition(blocked, 'Progressing'), 'True ScaleInBlocked');
  const silent = planned({ ...steady(), etcd: { ...five, members: undefined } });
  assert.equal(applied<StatefulSet>(silent, 'StatefulSet', 'demo-etcd')?.spec.replicas, 5);
});
