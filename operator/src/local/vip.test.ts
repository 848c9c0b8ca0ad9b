import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { CONNECTIONS_MAX, Vip, WAIT_FOR_MEMBER_MS } from './vip.ts';

class FakeStream implements TcpStream {
  readonly remote = { address: '127.0.0.1', port: 1 };
  joined: TcpStream | undefined;
  again: ((sent: Uint8Array) => Promise<TcpStream | undefined>) | undefined;
  isClosed = false;
  /** What it has said to a member that has not answered. */
  sent = '';
  readonly #end = Promise.withResolvers<void>();
  join(
    other: TcpStream,
    again?: (sent: Uint8Array) => Promise<TcpStream | undefined>,
    onWaiting?: (leave: () => void) => void,
  ): Promise<void> {
    this.joined = other;
    this.again = again;
    const leave = async () => {
      const next = await again?.(new TextEncoder().encode(this.sent));
      if (next === undefined) return;
      this.joined = next;
      onWaiting?.(() => void leave());
    };
    onWaiting?.(() => void leave());
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

test('a connection that comes before it is known who is ready waits for that', async () => {
  const { host, vip, members, connect } = await serving([]);
  const clients = [await connect(), await connect()];
  await host.advance(WAIT_FOR_MEMBER_MS / 2);
  assert.deepEqual(members, []);
  vip.setReady([8850]);
  await host.advance(0);
  assert.deepEqual(members, [8850, 8850]);
  assert.ok(clients.every(({ joined, isClosed }) => joined !== undefined && !isClosed));
  assert.equal(vip.refused, 0);
});

test('a connection that no ready member takes waits for one that does', async () => {
  const { host, vip, members, dead, connect } = await serving([8850]);
  dead.add(8850);
  const client = await connect();
  vip.setReady([]);
  await host.advance(1_000);
  assert.equal(client.isClosed, false);
  vip.setReady([8850, 8860]);
  await host.advance(0);
  assert.deepEqual(members, [8860]);
  assert.ok(client.joined);
});

test('a connection that nobody takes in time is closed', async () => {
  const { host, vip, dead, connect } = await serving([8850]);
  dead.add(8850);
  const clients = [await connect()];
  vip.setReady([]);
  clients.push(await connect());
  await host.advance(WAIT_FOR_MEMBER_MS - 1);
  assert.ok(clients.every(({ isClosed }) => !isClosed));
  await host.advance(1);
  assert.ok(clients.every(({ isClosed }) => isClosed));
  assert.equal(vip.refused, 2);
  assert.equal(vip.openConnections, 0);
});

test('a question that a member ends on is asked of each other once, and what may change something of nobody', async () => {
  const { vip, members, connect } = await serving([8850, 8860, 8870]);
  const again = async (client: FakeStream, sent: string) => client.again!(new TextEncoder().encode(sent));
  const head = 'HTTP/1.1\r\nHost: vip\r\n';
  for (const once of [
    `POST /nacos/v1/cs/configs ${head}Content-Length: 0\r\n\r\n`,
    `GET /nacos/v1/ns/service/list ${head}`,
    `GET / ${head}\r\nPOST / ${head}\r\n`,
    `GET / ${head}content-length: 5\r\n\r\n`,
    `GET / ${head}Transfer-Encoding: chunked\r\n\r\n`,
  ]) {
    assert.equal(await again(await connect(), once), undefined, once);
  }
  members.length = 0;
  const client = await connect();
  for (const sent of ['', `GET /nacos/v1/ns/instance/list?serviceName=a ${head}Content-Length: 0\r\n\r\n`]) {
    assert.ok(await again(client, sent), sent);
  }
  assert.equal(await again(client, ''), undefined);
  assert.deepEqual(members.toSorted(), [8850, 8860, 8870]);
  const late = await connect();
  vip.close();
  assert.equal(await again(late, ''), undefined);
});

test('what a silent member was asked is asked of another, and a write waits where it is', async () => {
  const { host, vip, members, connect } = await serving([8850, 8860, 8870]);
  const head = 'HTTP/1.1\r\nHost: vip\r\n\r\n';
  const [reading, writing, idle, other] = [await connect(), await connect(), await connect(), await connect()];
  assert.deepEqual(members, [8850, 8860, 8870, 8850]);
  Object.assign(reading, { sent: `GET / ${head}` });
  Object.assign(writing, { sent: `PUT / ${head}` });
  const [before, first] = [writing.joined, other.joined];
  other.close();
  await host.advance(0);
  members.length = 0;
  const silent = async (port: number) => {
    vip.memberIsSilent(port);
    await host.advance(0);
  };
  await silent(8850);
  await silent(8850);
  assert.equal(members.length, 1, 'the connection that is over asks nobody');
  assert.notEqual(members[0], 8850);
  await silent(8860);
  await silent(8870);
  await silent(8850);
  assert.deepEqual([writing.joined, other.joined], [before, first]);
  assert.ok(reading.joined !== undefined && idle.joined !== undefined);
  assert.ok(![reading, writing, idle].some(({ isClosed }) => isClosed));
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
  const { host, vip, connect } = await serving([8850]);
  const client = await connect();
  vip.setReady([]);
  const waiting = await connect();
  vip.close();
  await host.advance(0);
  assert.ok(waiting.isClosed);
  assert.ok((await connect()).isClosed);
  assert.equal(client.isClosed, false);
  await vip.stop();
});
