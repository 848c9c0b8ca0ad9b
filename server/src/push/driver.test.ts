import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { DEFAULT_SWITCHES, type SwitchValues } from '@nacos-kube/core/model/switches.ts';
import { FakeHost, type FakeUdpSocket } from '@nacos-kube/core/testing/fake-host.ts';
import { decodePush, encodePushAck, PUSH_BYTES_MAX } from '@nacos-kube/core/wire/push.ts';
import { PushDriver } from './driver.ts';
import type { Subscription } from './hub.ts';
import { isAllowedTarget } from './target.ts';

const service = 'public##DEFAULT_GROUP@@demo';
const CLIENT = '10.0.0.5';
const at = (port: number, more: Partial<Subscription> = {}): Subscription => ({
  service,
  clusters: '',
  isGrouped: true,
  target: { address: CLIENT, port },
  agent: 'Nacos-Java-Client:v1.4.2',
  app: '',
  ...more,
});

async function start(document: (subscription: Subscription) => string = () => '{"hosts":[]}', isPersonal = false) {
  const host = new FakeHost();
  let built = 0;
  const switches: { current: SwitchValues } = { current: DEFAULT_SWITCHES };
  const driver = new PushDriver({
    host,
    listen: '127.0.0.1',
    switches,
    isPersonal: () => isPersonal,
    document: (subscription) => {
      built++;
      return document(subscription);
    },
  });
  await driver.start();
  const socket = host.network.sockets[0] as FakeUdpSocket;
  return { host, driver, socket, switches, builtCount: () => built };
}

test('a list is built and packed once for all who see the same', async () => {
  const { driver, socket, builtCount } = await start();
  for (let port = 1; port <= 50; port++) assert.equal(driver.subscribe(at(port), CLIENT), true);
  driver.subscribe(at(1, { clusters: 'a' }), CLIENT);
  driver.changed(service);
  assert.equal(socket.sent.length, 51);
  assert.equal(builtCount(), 2);
  assert.equal(new Set(socket.sent.map(({ bytes }) => bytes)).size, 2);
});

test('where a list depends on who sees it, each address gets its own', async () => {
  const { driver, socket } = await start(({ target }) => `{"for":"${target.address}"}`, true);
  for (const address of ['10.0.0.5', '10.0.0.6']) {
    for (const port of [1, 2]) driver.subscribe(at(port, { target: { address, port } }), address);
  }
  driver.changed(service);
  assert.equal(new Set(socket.sent.map(({ bytes }) => bytes)).size, 2);
  for (const { bytes, target } of socket.sent) assert.equal(decodePush(bytes)?.data, `{"for":"${target.address}"}`);
});

test('an ack counts with its delay, anything else is a stray packet', async () => {
  const { host, driver, socket } = await start();
  driver.subscribe(at(1), CLIENT);
  driver.changed(service);
  const [sent] = socket.sent;
  const { sequence } = decodePush(sent!.bytes)!;
  await host.advance(7);
  socket.receive(encodePushAck(sequence), { address: '10.0.0.6', port: 1 });
  socket.receive(new TextEncoder().encode('no ack'), sent!.target);
  socket.receive(new Uint8Array(70_000), sent!.target);
  assert.deepEqual([driver.hub.counts.acked, driver.strayPackets], [0, 3]);
  socket.receive(encodePushAck(sequence), sent!.target);
  assert.deepEqual([driver.hub.counts.acked, driver.delaysMs], [1, [7]]);
});

test('without an ack a push is sent once more, with the list of then', async () => {
  let hosts = 0;
  const { host, driver, socket } = await start(() => `{"hosts":[${++hosts}]}`);
  driver.subscribe(at(1), CLIENT);
  driver.changed(service);
  for (let seconds = 0; seconds < 25; seconds += 5) {
    await host.advance(5_000);
    driver.subscribe(at(1), CLIENT);
  }
  assert.deepEqual(
    socket.sent.map(({ bytes }) => decodePush(bytes)?.data),
    ['{"hosts":[1]}', '{"hosts":[2]}'],
  );
  assert.equal(driver.hub.counts.failed, 1);
});

