import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { CONNECTIONS_MAX, Vip } from './vip.ts';

class FakeStream implements TcpStream {
  readonly remote = { address: '127.0.0.1', port: 1 };
  joined: TcpStream | undefined;
  isClosed = false;
  readonly #end = Promise.withResolvers<void>();
  join(other: TcpStream): Promise<void> {
    this.joined = other;
    return this.#end.promise;
  }
  close(): void {
    this.isClosed = true;
    this.#end.resolve();
  }
}

async function serving(ready: readonly number[]) {
  const host = new FakeHost();
  const vip = new Vip(host, 8848);
  await vip.start();
  vip.setReady(ready);
  const members: number[] = [];
  const dead = new Set<number>();
  host.network.accept = ({ port }) => {
    if (dead.has(port)) throw new NetworkError('refused', 'dead');
    members.push(port);
    return new FakeStream();
  };
  const connect = async () => {
    const client = new FakeStream();
    host.network.listeners.get(8848)?.(client);
    await host.advance(0);
    return client;
  };
  return { host, vip, members, dead, connect };
}

test('connections go to the ready members in turn', async () => {
  const { members, connect } = await serving([8850, 8860, 8870]);
  for (let count = 0; count < 6; count++) await connect();
  assert.deepEqual(members, [8850, 8860, 8870, 8850, 8860, 8870]);
});

test('who is not ready gets no new connection and keeps those it has', async () => {
  const { vip, members, connect } = await serving([8850, 8860]);
  const client = await connect();
  vip.setReady([8860]);
  await connect();
  await connect();
  assert.deepEqual(members, [8850, 8860, 8860]);
  assert.equal(client.isClosed, false);
});

test('a member that cannot be reached is passed over', async () => {
  const { members, dead, connect } = await serving([8850, 8860]);
  dead.add(8850);
  const client = await connect();
  assert.deepEqual(members, [8860]);
  assert.ok(client.joined);
});

test('without a member that takes it a connection is closed', async () => {
  const { vip, dead, connect } = await serving([8850]);
  dead.add(8850);
  assert.ok((await connect()).isClosed);
  vip.setReady([]);
  assert.ok((await connect()).isClosed);
  assert.equal(vip.refused, 2);
  assert.equal(vip.openConnections, 0);
});

test('there is a most of connections, and each that ends makes room', async () => {
  const { host, vip, connect } = await serving([8850]);
  const first = await connect();
  for (let count = 1; count < CONNECTIONS_MAX; count++) host.network.listeners.get(8848)?.(new FakeStream());
  assert.equal(vip.openConnections, CONNECTIONS_MAX);
  assert.ok((await connect()).isClosed);
  first.close();
  await host.advance(0);
  assert.ok((await connect()).joined);
});

test('a closing VIP takes nothing new and lets the rest go on', async () => {
  const { vip, connect } = await serving([8850]);
  const client = await connect();
  vip.close();
  assert.ok((await connect()).isClosed);
  assert.equal(client.isClosed, false);
  await vip.stop();
});
