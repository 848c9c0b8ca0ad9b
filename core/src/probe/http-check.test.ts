import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { NetworkError } from '../host/host.ts';
import { createNodeHost } from '../host/node/node-host.ts';
import { FakeHost } from '../testing/fake-host.ts';
import { httpCheck } from './http-check.ts';
import type { ProbeTarget } from './target.ts';

/** Against a real server through the real network, for what a refused or reset connection is only that knows. */
const host = createNodeHost({ name: 'test', logLevel: 'error', logFormat: 'text' });
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {};
const seen: IncomingMessage[] = [];
const server = createServer((request, response) => {
  seen.push(request);
  answer(request, response);
});
let port = 0;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen.length = 0;
});

const targetAt = (at: number): ProbeTarget => ({
  ...{ service: 's', key: 'k', ip: '127.0.0.1', port: at, healthy: true },
  check: { kind: 'HTTP', path: '', headers: '' },
});
const check = (path = '/', headers = '', at = port) => {
  return httpCheck(host, targetAt(at), { kind: 'HTTP', path, headers }, 500);
};
const answering = (status: number, headers: Record<string, string> = {}, body = '') => {
  answer = (_request, response) => void response.writeHead(status, headers).end(body);
};

test('exactly 200 is well, whatever else succeeds', async () => {
  answering(200);
  assert.equal(await check(), 'ok');
  for (const status of [201, 204, 206, 300, 304, 400, 401, 404, 500, 502, 504]) {
    answering(status);
    assert.equal(await check(), 'down', `${status}`);
  }
});

test('503 and 302 are a sign and no verdict; other redirects are refused, and none is followed', async () => {
  for (const [status, outcome] of [
    ...[[503, 'busy'] as const, [302, 'busy'] as const],
    ...[301, 303, 307, 308].map((one) => [one, 'failed'] as const),
  ]) {
    answering(status, { location: '/elsewhere' });
    assert.equal(await check(), outcome, `${status}`);
  }
  assert.ok(seen.every(({ url }) => url === '/'));
});

test('silence is a sign: before the answer, and counted from the connection', async () => {
  answer = () => {};
  assert.equal(await check(), 'timeout');
});

test('a body that never ends or is very large takes nothing from the status before it', async () => {
  answer = (_request, response) => void response.writeHead(200).write('beginning');
  assert.equal(await check(), 'ok');
  answering(200, {}, 'x'.repeat(1_000_000));
  assert.equal(await check(), 'ok');
});

test('nobody listens: down at once', async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const { port: free } = gone.address() as { port: number };
  await new Promise((resolve) => gone.close(resolve));
  assert.equal(await check('/', '', free), 'down');
});

test('a broken answer, a reset and a way that is not there are a sign', async () => {
  answer = ({ socket }) => void socket.end('HTTP/9 what\r\n\r\n');
  assert.equal(await check(), 'failed');
  answer = ({ socket }) => void socket.resetAndDestroy();
  assert.equal(await check(), 'failed');
  const fake = new FakeHost();
  const http = { kind: 'HTTP', path: '/', headers: '' } as const;
  for (const [kind, outcome] of [
    ['timeout', 'timeout'],
    ['refused', 'down'],
    ['unreachable', 'failed'],
    ['reset', 'failed'],
    ['protocol', 'failed'],
  ] as const) {
    fake.network.answer = () => {
      throw new NetworkError(kind, kind);
    };
    assert.equal(await httpCheck(fake, targetAt(80), http, 500), outcome, kind);
  }
});

test('it asks as the reference does, with the headers of the user', async () => {
  answering(200);
  await check('health?deep=1', 'X-Key: one |Host:shop.example|bad|a:b:c|:x|x:|Connection:keep-alive|Content-Length:5');
  const [request] = seen;
  assert.deepEqual([request?.method, request?.url], ['GET', '/health?deep=1']);
  assert.deepEqual(request?.headers, {
    ...{ 'user-agent': 'VIPServer', 'x-key': 'one', host: 'shop.example', connection: 'close' },
  });
});

test('a path that is an address leads nowhere else (S9)', async () => {
  answering(200);
  for (const path of ['http://10.0.0.1/', '//10.0.0.1/', '@10.0.0.1/']) assert.equal(await check(path), 'ok', path);
  assert.deepEqual(
    seen.map(({ url }) => url),
    ['/http://10.0.0.1/', '//10.0.0.1/', '/@10.0.0.1/'],
  );
});
