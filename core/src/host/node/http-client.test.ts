import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { createHttpClient } from './http-client.ts';

const client = createHttpClient();
after(() => client.close());

/** A server that answers each connection's data as the script says. */
async function scripted(onData: (socket: Socket, text: string, connection: number) => void): Promise<number> {
  let connections = 0;
  const server: Server = createServer((socket) => {
    const number = ++connections;
    socket.on('error', () => {});
    socket.on('data', (data) => onData(socket, data.toString(), number));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  return (server.address() as { port: number }).port;
}

const request = (port: number, more: object = {}) =>
  client.request({ address: '127.0.0.1', port, method: 'GET', path: '/x?token=secret', timeoutMs: 10_000, ...more });

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('connections are kept and used again', async () => {
  const connections: number[] = [];
  const port = await scripted((socket, _text, connection) => {
    connections.push(connection);
    socket.write(OK);
  });
  for (let i = 0; i < 3; i++) assert.equal(Buffer.from((await request(port)).body).toString(), 'ok');
  assert.deepEqual(connections, [1, 1, 1]);
});

test('an idempotent request on a kept connection that proves dead goes out once more', async () => {
  const methods: string[] = [];
  const port = await scripted((socket, text, connection) => {
    methods.push(`${connection} ${text.split(' ', 1)[0]}`);
    if (methods.length === 2) socket.destroy();
    else socket.write(OK);
  });
  await request(port);
  const second = await request(port, { method: 'PUT' });
  assert.equal(second.status, 200);
  assert.deepEqual(methods, ['1 GET', '1 PUT', '2 PUT']);
});

test('a POST is never repeated', async () => {
  const methods: string[] = [];
  const port = await scripted((socket, text) => {
    methods.push(text.split(' ', 1)[0] as string);
    if (methods.length === 2) socket.destroy();
    else socket.write(OK);
  });
  await request(port);
  await assert.rejects(request(port, { method: 'POST', body: 'x' }), { name: 'NetworkError', kind: 'reset' });
  assert.deepEqual(methods, ['GET', 'POST']);
});

test('nothing is repeated on a fresh connection or once a byte of an answer came', async () => {
  let seen = 0;
  const port = await scripted((socket, text) => {
    seen++;
    if (text.startsWith('DELETE')) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Le', () => socket.destroy());
    } else if (text.includes('/die')) socket.destroy();
    else socket.write(OK);
  });
  await assert.rejects(request(port, { path: '/die' }), { kind: 'reset' });
  assert.equal(seen, 1);
  await request(port);
  await assert.rejects(request(port, { method: 'DELETE' }), { name: 'NetworkError' });
  assert.equal(seen, 3);
});

test('the deadline spans the whole exchange', async () => {
  const port = await scripted((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'));
  await assert.rejects(request(port, { timeoutMs: 50 }), { name: 'NetworkError', kind: 'timeout' });
});

test('failures are told apart, and name the target without its query', async () => {
  const port = await scripted((socket, text) => {
    socket.end(text.includes('/cut') ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab' : 'garbage\r\n\r\n');
  });
  await assert.rejects(request(port), { kind: 'protocol' });
  await assert.rejects(request(port, { path: '/cut' }), { kind: 'reset' });
  await assert.rejects(request(port, { path: '/a b' }), { kind: 'protocol' });
  await assert.rejects(request(port, { headers: { a: 'b\nc' } }), { kind: 'protocol' });
  await assert.rejects(request(1), (error: Error & { kind: string }) => {
    assert.equal(error.kind, 'refused');
    assert.match(error.message, /^GET http:\/\/127\.0\.0\.1:1\/x: /);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
});

test('an answer over the bound is refused', async () => {
  const port = await scripted((socket) => socket.write(OK));
  await assert.rejects(request(port, { bodyBytesMax: 1 }), { kind: 'protocol' });
  assert.equal((await request(port, { bodyBytesMax: 2 })).status, 200);
});
