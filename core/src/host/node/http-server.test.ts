import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { HttpHandler, HttpListener, HttpRequest, ServeOptions } from '../host.ts';
import { createHttpClient } from './http-client.ts';
import { OUTGOING_MAX, serveHttp } from './http-server.ts';
import { createLog } from './log.ts';

const lines: string[] = [];
const log = createLog({
  process: 'test',
  level: 'debug',
  format: 'text',
  now: () => 0,
  write: (line) => void lines.push(line),
});
const client = createHttpClient();
after(() => client.close());

async function serving(handler: HttpHandler, options: Partial<ServeOptions> = {}): Promise<HttpListener> {
  const listener = await serveHttp({ address: '127.0.0.1', port: 0, bodyBytesMax: 1000, ...options }, handler, log);
  after(() => listener.stop(0));
  return listener;
}

/** Sends bytes as they are and gives all that comes back until the server closes. */
function exchangeRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (part) => {
      answer += part;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

const ok: HttpHandler = () => ({ status: 200, body: 'ok' });
const send = (port: number, method: string, path: string, body?: string, headers = {}) =>
  client.request({
    address: '127.0.0.1',
    port,
    method,
    path,
    headers,
    timeoutMs: 10_000,
    ...(body === undefined ? {} : { body }),
  });

test('a request reaches the handler as a value and its answer goes back', async () => {
  let seen: HttpRequest | undefined;
  const listener = await serving((request) => {
    seen = request;
    return { status: 201, headers: { 'content-type': 'text/plain' }, body: 'née' };
  });
  const response = await send(listener.port, 'POST', '/a%20b?x=1&y=%2F', 'x=é', { 'X-One': 'first' });
  assert.equal(response.status, 201);
  assert.equal(response.headers['content-type'], 'text/plain');
  assert.equal(response.headers['content-length'], '4');
  assert.equal(Buffer.from(response.body).toString(), 'née');
  assert.equal(seen?.method, 'POST');
  assert.equal(seen?.path, '/a%20b');
  assert.equal(seen?.query, 'x=1&y=%2F');
  assert.equal(seen?.headers['x-one'], 'first');
  assert.equal(Buffer.from(seen?.body ?? []).toString(), 'x=é');
  assert.equal(seen?.remote.address, '127.0.0.1');
});

test('an answer may come later, a repeated header keeps its first value, HEAD is a GET without the body', async () => {
  const listener = await serving(async (request) => {
    await Promise.resolve();
    return { status: 200, body: `${request.method} ${request.headers['x-a']}` };
  });
  const later = await exchangeRaw(
    listener.port,
    'GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\n',
  );
  assert.match(later, /^HTTP\/1.1 200 OK\r\ncontent-length: 5\r\n[\s\S]*\r\n\r\nGET 1$/);
  const head = await send(listener.port, 'HEAD', '/');
  assert.equal(head.headers['content-length'], String('GET undefined'.length));
  assert.equal(head.body.length, 0);
});

test('a GET may carry a body', async () => {
  const listener = await serving((request) => ({ status: 200, body: request.body }));
  const response = await send(listener.port, 'GET', '/', 'checksum');
  assert.equal(Buffer.from(response.body).toString(), 'checksum');
});

test('a handler that throws or rejects is answered 500 without a body, and logged', async () => {
  const listener = await serving((request) => {
    if (request.path === '/sync') throw new Error('sync trouble');
    return Promise.reject(new Error('async trouble'));
  });
  for (const path of ['/sync', '/async']) {
    const response = await send(listener.port, 'GET', `${path}?password=1`);
    assert.equal(response.status, 500);
    assert.equal(response.body.length, 0);
  }
  assert.ok(lines.some((line) => line.includes('sync trouble') && line.includes('path=/sync')));
  assert.ok(lines.some((line) => line.includes('async trouble')));
  assert.ok(!lines.some((line) => line.includes('password')));
});

test('an answer with a header that would split it becomes a 500', async () => {
  const listener = await serving(() => ({ status: 200, headers: { 'x-a': 'b\r\nx-c: d' }, body: '' }));
  assert.equal((await send(listener.port, 'GET', '/')).status, 500);
});

test('a body over the bound is answered 413 and the connection closed, announced or not', async () => {
  let calls = 0;
  const listener = await serving(() => {
    calls++;
    return { status: 200, body: '' };
  });
  const large = 'x'.repeat(1001);
  const head = 'POST / HTTP/1.1\r\nHost: x\r\n';
  const announced = await exchangeRaw(listener.port, `${head}Content-Length: 1001\r\n\r\n${large}`);
  const chunked = await exchangeRaw(
    listener.port,
    `${head}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${large}\r\n0\r\n\r\n`,
  );
  const waiting = await exchangeRaw(listener.port, `${head}Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n`);
  for (const answer of [announced, chunked, waiting]) {
    assert.match(answer, /^HTTP\/1.1 413 /);
    assert.match(answer, /connection: close/i);
  }
  assert.equal(calls, 0);
  assert.equal((await send(listener.port, 'POST', '/', 'x'.repeat(1000))).status, 200);
});

test('broken requests are answered 400 and closed, and the next one is fine', async () => {
  const listener = await serving(ok);
  const broken = [
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
    'GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n',
  ];
  for (const request of broken) assert.match(await exchangeRaw(listener.port, request), /^HTTP\/1.1 400 /, request);
  const overflow = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`;
  assert.match(await exchangeRaw(listener.port, overflow), /^HTTP\/1.1 431 /);
  assert.equal((await send(listener.port, 'GET', '/')).status, 200);
});

test('a held request hears once that its caller is gone, an answered one never', async () => {
  const gone: string[] = [];
  const held = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<void>();
  const listener = await serving((request) => {
    request.onGone(() => {
      gone.push(request.path);
      heard.resolve();
    });
    if (request.path === '/answered') return { status: 200, body: '' };
    held.resolve();
    return new Promise(() => {});
  });
  const socket: Socket = connect(listener.port, '127.0.0.1');
  socket.write('GET /answered HTTP/1.1\r\nHost: x\r\n\r\nGET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await held.promise;
  socket.destroy();
  await heard.promise;
  assert.deepEqual(gone, ['/held']);
});

test('connections from one address beyond the cap are closed at once', async () => {
  const listener = await serving(ok, { connectionsPerAddressMax: 1 });
  const first = connect(listener.port, '127.0.0.1');
  await new Promise((resolve) => {
    first.once('data', resolve);
    first.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  });
  const second = await exchangeRaw(listener.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').catch((error) => error.code);
  assert.ok(second === '' || second === 'ECONNRESET' || second === 'EPIPE', second);
  first.destroy();
});

test('a stop lets the answer under way finish and then refuses connections', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const listener = await serving(async () => {
    asked.resolve();
    await answer.promise;
    return { status: 200, body: 'late' };
  });
  const { port } = listener;
  const response = send(port, 'GET', '/');
  await asked.promise;
  const stopped = listener.stop(10_000);
  answer.resolve();
  assert.equal(Buffer.from((await response).body).toString(), 'late');
  assert.equal((await response).headers.connection, 'close');
  await stopped;
  await assert.rejects(send(port, 'GET', '/'), { kind: 'refused' });
});

/** A caller that keeps its connection; resolves when the server closes it. */
async function kept(port: number) {
  const socket = connect(port, '127.0.0.1');
  const closed = once(socket, 'close');
  const ask = async () => {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    return String((await once(socket, 'data'))[0]);
  };
  assert.doesNotMatch(await ask(), /connection: close/i);
  return { ask, closed, socket };
}

test('a listener that retires tells each caller with its next answer, and still takes new ones', async () => {
  const listener = await serving(ok);
  const one = await kept(listener.port);
  const two = await kept(listener.port);
  let isOver = false;
  const retired = listener.retire(60_000).then(() => {
    isOver = true;
  });
  assert.match(await one.ask(), /connection: close/i);
  await one.closed;
  assert.equal(isOver, false, 'another is connected');
  assert.match(await two.ask(), /connection: close/i);
  await two.closed;
  await retired;
  const later = await exchangeRaw(listener.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(later, /^HTTP\/1\.1 200 .*connection: close/is);
});

test('who says nothing while a listener retires is closed at the end', async () => {
  const listener = await serving(ok);
  const { closed } = await kept(listener.port);
  await listener.retire(50);
  await closed;
});

test('a listener that retires without time for it closes nobody, but with an answer', async () => {
  const listener = await serving(ok);
  const { ask, closed } = await kept(listener.port);
  await listener.retire(0);
  assert.match(await ask(), /connection: close/i);
  await closed;
});

test('a stop without grace cuts what is held', async () => {
  const asked = Promise.withResolvers<void>();
  const listener = await serving(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  const response = send(listener.port, 'GET', '/');
  const refused = assert.rejects(response, { name: 'NetworkError', kind: 'reset' });
  await asked.promise;
  await listener.stop(0);
  await refused;
});

test('an address that is taken is told as such', async () => {
  const listener = await serving(ok);
  await assert.rejects(serving(ok, { port: listener.port }), { name: 'NetworkError', kind: 'in-use' });
});

test('a large answer arrives whole', async () => {
  const body = 'z'.repeat(20_000_000);
  const listener = await serving(() => ({ status: 200, body }));
  const response = await send(listener.port, 'GET', '/');
  assert.equal(response.body.length, body.length);
});

test('a tail follows the body, counts towards its length, and HEAD has neither', async () => {
  const body = Buffer.from('{"hosts":[');
  const listener = await serving(() => ({ status: 200, body, tail: '"ä😀"]}' }));
  const response = await send(listener.port, 'GET', '/');
  assert.equal(Buffer.from(response.body).toString(), '{"hosts":["ä😀"]}');
  assert.equal(response.headers['content-length'], String(response.body.length));
  const head = await send(listener.port, 'HEAD', '/');
  assert.deepEqual([head.body.length, head.headers['content-length']], [0, String(response.body.length)]);
  // The connection is in order afterwards.
  const twice = 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  assert.equal((await exchangeRaw(listener.port, twice)).match(/\{"hosts":\["/g)?.length, 2);
});

test('bytes that many answers share reach each caller whole, slow ones too', async () => {
  const shared = Buffer.alloc(3_000_000, 'h');
  let asked = 0;
  const listener = await serving(() => ({ status: 200, body: shared, tail: `${++asked}`.padStart(8, '.') }));
  const slow = connect({ port: listener.port, host: '127.0.0.1' });
  slow.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  slow.pause();
  await once(slow, 'connect');
  const quick = await Promise.all(Array.from({ length: 5 }, () => send(listener.port, 'GET', '/')));
  const chunks: Buffer[] = [];
  for await (const chunk of slow) chunks.push(chunk as Buffer);
  const tails = [Buffer.concat(chunks), ...quick.map(({ body }) => Buffer.from(body))].map((all) => {
    assert.ok(all.subarray(-3_000_008, -8).equals(shared));
    return Number(all.subarray(-8).toString().replaceAll('.', ''));
  });
  assert.deepEqual(tails.sort(), [1, 2, 3, 4, 5, 6]);
});

test('who says that the body is empty is answered at once, and the next request is read', async () => {
  const bodies: number[] = [];
  const listener = await serving((request) => {
    bodies.push(request.body.length);
    return { status: 200, body: request.method };
  });
  const head = 'HTTP/1.1\r\nHost: x\r\n';
  const text = await exchangeRaw(
    listener.port,
    `PUT /a ${head}Content-Length: 0\r\n\r\nPOST /b ${head}Content-Length: 2\r\n\r\nhiDELETE /c ${head}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  );
  assert.deepEqual(bodies.sort(), [0, 0, 2]);
  assert.deepEqual(text.match(/\r\n\r\n(PUT|POST|DELETE)/g)?.length, 3);
});

