import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { type Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { createTestHost } from '../host-for-tests.ts';
import { EtcdClient } from './client.ts';
import { Keys } from './keys.ts';
import { getKey } from './kv.ts';
import { methodOf, type Streams } from './protocol.ts';
import { watchWrites } from './watch.ts';

const missing = await etcdMissing();
const PREFIX = '/client/';

describe('the client of etcd', () => {
  const closed: (() => unknown)[] = [];
  after(async () => {
    for (const close of closed) await close();
  });
  let nowMs = 0;
  const real = createTestHost();
  const host = {
    ...real,
    clock: { ...real.clock, monotonic: () => nowMs },
    random: { ...real.random, int: () => 0 },
  };

  it('stays with a member that it had no time left to ask', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<number>();
    const listen = async (index: number) => {
      const server = createServer((socket) => {
        socket.destroy();
        resolve(index);
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      closed.push(() => server.close());
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const endpoints = [await listen(0), await listen(1)];
    const client = new EtcdClient(host, {
      ...{ endpoints, prefix: PREFIX, user: undefined, password: undefined },
      ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
    });
    client.open();
    const patience = client.patience();
    nowMs += 3000;
    const { head } = new Keys(PREFIX);
    await assert.rejects(getKey(client, patience, head), /in time/);
    const call = getKey(client, client.patience(), head).catch(() => undefined);
    assert.equal(await asked, 0);
    client.close();
    await call;
  });

  it('lets a wait cost nothing while etcd answers others', { skip: missing ?? false }, async () => {
    const etcd = await startEtcd();
    closed.push(() => etcd.stop());
    const client = new EtcdClient(host, etcd.settings(PREFIX));
    closed.unshift(() => client.close());
    client.open();
    const patience = client.patience();
    const { promise: others, resolve } = Promise.withResolvers<void>();
    const wait = patience.wait(others);
    nowMs += 2500;
    await getKey(client, client.patience(), new Keys(PREFIX).head);
    nowMs += 1000;
    resolve();
    await wait;
    assert.equal(patience.leftMs, 2000);
    // What a member says of itself is no sign that writes are answered.
    const later = client.patience();
    const { promise: more, resolve: end } = Promise.withResolvers<void>();
    const wait2 = later.wait(more);
    nowMs += 1000;
    await client.repeat('Maintenance/Status', {}, client.patience());
    end();
    await wait2;
    assert.equal(later.leftMs, 2000);
  });

  it('ends what is watched on a member that calls have left', { skip: missing ?? false }, async () => {
    const etcd = await startEtcd({ members: 3 });
    closed.push(() => etcd.stop());
    const client = new EtcdClient(host, etcd.settings(PREFIX));
    closed.unshift(() => client.close());
    client.open();
    const { head } = new Keys(PREFIX);
    const isOpen = Promise.withResolvers<void>();
    const ends: string[] = [];
    watchWrites(client, head, 1, {
      onOpen: () => isOpen.resolve(),
      onWritten: () => undefined,
      onEnd: ({ message }) => ends.push(message),
    });
    await isOpen.promise;
    await etcd.members[0]!.pause();
    await getKey(client, client.patience(), head);
    // Long before its connection is found to be dead.
    await new Promise(setImmediate);
    etcd.members[0]!.resume();
    assert.equal(ends.length, 1);
  });

  it('keeps what is watched on a member that refuses calls, for it lives', async () => {
    // No time is left for another try.
    const refuse = () => {
      nowMs += 5000;
    };
    const members = [await startRefusing(refuse), await startRefusing(refuse)];
    closed.push(...members.map(({ stop }) => stop));
    const client = new EtcdClient(host, {
      ...{ endpoints: members.map(({ url }) => url), prefix: PREFIX, user: undefined, password: undefined },
      ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
    });
    closed.unshift(() => client.close());
    client.open();
    const { head } = new Keys(PREFIX);
    const isOpen = Promise.withResolvers<void>();
    const ends: string[] = [];
    watchWrites(client, head, 1, {
      onOpen: () => isOpen.resolve(),
      onWritten: () => undefined,
      onEnd: ({ message }) => ends.push(message),
    });
    await isOpen.promise;
    // Each is refused, and asks the other member next time.
    for (let i = 0; i < 3; i += 1) {
      await assert.rejects(client.once('KV/Txn', { success: [] }, client.patience()), /too many requests/);
    }
    assert.ok(members.every(({ refused }) => refused() > 0));
    await new Promise(setImmediate);
    assert.deepEqual(ends, []);
  });

  it('gives up a token that a member made anew keeps waiting for, for nobody would ever refuse it', async () => {
    const member = await startGuarded();
    closed.push(member.stop);
    const client = new EtcdClient(host, {
      ...{ endpoints: [member.url], prefix: PREFIX, user: 'ann', password: 'p' },
      ...{ caFile: undefined, certFile: undefined, keyFile: undefined },
    });
    closed.unshift(() => client.close());
    client.open();
    const ask = () => getKey(client, client.patience(200), new Keys(PREFIX).head);
    await ask();
    member.waiting.add('token 1');
    await assert.rejects(ask(), /in time/);
    assert.equal(member.logins(), 1, 'it may be slow');
    nowMs += 5000;
    await ask();
    assert.equal(member.logins(), 2);
  });
});

/** A member that gives a token with each login, and answers all but those it is told to keep waiting. */
async function startGuarded() {
  const server = new Server();
  const waiting = new Set<string>();
  let logins = 0;
  type Answer = (error: null, answer: object) => void;
  const add = (
    name: 'Auth/Authenticate' | 'KV/Range',
    answer: (call: { metadata: Metadata }, answer: Answer) => void,
  ) => {
    const { path, responseSerialize, requestDeserialize } = methodOf<object, object>(name);
    server.register(path, answer as never, responseSerialize, requestDeserialize, 'unary');
  };
  add('Auth/Authenticate', (_call, answer) => answer(null, { token: `token ${++logins}` }));
  add('KV/Range', ({ metadata }, answer) => {
    if (!waiting.has(String(metadata.get('token')[0]))) answer(null, { header: { revision: 1 }, kvs: [], count: 0 });
  });
  const url = await portOf(server);
  return { url, waiting, logins: () => logins, stop: () => server.forceShutdown() };
}

async function portOf(server: Server): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  return `http://127.0.0.1:${await promise}`;
}

/** A member that is overloaded: it takes no writes, and tells what is watched all the same. */
async function startRefusing(onRefused: () => void) {
  const server = new Server();
  let refused = 0;
  const txn = methodOf<object, object>('KV/Txn');
  server.register(
    txn.path,
    (_call: unknown, answer: (error: object) => void) => {
      refused += 1;
      onRefused();
      answer({ code: status.RESOURCE_EXHAUSTED, details: 'etcdserver: too many requests' });
    },
    txn.responseSerialize,
    txn.requestDeserialize,
    'unary',
  );
  type Messages = Streams['Watch/Watch'];
  const watch = methodOf<Messages[0], Partial<Messages[1]>>('Watch/Watch');
  server.register(
    watch.path,
    (stream: ServerDuplexStream<Messages[0], Partial<Messages[1]>>) =>
      stream.on('data', () => stream.write({ created: true })),
    watch.responseSerialize,
    watch.requestDeserialize,
    'bidi',
  );
  const url = await portOf(server);
  return { url, refused: () => refused, stop: () => server.forceShutdown() };
}
