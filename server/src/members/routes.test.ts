import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { authorizePeer, authorizePublic } from '../http/access.ts';
import { MEMBER_HEADER } from '../http/peer-auth.ts';
import { createListSource } from './list-source.ts';
import { PeerError } from './peer-client.ts';
import type { Report } from './report.ts';
import { peerMemberRoutes, publicMemberRoutes } from './routes.ts';
import { Members } from './service.ts';

const SELF = '10.0.0.1:8848';
const PEER = '10.0.0.2:8848';
const DOWN = '10.0.1.3:8848';
const REPORT: Report = {
  from: PEER,
  run: 'r1',
  version: '1.4.8',
  phase: 'running',
  generation: 4,
  listHash: 'abc',
  sees: [SELF],
  facts: { storeRevision: 17 },
};

async function setUp() {
  const host = new FakeHost();
  const list = createListSource(host, SELF, { kind: 'given', members: [DOWN, PEER, SELF] });
  const call = () => Promise.reject(new PeerError('refused', 'nobody listens'));
  const members = new Members({ host, self: SELF, list, call });
  members.contribute(() => ({ storeRevision: 16 }));
  members.start();
  await host.advance(100);
  const pipeline = (routes: 'public' | 'peer') =>
    createPipeline({
      contextPath: '',
      routes: routes === 'public' ? publicMemberRoutes(members, host) : peerMemberRoutes(members),
      authorize:
        routes === 'public' ? authorizePublic : authorizePeer({ verifyPeer() {}, sidecarToken: () => undefined }),
      clientIp: ({ remote }) => remote.address,
      answerFailure: () => undefined,
      log: host.log,
    });
  const [publicPort, peerPort] = [pipeline('public'), pipeline('peer')];
  const ask = async (target: string, { method = 'GET', body = '', from = '' } = {}) => {
    const [path = '', query = ''] = target.split('?');
    const request: HttpRequest = {
      method,
      path,
      query,
      headers: { [MEMBER_HEADER]: from },
      body: new TextEncoder().encode(body),
      remote: { address: '10.9.9.9', port: 1 },
      onGone() {},
    };
    const answer = await (path.startsWith('/peer') ? peerPort : publicPort)(request);
    return { status: answer.status, text: answer.body as string };
  };
  const report = (value: unknown, from = PEER) =>
    ask('/peer/v1/report', { method: 'POST', body: typeof value === 'string' ? value : JSON.stringify(value), from });
  return { host, members, ask, report };
}

const data = (text: string) => {
  const { code, message, data: value } = JSON.parse(text);
  assert.deepEqual([code, message], [200, null]);
  return value;
};

test('the nodes are listed by address in the form of the reference, with what each says of itself', async () => {
  const { host, ask, report } = await setUp();
  assert.equal((await report(REPORT)).status, 200);
  const heardMs = host.clock.now();
  await host.advance(300);
  const { text } = await ask('/v1/core/cluster/nodes');
  const nodes = data(text);
  assert.deepEqual(
    nodes.map(({ address, state }: { address: string; state: string }) => `${address} ${state}`),
    [`${SELF} UP`, `${PEER} DOWN`, `${DOWN} DOWN`],
  );
  assert.deepEqual(Object.keys(nodes[1]), ['ip', 'port', 'state', 'extendInfo', 'address', 'failAccessCnt']);
  assert.deepEqual(nodes[1].extendInfo, {
    lastRefreshTime: heardMs,
    listGeneration: 4,
    listHash: 'abc',
    raftPort: '7848',
    seesMe: true,
    storeRevision: 17,
    version: '1.4.8',
  });
  assert.deepEqual(Object.keys(nodes[1].extendInfo), Object.keys(nodes[1].extendInfo).sort());
  assert.deepEqual(nodes[2].extendInfo, { raftPort: '7848' });
});

test('what the engine of the store says of its members is shown as the reference shows its own', async () => {
  const { ask, report } = await setUp();
  const facts = { raftLeader: 'e1:2379', raftMembers: 'e0:2379,e1:2379', raftTerm: 7, raftIndex: 40 };
  assert.equal((await report({ ...REPORT, facts })).status, 200);
  const [, peer] = data((await ask('/v1/core/cluster/nodes')).text);
  assert.deepEqual(peer.extendInfo.raftMetaData, {
    metaDataMap: {
      naming_persistent_service: { leader: 'e1:2379', raftGroupMember: ['e0:2379', 'e1:2379'], term: 7, index: 40 },
    },
  });
  assert.equal(peer.extendInfo.raftTerm, undefined);
});