test('requests that come together are all handled before the first answer leaves, each gets its own, in their order', async () => {
  const events: string[] = [];
  const listener = await serving(({ path }) => {
    events.push(path);
    if (path === '/2') throw new Error('a fault of ours');
    // Asked for when the answer is laid out, not before.
    const headers = {
      get 'x-path'() {
        events.push(`answer to ${path}`);
        return path;
      },
    };
    return { status: 200, headers, body: `body of ${path}` };
  });
  const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const together = request('/1') + request('/2') + request('/3') + request('/4', 'Connection: close\r\n');
  const text = await exchangeRaw(listener.port, together);
  const answers = text.match(/HTTP\/1\.1 \d+|body of \/\d/g) ?? [];
  assert.equal(
    answers.join(', ').replaceAll('HTTP/1.1 ', ''),
    '200, body of /1, 500, 200, body of /3, 200, body of /4',
  );
  assert.deepEqual(events.slice(0, 4), ['/1', '/2', '/3', '/4']);
});

test('of very many requests that come together the first are answered before the rest is handled', async () => {
  let handled = 0;
  let handledAtFirst: number | undefined;
  const headers = {
    get 'x-a'() {
      handledAtFirst ??= handled;
      return 'a';
    },
  };
  const listener = await serving(() => {
    handled += 1;
    return { status: 200, headers, body: '' };
  });
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n';
  const many = OUTGOING_MAX + 200;
  const text = await exchangeRaw(
    listener.port,
    `${`${request}\r\n`.repeat(many - 1)}${request}Connection: close\r\n\r\n`,
  );
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, many);
  assert.ok(handledAtFirst !== undefined && handledAtFirst <= OUTGOING_MAX, `${handledAtFirst}`);
});

test('who is refused in the middle of a burst still gets the answers to what came before', async () => {
  const listener = await serving(({ path }) => ({ status: 200, body: `body of ${path}` }));
  const valid = 'GET /1 HTTP/1.1\r\nHost: x\r\n';
  for (const burst of [`${valid}\r\nGARBAGE\r\n\r\n`, `${valid}Connection: close\r\n\r\n${valid}\r\n`]) {
    const text = await exchangeRaw(listener.port, burst);
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+|body of \/\d/g), ['HTTP/1.1 200', 'body of /1', 'HTTP/1.1 400']);
  }
});
