import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EtcdMember } from './gateway.ts';
import { nextStartStep, type StartFacts } from './member-start.ts';

const WANTED = [0, 1, 2].map((ordinal) => ({ name: `e-${ordinal}`, peerUrl: `http://e-${ordinal}:2380` }));
const ALL = 'e-0=http://e-0:2380,e-1=http://e-1:2380,e-2=http://e-2:2380';

const CLUSTER = '77';
const PLANNED = { kind: 'start', clusterState: 'existing', initialCluster: ALL };

function member(ordinal: number, hasStarted = true): EtcdMember {
  const [name, url] = [`e-${ordinal}`, `http://e-${ordinal}:2380`];
  const clientUrls = hasStarted ? ['x'] : [];
  return { id: `10${ordinal}`, name: hasStarted ? name : '', peerUrls: [url], clientUrls, isLearner: false };
}

function step(facts: Partial<StartFacts> & { readonly members?: readonly EtcdMember[] } = {}) {
  const { members, ...rest } = facts;
  const none = {
    hasData: false,
    isFormed: true,
    wanted: WANTED,
    identity: undefined,
    foundedId: CLUSTER,
    membership: undefined,
    joining: undefined,
  };
  const heard = members === undefined ? {} : { membership: { clusterId: CLUSTER, members } };
  return nextStartStep({ name: 'e-1', peerUrl: 'http://e-1:2380', ...none, ...heard, ...rest });
}

test('a member with its data goes on, whether the others answer or not', () => {
  const identity = { memberId: '101', clusterId: CLUSTER };
  assert.deepEqual(step({ hasData: true, identity }), PLANNED);
  assert.deepEqual(step({ hasData: true, identity, members: [member(0), member(1)] }), PLANNED);
});

test('data of a number that was removed are forgotten: etcd would end with them at each start', () => {
  const members = [member(0), member(2)];
  const forgotten = { kind: 'forget', why: 'the data are of a member that was removed' };
  const identity = { memberId: '101', clusterId: CLUSTER };
  assert.deepEqual(step({ hasData: true, identity, members }), forgotten);
  const underAnother = [...members, { ...member(1), id: '201' }];
  assert.deepEqual(step({ hasData: true, identity, members: underAnother }), forgotten);
});

test('data of a cluster that began otherwise and never formed are forgotten, where it is known', () => {
  const forgotten = { kind: 'forget', why: 'the data are of a cluster that never had a quorum' };
  const [own, other] = [CLUSTER, '88'].map((clusterId) => ({ memberId: '101', clusterId }));
  assert.deepEqual(step({ isFormed: false, hasData: true, identity: other }), forgotten);
  assert.deepEqual(step({ isFormed: false, hasData: true, identity: own }), PLANNED, 'it may have voted already');
  const heard = { membership: { clusterId: '88', members: [member(0), member(1), member(2)] } };
  assert.deepEqual(step({ isFormed: false, hasData: true, identity: other, ...heard }), PLANNED, 'it serves');
  const founder = [member(0), { ...member(1), clientUrls: [] }, member(2)];
  assert.deepEqual(step({ hasData: true, identity: other, members: founder }), forgotten, 'the others were quicker');
  const added = [member(0), member(1, false), member(2)];
  assert.deepEqual(step({ hasData: true, identity: other, members: added }), PLANNED);
});

test('data of another cluster start nothing where nobody shall be a member', () => {
  const wanted = WANTED.slice(0, 1);
  const [own, other] = [CLUSTER, '88'].map((clusterId) => ({ memberId: '101', clusterId }));
  const facts = { hasData: true, wanted, members: [member(0), member(1)] };
  assert.equal(step({ ...facts, identity: other }).kind, 'leave');
  assert.equal(step({ ...facts, identity: own }).kind, 'start', 'it may be of the quorum until it is removed');
  assert.equal(step({ hasData: true, wanted, identity: other }).kind, 'start', 'nobody says what there is');
});

test('data of another cluster, or that do not say whose they are, are kept whatever the others say', () => {
  const members = [member(0), member(2)];
  assert.deepEqual(step({ hasData: true, identity: { memberId: '101', clusterId: '88' }, members }), PLANNED);
  assert.deepEqual(step({ hasData: true, identity: undefined, members }), PLANNED);
});

test('the first start of all begins anew, alone or when the others were quicker', () => {
  const anew = { kind: 'start', clusterState: 'new', initialCluster: ALL };
  assert.deepEqual(step({ isFormed: false }), anew);
  const bootstrapped = { ...member(1), clientUrls: [] };
  assert.deepEqual(step({ isFormed: false, members: [member(0), bootstrapped, member(2)] }), anew);
});

test('a lost volume costs the member its number: removed, added, then it joins', () => {
  assert.deepEqual(step({ members: [member(0), member(1), member(2)] }), { kind: 'remove', id: '101' });
  assert.deepEqual(step({ members: [member(0), member(2)] }), { kind: 'add' });
  assert.deepEqual(step({ members: [member(0), member(1, false), member(2)] }), PLANNED);
});

test('who has lost its volume lets a learner join first, whose list of members would be wrong without it', () => {
  const learner = (ordinal: number) => ({ ...member(ordinal, false), isLearner: true });
  const waiting = step({ members: [member(0), member(1), learner(2)] });
  assert.match(waiting.kind === 'wait' ? waiting.why : '', /102 joins first/);
  const own = { ...member(1), isLearner: true };
  assert.deepEqual(step({ members: [member(0), own, member(2)] }), { kind: 'remove', id: '101' });
});

test('a lost volume is noticed before the operator has seen the members found together', () => {
  const members = [member(0), member(1), member(2)];
  assert.deepEqual(step({ isFormed: false, members }), { kind: 'remove', id: '101' });
});

test('an empty volume never begins anew once the members had found together', () => {
  const waiting = step();
  assert.equal(waiting.kind, 'wait');
  assert.match(waiting.kind === 'wait' ? waiting.why : '', /e-0, e-2 were asked, of whom none answers with a quorum/);
  const alone = step({ name: 'e-0', wanted: WANTED.slice(0, 1) });
  assert.match(alone.kind === 'wait' ? alone.why : '', /nobody was asked.+the only member: if there were more/);
});

test('one that was added with a vote before there were learners starts, for the quorum may wait for it', () => {
  const joining = 'e-0=http://e-0:2380,e-1=http://e-1:2380';
  assert.deepEqual(step({ joining }), { kind: 'start', clusterState: 'existing', initialCluster: joining });
  assert.deepEqual(step({ joining, members: [member(0), member(2)] }), { kind: 'add' }, 'who answers knows better');
  assert.deepEqual(step({ joining, hasData: true }), PLANNED);
});

test('who shall be no member any more does not add itself again', () => {
  assert.equal(step({ wanted: WANTED.slice(0, 1), members: [member(0)] }).kind, 'leave');
});

test('members that have not started yet get a name in the list, for etcd asks for one', () => {
  const other = { ...member(2, false), peerUrls: ['http://foreign:2380'] };
  const joined = step({ members: [member(0), member(1, false), other] });
  assert.equal(
    joined.kind === 'start' && joined.initialCluster,
    'e-0=http://e-0:2380,e-1=http://e-1:2380,e-1-102=http://foreign:2380',
  );
});
