import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type HttpRequest,
  type InboundResponse,
  NetworkError,
  type NetworkErrorKind,
  type OutboundRequest,
} from '@nacos-kube/core/host/host.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { PeerAuth } from '../http/peer-auth.ts';
import {
  CALLS_PER_PEER_MAX,
  CALLS_WAITING_PER_PEER_MAX,
  PEER_REQUEST_BYTES_MAX,
  PeerClient,
  PeerError,
  type PeerErrorKind,
} from './peer-client.ts';

const KEY = 'Zm9yIHRlc3RzIG9ubHk6IG9uZSBjbHVzdGVyIGtleQ';
const SELF = '10.0.0.1:8848';
const PEER = '[fd00::2]:8848';
const PATH = '/peer/v1/x';

function setUp() {
  const host = new FakeHost();
  const nowMs = () => host.clock.now();
  const peer = new PeerAuth({ self: PEER, keys: [KEY], run: 'b'.repeat(16), nowMs });
  const { call } = new PeerClient(host, new PeerAuth({ self: SELF, keys: [KEY], run: 'a'.repeat(16), nowMs }));
  /** What the peer makes of a request that it has verified. */
  const answered = (request: OutboundRequest, status: number, body: string): InboundResponse => {
    const headers = request.headers as HttpRequest['headers'];
    const sealed = peer.sealAnswer({ headers }, { status, body });
    return { status, headers: sealed.headers ?? {}, body: new TextEncoder().encode(body) };
  };
  host.network.answer = (request) => {
    const body = new TextEncoder().encode(request.body as string);
    peer.verifyRequest({ method: request.method, path: request.path, query: '', headers: request.headers ?? {}, body });
    return answered(request, 200, `{"got":${request.body}}`);
  };
  return { host, call, answered };
}

async function failure(work: Promise<unknown>): Promise<PeerError> {
  const error = await work.then(
    () => undefined,
    (one: unknown) => one,
  );
  assert.ok(error instanceof PeerError, String(error));
  return error;
}

test('a call reaches the peer port of the member, signed, and gives its answer', async () => {
  const { host, call } = setUp();
  assert.deepEqual(await call(PEER, PATH, { a: 'ä' }, 1_000), { got: { a: 'ä' } });
  const [request] = host.network.requests;
  assert.deepEqual([request?.address, request?.port, request?.path], ['fd00::2', 7848, PATH]);
});

const FAILURES: readonly (readonly [NetworkErrorKind, PeerErrorKind])[] = [
  ['refused', 'refused'],
  ['timeout', 'timeout'],
  ['reset', 'unreachable'],
  ['unreachable', 'unreachable'],
  ['closed', 'unreachable'],
  ['protocol', 'failed'],
];
for (const [kind, expected] of FAILURES) {
  test(`a connection that ends as ${kind} is a peer that is ${expected}`, async () => {
    const { host, call } = setUp();
    host.network.answer = () => Promise.reject(new NetworkError(kind, 'for the test'));
    assert.equal((await failure(call(PEER, PATH, {}, 1_000))).kind, expected);
  });
}

test('a denial, an answer nobody signed, an error and what is no JSON are told apart', async () => {
  const { host, call, answered } = setUp();
  const bytes = new TextEncoder().encode('{}');
  const answers: readonly (readonly [(request: OutboundRequest) => InboundResponse, PeerErrorKind, RegExp])[] = [
    [() => ({ status: 401, headers: {}, body: bytes }), 'denied', /does not accept/],
    [() => ({ status: 200, headers: {}, body: bytes }), 'denied', /not signed/],
    [(request) => ({ ...answered(request, 200, '[]'), body: bytes }), 'denied', /not signed/],
    [(request) => answered(request, 400, 'phase is none'), 'failed', /400 phase is none/],
    [(request) => answered(request, 200, '<html>'), 'failed', /no JSON/],
  ];
  for (const [answer, kind, message] of answers) {
    host.network.answer = answer;
    const error = await failure(call(PEER, PATH, {}, 1_000));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
  }
});

test('a message beyond the bound is not sent', async () => {
  const { host, call } = setUp();
  assert.equal((await failure(call(PEER, PATH, 'x'.repeat(PEER_REQUEST_BYTES_MAX), 1_000))).kind, 'failed');
  assert.equal(host.network.requests.length, 0);
});

test('calls beyond the bound wait in order, an urgent one does not', async () => {
  const { host, call, answered } = setUp();
  const open: (() => void)[] = [];
  host.network.answer = (request) =>
    new Promise((resolve) => open.push(() => resolve(answered(request, 200, request.body as string))));
  const done: number[] = [];
  for (let i = 0; i < CALLS_PER_PEER_MAX + 2; i++) void call(PEER, PATH, i, 60_000).then(() => done.push(i));
  void call(PEER, PATH, 'urgent', 60_000, { isUrgent: true });
  void call('10.0.0.3:8848', PATH, 'another peer', 60_000);
  await host.advance(0);
  assert.deepEqual(
    host.network.requests.map(({ body }) => JSON.parse(body as string)),
    ['urgent', 0, 1, 2, 3, 4, 5, 6, 7, 'another peer'],
  );
  open[1]?.();
  open[2]?.();
  await host.advance(0);
  assert.deepEqual(done, [0, 1]);
  assert.deepEqual(
    host.network.requests.slice(-2).map(({ body }) => body),
    ['8', '9'],
  );
});

test('who waits in vain is told in time, and leaves its place', async () => {
  const { host, call } = setUp();
  host.network.answer = () => new Promise(() => {});
  for (let i = 0; i < CALLS_PER_PEER_MAX; i++) void call(PEER, PATH, i, 60_000);
  const waiting = Array.from({ length: CALLS_WAITING_PER_PEER_MAX }, () => failure(call(PEER, PATH, 'late', 2_000)));
  assert.match((await failure(call(PEER, PATH, 'too many', 2_000))).message, /wait already/);
  await host.advance(2_000);
  for (const { kind } of await Promise.all(waiting)) assert.equal(kind, 'timeout');
  const again = failure(call(PEER, PATH, 'late', 2_000));
  await host.advance(2_000);
  assert.equal((await again).kind, 'timeout');
  assert.equal(host.network.requests.length, CALLS_PER_PEER_MAX);
});
