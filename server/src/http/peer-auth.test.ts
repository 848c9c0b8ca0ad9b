import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import fc from 'fast-check';
import { CLOCK_WINDOW_MS, keysProblem, PeerAuth, type SignedCall } from './peer-auth.ts';
import { SENDERS_MAX, SEQUENCE_WINDOW, SequenceWindows } from './sequence-windows.ts';

const KEY = 'Zm9yIHRlc3RzIG9ubHk6IG9uZSBjbHVzdGVyIGtleQ';
const OTHER_KEY = 'YW5vdGhlciBjbHVzdGVyIGFsdG9nZXRoZXIsIGluZGVlZA';
const RUN = '0123456789abcdef';

function auth(self: string, { keys = [KEY], run = RUN, nowMs = (): number => 1_000_000 } = {}): PeerAuth {
  return new PeerAuth({ self, keys, run, nowMs });
}

function received(call: SignedCall, headers: Readonly<Record<string, string | undefined>>) {
  const [path = '', query = ''] = call.target.split('?');
  const body = typeof call.body === 'string' ? new TextEncoder().encode(call.body) : call.body;
  return { method: call.method, path, query, headers, body };
}

const CALL: SignedCall = { to: 'b:8848', method: 'POST', target: '/peer/v1/report?x=1', body: '{"a":1}' };
const unauthorized = (error: unknown) =>
  error instanceof ProtocolError && error.status === 401 && error.message === 'unauthorized';

test('a signed request is accepted once by the one it was signed for', () => {
  const b = auth('b:8848');
  const request = received(CALL, auth('a:8848').signRequest(CALL).headers);
  assert.throws(() => auth('c:8848').verifyRequest(request), unauthorized);
  b.verifyRequest(request);
  assert.throws(() => b.verifyRequest(request), unauthorized);
  assert.equal(b.denials.replay, 1);
});

const TAMPERED: readonly (readonly [string, (request: ReturnType<typeof received>) => ReturnType<typeof received>])[] =
  [
    ['another method', (request) => ({ ...request, method: 'PUT' })],
    ['another path', (request) => ({ ...request, path: '/peer/v1/leave' })],
    ['another query', (request) => ({ ...request, query: 'x=2' })],
    ['a query turned into a path', (request) => ({ ...request, path: `${request.path}?${request.query}x`, query: '' })],
    ['another body', (request) => ({ ...request, body: new TextEncoder().encode('{"a":2}') })],
    ['another sender', (request) => withHeader(request, 'x-nacos-kube-member', 'c:8848')],
    ['another time', (request) => withHeader(request, 'x-nacos-kube-time', '1000001')],
    ['another number', (request) => withHeader(request, 'x-nacos-kube-nonce', `${RUN}.2`)],
    ['no signature', (request) => withHeader(request, 'x-nacos-kube-signature', undefined)],
    ['an empty signature', (request) => withHeader(request, 'x-nacos-kube-signature', '')],
    ['a signature cut short', (request) => withHeader(request, 'x-nacos-kube-signature', 'AAAA')],
    ['a number that is none', (request) => withHeader(request, 'x-nacos-kube-nonce', `${RUN}.1e3`)],
    ['the User-Agent that the reference believes (S1)', () => received(CALL, { 'user-agent': 'Nacos-Server:1.4.8' })],
  ];

function withHeader(request: ReturnType<typeof received>, header: string, value: string | undefined) {
  return { ...request, headers: { ...request.headers, [header]: value } };
}

for (const [name, tamper] of TAMPERED) {
  test(`a request with ${name} is denied, and the right one is still accepted`, () => {
    const b = auth('b:8848');
    const request = received(CALL, auth('a:8848').signRequest(CALL).headers);
    assert.throws(() => b.verifyRequest(tamper(request)), unauthorized);
    b.verifyRequest(request);
  });
}

test('a request signed with the key of another cluster is denied', () => {
  const request = received(CALL, auth('a:8848', { keys: [OTHER_KEY] }).signRequest(CALL).headers);
  assert.throws(() => auth('b:8848').verifyRequest(request), unauthorized);
});

