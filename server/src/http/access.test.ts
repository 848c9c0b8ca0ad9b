import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import type { Policy } from '@nacos-kube/core/http/route.ts';
import { authorizePeer, authorizePublic, clientIpOf } from './access.ts';

const PROXY = '10.0.0.1';
const request = (headers: HttpRequest['headers'], address = PROXY): HttpRequest => ({
  method: 'GET',
  path: '/',
  query: '',
  headers,
  body: new Uint8Array(),
  remote: { address, port: 40_000 },
  onGone() {},
});

test('behind a trusted proxy the caller is who called it, not who the caller says', () => {
  const clientIp = clientIpOf([PROXY, '10.0.0.2']);
  const cases: readonly (readonly [HttpRequest['headers'], string])[] = [
    [{ 'x-forwarded-for': '10.1.1.1' }, '10.1.1.1'],
    [{ 'x-forwarded-for': '10.9.9.9, 10.1.1.1' }, '10.1.1.1'],
    [{ 'x-forwarded-for': '10.9.9.9, 10.1.1.1, 10.0.0.2' }, '10.1.1.1'],
    [{ 'x-forwarded-for': '10.9.9.9,10.1.1.1,' }, '10.1.1.1'],
    [{ 'x-forwarded-for': '10.0.0.2' }, PROXY],
    [{ 'x-real-ip': '10.1.1.1' }, '10.1.1.1'],
    [{}, PROXY],
  ];
  for (const [headers, expected] of cases) assert.equal(clientIp(request(headers)), expected, JSON.stringify(headers));
});

test('whoever is no trusted proxy speaks for himself only', () => {
  const headers = { 'x-forwarded-for': '10.9.9.9', 'x-real-ip': '10.9.9.9' };
  assert.equal(clientIpOf([])(request(headers)), PROXY);
  assert.equal(clientIpOf([PROXY])(request(headers, '10.1.1.1')), '10.1.1.1');
});

const ALL: readonly Policy[] = [
  { kind: 'open' },
  { kind: 'read', area: 'naming' },
  { kind: 'write', area: 'naming' },
  { kind: 'peer' },
  { kind: 'sidecar' },
  { kind: 'refused', text: 'no' },
];

test('the public port has nothing for members and sidecars', () => {
  const allowed = ALL.filter((policy) => {
    try {
      authorizePublic(policy);
      return true;
    } catch (error) {
      assert.equal((error as { status?: number }).status, 403);
      return false;
    }
  });
  assert.deepEqual(
    allowed.map((policy) => policy.kind),
    ['open', 'read', 'write'],
  );
});

test('the peer port has nothing for others, and a sidecar needs the token and loopback', () => {
  const token = 'x'.repeat(32);
  const authorize = authorizePeer({ verifyPeer() {}, sidecarToken: () => token });
  for (const policy of ALL.filter(({ kind }) => kind !== 'peer' && kind !== 'sidecar')) {
    assert.throws(() => authorize(policy, request({})), { status: 403 }, policy.kind);
  }
  const bearer = { authorization: `Bearer ${token}` };
  authorize({ kind: 'sidecar' }, request(bearer, '127.0.0.1'));
  authorize({ kind: 'sidecar' }, request(bearer, '::1'));
  assert.throws(() => authorize({ kind: 'sidecar' }, request(bearer, '10.0.0.9')), { status: 401 });
  for (const wrong of [
    {},
    { authorization: token },
    { authorization: `Bearer ${token}x` },
    { authorization: 'Bearer' },
  ]) {
    assert.throws(() => authorize({ kind: 'sidecar' }, request(wrong, '127.0.0.1')), { status: 401 });
  }
  const without = authorizePeer({ verifyPeer() {}, sidecarToken: () => undefined });
  assert.throws(() => without({ kind: 'sidecar' }, request(bearer, '127.0.0.1')), { status: 401 });
});
