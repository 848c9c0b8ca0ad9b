import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EtcdMember } from './gateway.ts';
import { nextStartStep, type StartFacts } from './member-start.ts';

const WANTED = [0, 1, 2].map((ordinal) => ({ name: `e-${ordinal}`, peerUrl: `http://e-${ordinal}:2380` }));
const ALL = 'e-0=http://e-0:2380,e-1=http://e-1:2380,e-2=http://e-2:2380';

function member(ordinal: number, hasStarted = true): EtcdMember {
  const [name, url] = [`e-${ordinal}`, `http://e-${ordinal}:2380`];
  return { id: `10${ordinal}`, name: hasStarted ? name : '', peerUrls: [url], clientUrls: hasStarted ? ['x'] : [] };
}

function step(facts: Partial<StartFacts> = {}) {
  const none = { hasData: false, isFormed: true, wanted: WANTED, joining: undefined, members: undefined };
  return nextStartStep({ name: 'e-1', peerUrl: 'http://e-1:2380', ...none, ...facts });
}

test('a member with its data goes on, whatever the others say', () => {
  for (const members of [undefined, [], [member(0)]]) {
    const expected = { kind: 'start', clusterState: 'existing', initialCluster: ALL };
    assert.deepEqual(step({ hasData: true, members }), expected);
  }
});

test('the first start of all begins anew, alone or when the others were quicker', () => {
  const anew = { kind: 'start', clusterState: 'new', initialCluster: ALL };
  assert.deepEqual(step({ isFormed: false }), anew);
  const bootstrapped = { ...member(1), clientUrls: [] };
  assert.deepEqual(step({ isFormed: false, members: [member(0), bootstrapped, member(2)] }), anew);
});

test('a lost volume costs the member its number: removed, added, then it joins', () => {
  assert.deepEqual(step({ members: [member(0), member(1), member(2)] }), { kind: 'remove', id: '101' });
  const initialCluster = 'e-0=http://e-0:2380,e-2=http://e-2:2380,e-1=http://e-1:2380';
  assert.deepEqual(step({ members: [member(0), member(2)] }), { kind: 'add', initialCluster });
  assert.deepEqual(step({ members: [member(0), member(1, false), member(2)] }), {
    kind: 'start',
    clusterState: 'existing',
    initialCluster: ALL,
  });
});

test('a lost volume is noticed before the operator has seen the members found together', () => {
  const members = [member(0), member(1), member(2)];
  assert.deepEqual(step({ isFormed: false, members }), { kind: 'remove', id: '101' });
});

test('an empty volume never begins anew once the members had found together', () => {
  const waiting = step();
  assert.equal(waiting.kind, 'wait');
  assert.match(waiting.kind === 'wait' ? waiting.why : '', /no quorum/);
  const alone = step({ name: 'e-0', wanted: WANTED.slice(0, 1) });
  assert.match(alone.kind === 'wait' ? alone.why : '', /only member is empty/);
});

test('the second of two is the quorum that is missing: it starts by its note, but a quorum that answers knows better', () => {
  const joining = 'e-0=http://e-0:2380,e-1=http://e-1:2380';
  assert.deepEqual(step({ joining }), { kind: 'start', clusterState: 'existing', initialCluster: joining });
  assert.equal(step({ joining, members: [member(0)] }).kind, 'add');
  assert.equal(step({ joining, members: [member(0), member(1)] }).kind, 'remove');
});

test('who shall be no member any more does not add itself again', () => {
  assert.equal(step({ wanted: WANTED.slice(0, 1), members: [member(0)] }).kind, 'wait');
});

test('members that have not started yet get a name in the list, for etcd asks for one', () => {
  const other = { ...member(2, false), peerUrls: ['http://foreign:2380'] };
  const joined = step({ members: [member(0), member(1, false), other] });
  assert.equal(
    joined.kind === 'start' && joined.initialCluster,
    'e-0=http://e-0:2380,e-1=http://e-1:2380,e-1-102=http://foreign:2380',
  );
});
