import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_RUNS, EmptyServices, FIRST_RUN_MS, RUN_PERIOD_MS } from './empty-services.ts';
import { startNode } from './node-for-tests.ts';

const TO_LAST_RUN_MS = FIRST_RUN_MS + (EMPTY_RUNS - 1) * RUN_PERIOD_MS;

async function start({ isOn = true } = {}) {
  const node = await startNode();
  const sure = { isSure: true };
  const empty = new EmptyServices({ ...node, isOn, isSure: () => sure.isSure });
  await node.ask('POST', '/service', 'serviceName=demo&metadata=a=1');
  const names = async () => (await node.get('/service/list', 'pageNo=1&pageSize=9')).doms.join();
  empty.start();
  return { ...node, sure, empty, names };
}

test('the fifth run in a row that finds a service empty forgets it', async () => {
  const { host, names, store, empty } = await start();
  await host.advance(TO_LAST_RUN_MS - 1);
  assert.equal(await names(), 'demo');
  await host.advance(10);
  assert.equal(await names(), '');
  assert.deepEqual((await store.scanRecords('service', 9)).items, []);
  assert.equal(empty.removed, 1);
});

test('an instance between two runs has the count begin anew', async () => {
  const { host, names, ask } = await start();
  await host.advance(TO_LAST_RUN_MS - 1);
  await ask('POST', '/instance', 'serviceName=demo&ip=10.0.0.1&port=80');
  await host.advance(10);
  await ask('DELETE', '/instance', 'serviceName=demo&ip=10.0.0.1&port=80');
  await host.advance((EMPTY_RUNS - 1) * RUN_PERIOD_MS);
  assert.equal(await names(), 'demo');
  await host.advance(RUN_PERIOD_MS);
  assert.equal(await names(), '');
});

test('a node that is not sure of its view forgets nothing, and counts nothing', async () => {
  const { host, names, sure } = await start();
  await host.advance(TO_LAST_RUN_MS - 1);
  sure.isSure = false;
  await host.advance(10 * RUN_PERIOD_MS);
  sure.isSure = true;
  await host.advance(RUN_PERIOD_MS);
  assert.equal(await names(), 'demo');
  await host.advance(EMPTY_RUNS * RUN_PERIOD_MS);
  assert.equal(await names(), '');
});

test('a store that fails is asked again by the next run', async () => {
  const { host, names, store } = await start();
  store.faults.down = 'unavailable';
  await host.advance(TO_LAST_RUN_MS + 10);
  store.faults.down = undefined;
  assert.equal(await names(), 'demo');
  await host.advance(RUN_PERIOD_MS);
  assert.equal(await names(), '');
});

test('a store that fails is asked for one service a run', async () => {
  const { host, ask, store } = await start();
  for (const name of ['a', 'b', 'c']) await ask('POST', '/service', `serviceName=${name}`);
  store.faults.down = 'unavailable';
  await host.advance(TO_LAST_RUN_MS + 10);
  await host.advance(RUN_PERIOD_MS);
  assert.equal(host.log.lines.filter((line) => line.includes('could not be forgotten')).length, 2);
  store.faults.down = undefined;
  await host.advance(RUN_PERIOD_MS);
  assert.deepEqual((await store.scanRecords('service', 9)).items, []);
});

test('switched off, or stopped, it forgets nothing', async () => {
  const off = await start({ isOn: false });
  await off.host.advance(10 * TO_LAST_RUN_MS);
  assert.equal(await off.names(), 'demo');
  const stopped = await start();
  stopped.empty.stop();
  await stopped.host.advance(10 * TO_LAST_RUN_MS);
  assert.equal(await stopped.names(), 'demo');
});
