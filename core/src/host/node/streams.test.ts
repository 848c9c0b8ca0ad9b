import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, test } from 'node:test';
import type { TcpStream } from '../host.ts';
import { createLog } from './log.ts';
import { connectTcp, listenTcp } from './tcp.ts';
import { openUdp } from './udp.ts';

const log = createLog({ process: 'test', level: 'off', format: 'text', now: () => 0, write: () => {} });
const ANY = { address: '127.0.0.1', port: 0 };

test('joined streams copy both ways until the far side has answered and ended', async () => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  after(() => echo.close());
  const target = { address: '127.0.0.1', port: (echo.address() as { port: number }).port };
  const joined = Promise.withResolvers<void>();
  const proxy = await listenTcp(
    ANY,
    (near) => {
      joined.resolve(connectTcp(target, 5_000).then((far) => near.join(far)));
    },
    log,
  );
  after(() => proxy.stop());

  const sent = 'x'.repeat(3_000_000);
  const received = await new Promise<number>((resolve) => {
    let bytes = 0;
    const socket = connect(proxy.port, '127.0.0.1', () => socket.end(sent));
    socket.on('data', (data) => {
      bytes += data.length;
    });
    socket.on('close', () => resolve(bytes));
  });
  assert.equal(received, sent.length);
  await joined.promise;
});

test('a target that dies ends the joined caller too', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const target = { address: '127.0.0.1', port: (server.address() as { port: number }).port };
  const proxy = await listenTcp(ANY, (near) => void connectTcp(target, 5_000).then((far) => near.join(far)), log);
  after(() => proxy.stop());
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.on('close', resolve));
});

test('connecting tells who refuses and where nothing can be reached', async () => {
  await assert.rejects(connectTcp({ address: '127.0.0.1', port: 1 }, 5_000), { name: 'NetworkError', kind: 'refused' });
  await assert.rejects(connectTcp({ address: '127.0.0.1', port: 70_000 }, 5_000), { name: 'NetworkError' });
});

test('a listener that stops cuts what it accepted', async () => {
  const accepted = Promise.withResolvers<TcpStream>();
  const listener = await listenTcp(ANY, accepted.resolve, log);
  await assert.rejects(
    listenTcp({ ...ANY, port: listener.port }, () => {}, log),
    { kind: 'in-use' },
  );
  const socket = connect(listener.port, '127.0.0.1');
  socket.on('error', () => {});
  const stream = await accepted.promise;
  assert.equal(stream.remote.address, '127.0.0.1');
  const closed = new Promise((resolve) => socket.resume().on('close', resolve));
  await listener.stop();
  await closed;
});

test('datagrams arrive with the address they came from', async () => {
  const one = await openUdp(ANY, log);
  const two = await openUdp(ANY, log);
  const received = new Promise<[string, number]>((resolve) => {
    two.onMessage((bytes, from) => resolve([Buffer.from(bytes).toString(), from.port]));
  });
  await one.send(new TextEncoder().encode('hello'), { address: '127.0.0.1', port: two.port });
  assert.deepEqual(await received, ['hello', one.port]);

  await assert.rejects(openUdp({ ...ANY, port: one.port }, log), { name: 'NetworkError', kind: 'in-use' });
  await assert.rejects(one.send(new Uint8Array(1), { ...ANY, port: 99_999 }), { name: 'NetworkError' });
  await Promise.all([one.close(), two.close()]);
  await assert.rejects(one.send(new Uint8Array(1), { ...ANY, port: 9 }), { name: 'NetworkError', kind: 'closed' });
});
