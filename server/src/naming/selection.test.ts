import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from './node-for-tests.ts';

const SELECTOR = encodeURIComponent(
  JSON.stringify({
    type: 'label',
    expression: 'CONSUMER.label.zone = PROVIDER.label.zone & CONSUMER.label.tier = PROVIDER.label.tier',
  }),
);

/** Providers in two zones, and consumers that are registered themselves. */
async function start() {
  const node = await startNode();
  const register = (service: string, ip: string, metadata: string, more = '') =>
    node.ask('POST', '/instance', `serviceName=${service}&ip=${ip}&port=80&metadata=${metadata}${more}`);
  await node.ask('POST', '/service', `serviceName=demo&selector=${SELECTOR}`);
  await register('demo', '10.0.0.1', 'zone=a,tier=1');
  await register('demo', '10.0.0.2', 'zone=a,tier=2');
  await register('demo', '10.0.0.3', 'zone=b,tier=1', '&clusterName=c');
  await register('demo', '10.0.0.4', 'x=y');
  const seenBy = async (clientIp: string, more = '') =>
    (await node.get('/instance/list', `serviceName=demo&clientIP=${clientIp}${more}`)).hosts
      .map(({ ip }: { ip: string }) => ip.slice(-1))
      .sort()
      .join('');
  return { ...node, register, seenBy };
}

test('a consumer sees the providers that have its value of every label', async () => {
  const { register, seenBy } = await start();
  await register('web', '10.1.0.1', 'zone=a,tier=1');
  assert.equal(await seenBy('10.1.0.1'), '1');
  await register('web', '10.1.0.2', 'zone=a', '&ephemeral=false');
  assert.equal(await seenBy('10.1.0.2'), '12', 'a label that it has not leaves nothing out');
  await register('other', '10.1.0.2', 'zone=b');
  assert.equal(await seenBy('10.1.0.2'), '123', 'of several values any will do');
});

test('all are seen by who asks for nobody, is unknown, has no label, or finds none', async () => {
  const { register, seenBy } = await start();
  await register('web', '10.1.0.1', 'zone=elsewhere');
  await register('web', '10.1.0.2', 'x=z');
  await register('web', '10.1.0.3', 'zone=a', '&namespaceId=dev');
  for (const ip of ['', '10.9.9.9', '10.1.0.1', '10.1.0.2', '10.1.0.3']) assert.equal(await seenBy(ip), '1234', ip);
});

test('what is selected is selected of the clusters that are asked for, before the threshold counts', async () => {
  const { ask, register, seenBy, get } = await start();
  await register('web', '10.1.0.1', 'zone=a');
  assert.equal(await seenBy('10.1.0.1', '&clusters=c'), '3', 'none of the cluster fits, so all of the cluster');
  await ask('PATCH', '/instance', 'serviceName=demo&ip=10.0.0.1&port=80&healthy=false');
  await ask('PUT', '/service', `serviceName=demo&protectThreshold=0.5&selector=${SELECTOR}`);
  const { hosts, checksum } = await get('/instance/list', 'serviceName=demo&clientIP=10.1.0.1');
  assert.deepEqual(
    hosts.map(({ ip, healthy }: { ip: string; healthy: boolean }) => [ip, healthy]),
    [
      ['10.0.0.1', true],
      ['10.0.0.2', true],
    ],
  );
  assert.equal(checksum, (await get('/instance/list', 'serviceName=demo')).checksum, 'it is that of the whole service');
});

test('labels are those of now: who moves, leaves or comes again is seen as such', async () => {
  const { ask, register, seenBy } = await start();
  await register('web', '10.1.0.1', 'zone=a');
  assert.equal(await seenBy('10.1.0.1'), '12');
  await register('web', '10.1.0.1', 'zone=b');
  assert.equal(await seenBy('10.1.0.1'), '3');
  await ask('DELETE', '/instance', 'serviceName=web&ip=10.1.0.1&port=80');
  assert.equal(await seenBy('10.1.0.1'), '1234');
  await register('web', '10.1.0.1', 'zone=a');
  assert.equal(await seenBy('10.1.0.1'), '12');
  await ask('PUT', '/service', 'serviceName=demo&protectThreshold=0');
  assert.equal(await seenBy('10.1.0.1'), '1234', 'without the selector');
});
