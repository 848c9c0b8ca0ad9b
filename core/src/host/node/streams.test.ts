import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { TcpStream } from '../host.ts';
import { createLog } from './log.ts';
import { connectTcp, listenTcp, SENT_KEPT_BYTES_MAX } from './tcp.ts';
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

/** A server with a way to each connection, and a proxy that leads the first connection to the first one, and so on. */
async function proxied(servers: readonly ((socket: Socket) => void)[]) {
  const ports: number[] = [];
  for (const onSocket of servers) {
    const server = createServer(onSocket);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    after(() => server.close());
    ports.push((server.address() as AddressInfo).port);
  }
  const asked: string[] = [];
  const leaving: (() => void)[] = [];
  let isLastGiven = false;
  const connectNext = async () => {
    const port = ports.shift();
    isLastGiven = port === undefined;
    return port === undefined ? undefined : connectTcp({ address: '127.0.0.1', port }, 5_000);
  };
  const serve = async (near: TcpStream) => {
    const again = async (sent: Uint8Array) => {
      asked.push(Buffer.from(sent).toString());
      return connectNext();
    };
    await near.join((await connectNext())!, again, (leave) => leaving.push(leave));
  };
  const proxy = await listenTcp(ANY, (near) => void serve(near), log);
  after(() => proxy.stop());
  return { port: proxy.port, asked, leaving, isLastGiven: () => isLastGiven };
}

/** Says something and gives all that comes back until the end. */
function saying(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

const dies = (socket: Socket) => socket.once('data', () => socket.resetAndDestroy());
const ends = (socket: Socket) => socket.once('data', () => socket.end());
const answers = (socket: Socket) => socket.once('data', (data) => socket.end(`answer to ${data}`));

test('what one was sent that ends without an answer is sent to another, which answers it', async () => {
  const { port, asked } = await proxied([dies, ends, answers]);
  assert.equal(await saying(port, 'a question'), 'answer to a question');
  assert.deepEqual(asked, ['a question', 'a question']);
});

test('nobody else is asked for one that has begun its answer', async () => {
  const half = (socket: Socket) => socket.once('data', () => socket.write('half', () => socket.destroy()));
  const { port, asked } = await proxied([half, answers]);
  assert.equal(await saying(port, 'a question'), 'half');
  assert.deepEqual(asked, []);
});

test('who asks is closed when there is nobody else', async () => {
  const { port, asked, isLastGiven } = await proxied([dies]);
  assert.equal(await saying(port, 'a question'), '');
  assert.deepEqual([asked, isLastGiven()], [['a question'], true]);
});

test('one that hangs can be left for another, or waited for where there is none', async () => {
  const heard = [Promise.withResolvers<Socket>(), Promise.withResolvers<Socket>()];
  const hangs = (n: number) => (socket: Socket) => socket.once('data', () => heard[n]!.resolve(socket));
  const { port, asked, leaving, isLastGiven } = await proxied([hangs(0), hangs(1)]);
  const said = saying(port, 'a question');
  await heard[0]!.promise;
  leaving[0]!();
  const last = await heard[1]!.promise;
  assert.deepEqual([asked, leaving.length], [['a question'], 2]);
  leaving[0]!();
  leaving[1]!();
  last.end('an answer');
  assert.equal(await said, 'an answer');
  leaving[1]!();
  assert.deepEqual([asked.length, isLastGiven()], [2, true]);
});

test('what is long is sent once', async () => {
  const long = 'x'.repeat(SENT_KEPT_BYTES_MAX + 1);
  let bytes = 0;
  const takesAll = (socket: Socket) =>
    socket.on('data', (data) => {
      bytes += data.length;
      if (bytes === long.length) socket.destroy();
    });
  const { port, asked } = await proxied([takesAll, answers]);
  assert.equal(await saying(port, long), '');
  assert.deepEqual(asked, []);
});

test('after its answer a stream that could have been repeated goes on both ways', async () => {
  const echo = (socket: Socket) => socket.pipe(socket);
  const { port, asked } = await proxied([dies, echo]);
  const socket = connect(port, '127.0.0.1', () => socket.write('one'));
  assert.equal(String((await once(socket, 'data'))[0]), 'one');
  const large = 'y'.repeat(1_000_000);
  socket.end(large);
  let received = '';
  for await (const data of socket) received += data;
  assert.equal(received, large);
  assert.deepEqual(asked, ['one']);
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
