import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { PeerAuth } from '../http/peer-auth.ts';
import { createMembership } from '../members/create.ts';
import { PEER_REQUEST_BYTES_MAX } from '../members/peer-client.ts';
import { createNacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { decodeInstance, encodeDatum, encodeOperation } from './codec.ts';
import { DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH, FORWARD_PATH, SNAPSHOT_PATH } from './paths.ts';

const KEY = 'a-key-of-this-test-0f1e2d3c4b5a69788796';
const SELF = '10.0.0.1:8848';
const PEER = '10.0.0.2:8848';
const PEER_PORT = 7848;
const DEMO = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const SERVICE = 'public##DEFAULT_GROUP@@demo';
const INSTANCE = ['10.1.0.1', 80, 'DEFAULT', 1, 7, 'id', 'app'] as const;
const live = (epoch = 1) => [SERVICE, '10.1.0.1:80:DEFAULT', epoch, 1, 'm2', 'live', INSTANCE];
const ALL = [DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH, SNAPSHOT_PATH, FORWARD_PATH];

/** A node, and what a peer that has the key, or not, may send it. */
async function start() {
  const host = new FakeHost('node');
  const settings: NodeSettings = {
    mode: 'cluster',
    port: 8848,
    listen: '0.0.0.0',
    data: '/data',
    contextPath: '/nacos',
    member: SELF,
    memberList: { kind: 'given', members: [SELF, PEER] },
    clusterKeys: [KEY],
    sidecarTokenFile: undefined,
    storage: { kind: 'memory' },
    trustedProxies: [],
  };
  const store = createMemoryStore(host, createMemoryDatabase());
  const membership = createMembership(host, settings);
  const { lifecycle, naming, distro } = createNacosServer({
    host,
    settings,
    store,
    membership,
    withProcessMetrics: false,
  });
  const started = lifecycle.start();
  await host.advance(1_000);
  await started;
  const auth = (key = KEY) =>
    new PeerAuth({ self: PEER, keys: [key], run: '0123456789abcdef', nowMs: () => host.clock.now() });
  const peer = auth();
  const send = async (path: string, body: string, { by = peer, headers = {} as Record<string, string> } = {}) => {
    const signed = by.signRequest({ to: SELF, method: 'POST', target: path, body }).headers;
    const asked = host.network.ask(PEER_PORT, path, 'POST', { body, headers: { ...signed, ...headers } });
    await host.advance(1);
    const { status, body: text } = await asked;
    return { status, text: typeof text === 'string' ? text : new TextDecoder().decode(text) };
  };
  const ask = (path: string, message: unknown) => send(path, JSON.stringify(message));
  const state = () => JSON.stringify([...naming.registry.allDatums()].map(encodeDatum));
  return { host, naming, distro, membership, auth, send, ask, state };
}

test('a delta is taken over, an older one is answered with what is known better', async () => {
  const { ask, state } = await start();
  assert.deepEqual(await ask(DELTA_PATH, { datums: [live(5)] }), { status: 200, text: '{"newer":[]}' });
  assert.equal(state(), JSON.stringify([live(5)]));
  const { text } = await ask(DELTA_PATH, { datums: [live(4), live(5)] });
  assert.deepEqual(JSON.parse(text), { newer: [live(5)] });
});

test('what is asked for is given: digests, the services that differ, everything', async () => {
  const { ask } = await start();
  await ask(DELTA_PATH, { datums: [live()] });
  const digest = JSON.parse((await ask(DIGEST_PATH, { total: '0 0 0' })).text);
  assert.equal(typeof digest.equal, 'boolean');
  const found = await ask(DIGEST_PATH, { after: '', upTo: null, digests: [[SERVICE, '1.1']] });
  assert.deepEqual(JSON.parse(found.text), { differing: [SERVICE] });
  for (const path of [EXCHANGE_PATH, SNAPSHOT_PATH]) {
    const { text } = await ask(path, { services: [SERVICE], after: null });
    assert.deepEqual(JSON.parse(text), { datums: [live()], next: null }, path);
  }
});

test('operations are carried out in order, each with its result', async () => {
  const { ask, naming } = await start();
  const place = ['public', 'DEFAULT_GROUP@@demo'];
  const operations = [
    ['beat', ...place, '10.1.0.1:80:DEFAULT'],
    ['register', ...place, INSTANCE],
    ['beat', ...place, '10.1.0.1:80:DEFAULT'],
  ];
  const { results } = JSON.parse((await ask(FORWARD_PATH, { operations })).text);
  assert.deepEqual(results, [-1, 5_000, 5_000]);
  assert.equal(naming.registry.instanceCount, 1);
});

test('who hands an operation over is told what it wrote, and what a beat is about that it does not know', async () => {
  const { ask } = await start();
  const place = ['public', 'DEFAULT_GROUP@@demo'];
  const key = '10.1.0.1:80:DEFAULT';
  const told = async (message: object) => {
    const { datums } = JSON.parse((await ask(FORWARD_PATH, message)).text) as { datums?: unknown[][] };
    return datums?.map(([, one, , , , kind]) => `${kind} ${one}`);
  };
  const beat = ['beat', ...place, key];
  assert.deepEqual(await told({ operations: [['register', ...place, INSTANCE]] }), [`live ${key}`]);
  assert.equal(await told({ operations: [beat] }), undefined);
  assert.deepEqual(await told({ operations: [beat, beat], unknown: [1] }), [`live ${key}`]);
  assert.deepEqual(await told({ operations: [['deregister', ...place, key]] }), [`left ${key}`]);
});

test("who hands over an operator's word, or that a service is cleared, is told what came of it", async () => {
  const { host, ask, naming } = await start();
  const place = ['public', 'DEFAULT_GROUP@@demo'];
  const told = async (...operations: unknown[]) => {
    const { datums = [] } = JSON.parse((await ask(FORWARD_PATH, { operations })).text) as { datums?: unknown[][] };
    return datums.map(([, key, , , , kind, verdict]) => [kind, key, verdict]);
  };
  const stored = naming.register(DEMO, decodeInstance(['10.1.0.9', 80, 'DEFAULT', 1, 3, 'id', 'app']));
  await host.advance(1_000);
  await stored;
  const stays = '10.1.0.9:80:DEFAULT';
  assert.deepEqual(await told(['judge', ...place, stays, false]), [['probed', stays, false]]);
  await ask(FORWARD_PATH, {
    operations: [1, 2].map((n) => ['register', ...place, [`10.1.0.${n}`, ...INSTANCE.slice(1)]]),
  });
  const gone = [1, 2].map((n) => ['left', `10.1.0.${n}:80:DEFAULT`, undefined]);
  assert.deepEqual(await told(['clear', ...place]), gone);
});

test('what breaks the schema is refused whole, counted, and changes nothing', async () => {
  const { host, send, ask, state, distro } = await start();
  await ask(DELTA_PATH, { datums: [live(5)] });
  const before = state();
  const good = JSON.stringify(live(9));
  const bad: readonly (readonly [string, string])[] = [
    ...ALL.flatMap((path) =>
      ['', 'garbage', '7', 'null', '"text"', '[]', '\u0000'].map((body) => [path, body] as const),
    ),
    ...ALL.map((path) => [path, '['.repeat(1_000_000)] as const),
    [DELTA_PATH, '{}'],
    [DIGEST_PATH, '{}'],
    [DELTA_PATH, '{"datums":{"__proto__":[]}}'],
    [DELTA_PATH, `{"datums":[${good},[]]}`],
    [DELTA_PATH, `{"datums":[${good.replace(',9,', ',-9,')}]}`],
    [DELTA_PATH, `{"datums":[${good.replace(',9,', ',1e300,')}]}`],
    [DELTA_PATH, `{"datums":[${good.replace(',9,', ',9.5,')}]}`],
    [DELTA_PATH, `{"datums":[${good.replace('"DEFAULT",1,7', '"DEFAULT",1e999,7')}]}`],
    [DELTA_PATH, `{"datums":[${Array(1_001).fill(good).join()}]}`],
    [DIGEST_PATH, '{"digests":[]}'],
    [DIGEST_PATH, `{"after":"","upTo":null,"digests":[${Array(5_001).fill('["a##b","0.0"]').join()}]}`],
    [DIGEST_PATH, '{"after":"","upTo":null,"digests":[["no service","0.0"]]}'],
    [EXCHANGE_PATH, '{"services":["no service"],"after":null}'],
    [EXCHANGE_PATH, `{"services":[${Array(201).fill('"a##b"').join()}],"after":null}`],
    [SNAPSHOT_PATH, '{"after":["a##b"]}'],
    [FORWARD_PATH, '{"operations":[],"unknown":7}'],
    [FORWARD_PATH, '{"operations":[],"unknown":[0]}'],
    [FORWARD_PATH, `{"operations":[["register","public","g@@s",["10.1.0.9",80,"D",1,7,"i","a"]],["explode"]]}`],
  ];
  for (const [path, body] of bad) {
    const { status, text } = await send(path, body);
    assert.equal(status, 400, `${path} ${body.slice(0, 80)}: ${status} ${text.slice(0, 200)}`);
    assert.doesNotMatch(text, /\n\s+at /);
  }
  assert.equal(state(), before);
  assert.equal(distro.badMessages, bad.length);
  assert.equal((await ask(DELTA_PATH, { datums: [live(6)] })).status, 200);
  assert.deepEqual(
    host.log.lines.filter((line) => line.startsWith('error')),
    [],
  );
});

test('a stamp from a far future is refused and counted, the rest of its message is taken', async () => {
  const { ask, state, distro } = await start();
  const other = [SERVICE, '10.1.0.2:80:DEFAULT', 1, 1, 'm2', 'left'];
  assert.equal((await ask(DELTA_PATH, { datums: [live(2 ** 53 - 1), other] })).status, 200);
  assert.equal(state(), JSON.stringify([other]));
  assert.equal(distro.refused, 1);
});

test('who has not the key, is late, or says it again is refused and counted, whatever he asks', async () => {
  const { host, send, auth, state, membership } = await start();
  const body = JSON.stringify({ datums: [live()] });
  const stranger = auth('another-key-of-this-test-0f1e2d3c4b5a6');
  for (const path of ALL) {
    assert.equal((await send(path, body, { by: stranger })).status, 401);
    assert.equal((await send(path, body, { headers: { 'x-nacos-kube-member': SELF } })).status, 401);
    assert.equal((await send(path, body, { headers: { 'x-nacos-kube-signature': '' } })).status, 401);
  }
  const old = auth().signRequest({ to: SELF, method: 'POST', target: DELTA_PATH, body }).headers;
  const raw = (headers: Record<string, string>, sent = body) =>
    host.network.ask(PEER_PORT, DELTA_PATH, 'POST', { body: sent, headers }).then((answer) => answer.status);
  assert.equal(await raw(old, `${body} `), 401);
  assert.equal(await raw({}), 401);
  assert.equal(await raw({ 'user-agent': 'Nacos-Server:v1.4.8' }), 401);
  await host.advance(6 * 60_000);
  assert.equal(await raw(old), 401);
  assert.equal(state(), '[]');
  assert.equal(membership.counts()['denied'], 3 * ALL.length + 4);
  const fresh = auth().signRequest({ to: SELF, method: 'POST', target: DELTA_PATH, body }).headers;
  assert.deepEqual([await raw(fresh), await raw(fresh)], [200, 401]);
});

test('the peer port takes no larger body than peers send', async () => {
  const bounds = new Map<number, number>();
  const host = new FakeHost('node');
  const { serve } = host.network;
  host.network.serve = (at, handler) => {
    bounds.set(at.port, (at as { bodyBytesMax?: number }).bodyBytesMax ?? 0);
    return serve.call(host.network, at, handler);
  };
  const settings = {
    mode: 'standalone',
    port: 8848,
    listen: '127.0.0.1',
    data: '/data',
    contextPath: '/nacos',
  } as const;
  const more = {
    member: '127.0.0.1:8848',
    memberList: { kind: 'standalone' },
    clusterKeys: [],
    trustedProxies: [],
  } as const;
  const node: NodeSettings = { ...settings, ...more, sidecarTokenFile: undefined, storage: { kind: 'memory' } };
  const store = createMemoryStore(host, createMemoryDatabase());
  const membership = createMembership(host, node);
  const { lifecycle } = createNacosServer({ host, settings: node, store, membership, withProcessMetrics: false });
  await Promise.all([lifecycle.start(), host.advance(1_000)]);
  assert.equal(bounds.get(PEER_PORT), PEER_REQUEST_BYTES_MAX);
  assert.ok((bounds.get(8848) ?? 0) > PEER_REQUEST_BYTES_MAX);
});

test('operations that come when their sender has given them up are not carried out', async () => {
  const { host, auth, send, state } = await start();
  const by = auth();
  const body = JSON.stringify({
    operations: [encodeOperation({ kind: 'register', service: DEMO, instance: decodeInstance(INSTANCE) })],
  });
  const empty = state();
  const held = by.signRequest({ to: SELF, method: 'POST', target: FORWARD_PATH, body }).headers;
  await send(DIGEST_PATH, '{"total":"0 0 0"}', { by });
  await host.advance(20_000);
  const asked = host.network.ask(PEER_PORT, FORWARD_PATH, 'POST', { body, headers: held });
  await host.advance(1);
  assert.equal((await asked).status, 503);
  assert.equal(state(), empty);
  assert.equal((await send(FORWARD_PATH, body, { by })).status, 200);
  assert.notEqual(state(), empty);
});