test('a keyword keeps the nodes whose address begins with it', async () => {
  const { ask } = await setUp();
  const addresses = async (keyword: string) =>
    data((await ask(`/v1/core/cluster/nodes?keyword=${keyword}`)).text).map((one: { address: string }) => one.address);
  assert.deepEqual(await addresses('10.0.0.'), [SELF, PEER]);
  assert.deepEqual(await addresses(PEER), [PEER]);
  assert.deepEqual(await addresses('0.0.1'), []);
});

test('self, simple nodes and health', async () => {
  const { ask } = await setUp();
  const self = data((await ask('/v1/core/cluster/self')).text);
  assert.deepEqual([self.address, self.state, self.extendInfo.storeRevision], [SELF, 'UP', 16]);
  assert.deepEqual(data((await ask('/v1/core/cluster/simple/nodes')).text), [SELF]);
  assert.equal(data((await ask('/v1/core/cluster/health')).text), 'UP');
});

test('nobody reports or leaves on the public port (S6)', async () => {
  const { ask } = await setUp();
  for (const path of ['report', 'server/leave']) {
    const { status, text } = await ask(`/v1/core/cluster/${path}`, { method: 'POST', body: '["10.0.0.2:8848"]' });
    assert.equal(status, 403);
    assert.match(text, /^members are changed by the member list/);
  }
});

test('the list is read where the settings say: asking for that is fine, asking for more says that it is not', async () => {
  const { ask } = await setUp();
  const lookup = async (type: string) => {
    const { status, text } = await ask(`/v1/core/cluster/switch/lookup?type=${type}`, { method: 'POST' });
    const { code, message } = JSON.parse(text);
    return `${status} ${code} ${message}`;
  };
  assert.equal(await lookup('file'), '200 200 null');
  assert.match(await lookup('address-server'), /^200 500 members are read from the member list/);
  const unknown = 'The addressing mode exists : dns, just support : [[file, address-server]]';
  assert.equal(await lookup('dns'), `200 500 ${unknown}`);
  assert.match(await lookup('x'.repeat(10_000)), /^200 500 .{1,200}$/);
});

test('a report is answered with our own, also to who is not in our list', async () => {
  const { members, report } = await setUp();
  const known = JSON.parse((await report(REPORT)).text);
  assert.deepEqual([known.isListed, known.report.from, known.report.phase], [true, SELF, 'running']);
  const stranger = JSON.parse((await report({ ...REPORT, from: '10.0.0.9:8848' }, '10.0.0.9:8848')).text);
  assert.equal(stranger.isListed, false);
  assert.equal(members.counts.strangers, 1);
  assert.equal(members.view.members.length, 3);
});

const BROKEN: readonly (readonly [string, unknown])[] = [
  ['signed by another', { ...REPORT, from: DOWN }],
  ['that is no JSON', '{"from":'],
  ['that is a list', []],
  ['that is null', 'null'],
  ['in no known phase', { ...REPORT, phase: 'UP' }],
  ['with a generation that is a text', { ...REPORT, generation: '4' }],
  ['with a long text', { ...REPORT, version: 'x'.repeat(10_000) }],
  ['that sees too many', { ...REPORT, sees: Array.from({ length: 65 }, (_, i) => `a${i}`) }],
  ['that sees a number', { ...REPORT, sees: [1] }],
  ['with too many facts', { ...REPORT, facts: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, 1])) }],
  ['with a fact that is an object', { ...REPORT, facts: { a: {} } }],
  ['with a fact under a bad name', '{"__proto__":{}}'],
  ['without facts', { ...REPORT, facts: undefined }],
];
for (const [name, message] of BROKEN) {
  test(`a report ${name} is a 400 and changes nothing`, async () => {
    const { members, report } = await setUp();
    const before = members.view;
    assert.equal((await report(message)).status, 400);
    assert.equal(members.view, before);
    assert.equal(members.peer(PEER)?.report, undefined);
  });
}

test('a goodbye counts for who signed it', async () => {
  const { members, ask } = await setUp();
  await ask('/peer/v1/leave', { method: 'POST', body: '{}', from: PEER });
  assert.deepEqual([members.peer(PEER)?.hasLeft, members.peer(DOWN)?.hasLeft], [true, false]);
});