test('a list that fits into no datagram is not sent, and its subscribers are told to poll, until it fits', async () => {
  // Random digits, which no compression makes small.
  const { host, driver, socket } = await start(() => (isLarge ? JSON.stringify(digits) : '{}'));
  const digits = Array.from({ length: 40_000 }, () => host.random.int(1_000_000));
  let isLarge = true;
  assert.equal(driver.subscribe(at(1), CLIENT), true);
  driver.changed(service);
  assert.deepEqual([socket.sent.length, driver.hub.counts.tooLarge, driver.hub.counts.failed], [0, 1, 0]);
  assert.equal(driver.subscribe(at(1), CLIENT), false);
  isLarge = false;
  await host.advance(1_000);
  driver.changed(service);
  assert.equal(driver.subscribe(at(1), CLIENT), true);
  assert.equal(socket.sent.length, 1);
  assert.ok(socket.sent.every(({ bytes }) => bytes.length <= PUSH_BYTES_MAX));
});

test('what the kernel refuses is a failure that nobody has to handle', async () => {
  const { host, driver, socket } = await start();
  socket.send = () => Promise.reject(new NetworkError('unreachable', 'no route'));
  driver.subscribe(at(1), CLIENT);
  driver.changed(service);
  await host.advance(1);
  assert.equal(driver.hub.counts.failed, 1);
  assert.deepEqual(host.log.lines, []);
});

test('subscriptions that nobody refreshes are swept', async () => {
  const { host, driver } = await start();
  driver.subscribe(at(1), CLIENT);
  await host.advance(21_000);
  assert.equal(driver.hub.subscriptionCount, 0);
});

test('after the stop nothing is sent', async () => {
  const { host, driver, socket } = await start();
  driver.subscribe(at(1), CLIENT);
  driver.changed(service);
  driver.changed(service);
  await driver.stop();
  await host.advance(60_000);
  assert.equal(socket.sent.length, 1);
});

test('only the caller itself may be pushed to, or this machine when it calls by loopback (S10)', () => {
  const own = () => ['127.0.0.1', '10.0.0.1'];
  assert.equal(isAllowedTarget(CLIENT, CLIENT, own), true);
  assert.equal(isAllowedTarget('10.0.0.6', CLIENT, own), false);
  assert.equal(isAllowedTarget('', CLIENT, own), false);
  assert.equal(isAllowedTarget('10.0.0.1', '127.0.0.1', own), true);
  assert.equal(isAllowedTarget('10.0.0.6', '127.0.0.1', own), false);
  assert.equal(isAllowedTarget('10.0.0.1', CLIENT, own), false);
});

test('while pushing is switched off nobody is signed up and nothing is sent', async () => {
  const { driver, socket, switches } = await start();
  assert.equal(driver.subscribe(at(1), CLIENT), true);
  switches.current = { ...DEFAULT_SWITCHES, pushEnabled: false };
  assert.equal(driver.subscribe(at(2), CLIENT), false);
  driver.changed(service);
  assert.equal(socket.sent.length, 0);
  switches.current = DEFAULT_SWITCHES;
  driver.changed(service);
  assert.equal(socket.sent.length, 1);
});

test('how long a subscription lasts without being refreshed is a switch', async () => {
  const { host, driver, socket, switches } = await start();
  switches.current = { ...DEFAULT_SWITCHES, defaultPushCacheMillis: 30_000 };
  driver.subscribe(at(1), CLIENT);
  await host.advance(29_000);
  driver.changed(service);
  assert.equal(socket.sent.length, 1);
  switches.current = DEFAULT_SWITCHES;
  driver.changed(service);
  await host.advance(1_000);
  assert.equal(socket.sent.length, 1);
});

test('what nobody has acknowledged yet can be looked at', async () => {
  const { driver, socket } = await start();
  for (let port = 1; port <= 3; port++) driver.subscribe(at(port), CLIENT);
  driver.changed(service);
  const { sequence } = decodePush(socket.sent[0]!.bytes)!;
  assert.deepEqual(driver.unacknowledged(2), [
    { data: '{"hosts":[]}', sequence },
    { data: '{"hosts":[]}', sequence },
  ]);
  socket.receive(encodePushAck(sequence), socket.sent[0]!.target);
  assert.equal(driver.unacknowledged(10).length, 2);
});