test('while keys change, either is accepted and the first signs', () => {
  const [old, changing, done] = [[KEY], [OTHER_KEY, KEY], [OTHER_KEY]] as const;
  const isAccepted = (from: readonly string[], by: readonly string[]) => {
    try {
      auth('b:8848', { keys: [...by] }).verifyRequest(
        received(CALL, auth('a:8848', { keys: [...from] }).signRequest(CALL).headers),
      );
      return true;
    } catch {
      return false;
    }
  };
  assert.equal(isAccepted(old, changing), true);
  assert.equal(isAccepted(changing, done), true);
  assert.equal(isAccepted(changing, old), false);
});

test('a request is denied when the clocks are further apart than the window', () => {
  for (const [skewMs, isAccepted] of [
    [CLOCK_WINDOW_MS, true],
    [-CLOCK_WINDOW_MS, true],
    [CLOCK_WINDOW_MS + 1, false],
    [-CLOCK_WINDOW_MS - 1, false],
  ] as const) {
    const request = received(CALL, auth('a:8848', { nowMs: () => 1_000_000 + skewMs }).signRequest(CALL).headers);
    const verify = () => auth('b:8848').verifyRequest(request);
    if (isAccepted) verify();
    else assert.throws(verify, unauthorized);
  }
});

test('an answer proves who gave it, to which request', () => {
  const [a, b] = [auth('a:8848'), auth('b:8848')];
  const signature = a.signRequest(CALL);
  const sealed = b.sealAnswer(received(CALL, signature.headers), { status: 200, body: '{"ok":true}' });
  const answer = { status: 200, headers: sealed.headers ?? {}, body: new TextEncoder().encode('{"ok":true}') };
  assert.equal(a.isAnswerOf('b:8848', signature, answer), true);
  assert.equal(a.isAnswerOf('c:8848', signature, answer), false);
  assert.equal(a.isAnswerOf('b:8848', a.signRequest(CALL), answer), false);
  assert.equal(a.isAnswerOf('b:8848', signature, { ...answer, status: 500 }), false);
  assert.equal(a.isAnswerOf('b:8848', signature, { ...answer, body: new TextEncoder().encode('{}') }), false);
  assert.equal(a.isAnswerOf('b:8848', signature, { ...answer, headers: {} }), false);
});

test('a denial is never signed', () => {
  const denied = auth('b:8848').sealAnswer(received(CALL, auth('a:8848').signRequest(CALL).headers), {
    status: 401,
    body: 'unauthorized',
  });
  assert.deepEqual(denied, { status: 401, body: 'unauthorized' });
});

test('a node without keys accepts nobody and signs nothing', () => {
  const alone = auth('b:8848', { keys: [] });
  assert.throws(() => alone.verifyRequest(received(CALL, auth('a:8848').signRequest(CALL).headers)), unauthorized);
  assert.throws(() => alone.signRequest(CALL), /without a cluster key/);
});

test('keys that are short, known, repeated or too many are refused', () => {
  assert.equal(keysProblem([KEY, OTHER_KEY]), undefined);
  assert.match(keysProblem(['short']) ?? '', /at least 32/);
  assert.match(keysProblem(['SecretKey012345678901234567890123456789012345678901234567890123456789']) ?? '', /knows/);
  assert.match(keysProblem([KEY, 'VGhpc0lzTXlDdXN0b21TZWNyZXRLZXkwMTIzNDU2Nzg=']) ?? '', /knows/);
  assert.match(keysProblem(['ab'.repeat(32)]) ?? '', /repeats/);
  assert.match(keysProblem([KEY, OTHER_KEY, `${KEY}x`]) ?? '', /2 cluster keys/);
});

test('numbers are new once each, in whatever order they come within the window', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3 * SEQUENCE_WINDOW }), { maxLength: 300 }), (sequence) => {
      const windows = new SequenceWindows(1_000);
      const seen = new Set<number>();
      let highest = 0;
      for (const number of sequence) {
        const isFresh = !seen.has(number) && number > highest - SEQUENCE_WINDOW;
        assert.equal(windows.isNew('a', number, 0), isFresh);
        seen.add(number);
        highest = Math.max(highest, number);
      }
    }),
  );
});

test('senders are forgotten after their time, and beyond the bound the one heard longest ago', () => {
  const windows = new SequenceWindows(1_000);
  assert.equal(windows.isNew('old', 1, 0), true);
  assert.equal(windows.isNew('a', 1, 1_001), true);
  assert.equal(windows.size, 1);
  for (let i = 0; i < 2 * SENDERS_MAX; i++) windows.isNew(`s${i}`, 1, 1_001);
  assert.equal(windows.size, SENDERS_MAX);
});
