import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from './node-for-tests.ts';

async function start() {
  const node = await startNode();
  for (const n of [1, 2, 3]) await node.ask('POST', '/instance', `serviceName=demo&ip=10.0.0.${n}&port=80`);
  await node.ask(
    'POST',
    '/instance',
    'serviceName=g@@down&ip=10.0.0.4&port=90&ephemeral=false&healthy=false&clusterName=c',
  );
  await node.ask('POST', '/service', 'serviceName=empty&metadata=a=1');
  return node;
}

test('a service is shown with its clusters', async () => {
  const { ask } = await start();
  assert.equal(
    await ask('GET', '/catalog/service', 'serviceName=demo'),
    '200 {"service":{"name":"demo","protectThreshold":0.0,"groupName":"DEFAULT_GROUP","selector":{"type":"none"},' +
      '"metadata":{}},"clusters":[{"serviceName":"DEFAULT_GROUP@@demo","name":"DEFAULT","healthChecker":{"type":"TCP"},' +
      '"defaultPort":80,"defaultCheckPort":80,"useIPPort4Check":true,"metadata":{},"sitegroup":"","defCkport":80,' +
      '"empty":false,"defIPPort":80}]}',
  );
  assert.equal(await ask('GET', '/catalog/service', 'serviceName=no'), '404 service DEFAULT_GROUP@@no is not found!');
  assert.equal(await ask('GET', '/catalog/service'), "400 Parameter 'serviceName' is missing");
});

test('instances are shown in pages, with all that is known of them', async () => {
  const { ask, get, host } = await start();
  const page = (more: string) => get('/catalog/instances', `serviceName=demo&clusterName=DEFAULT&${more}`);
  const { list, count } = await page('pageNo=1&pageSize=2');
  assert.equal(count, 3);
  assert.deepEqual(list[0], {
    ...{ instanceId: '10.0.0.1#80#DEFAULT#DEFAULT_GROUP@@demo', ip: '10.0.0.1', port: 80, weight: 1, healthy: true },
    ...{ enabled: true, ephemeral: true, clusterName: 'DEFAULT', serviceName: 'DEFAULT_GROUP@@demo', metadata: {} },
    ...{ lastBeat: host.clock.now(), marked: false, app: 'DEFAULT', ipDeleteTimeout: 30_000 },
    ...{ instanceHeartBeatInterval: 5_000, instanceHeartBeatTimeOut: 15_000, instanceIdGenerator: 'simple' },
  });
  const ips = ({ list: some }: { list: { ip: string }[] }) => some.map(({ ip }) => ip);
  assert.deepEqual(ips(await page('pageNo=2&pageSize=2')), ['10.0.0.3']);
  assert.deepEqual(ips(await page('pageNo=3&pageSize=2')), []);
  assert.equal(
    await ask('GET', '/catalog/instances', 'serviceName=demo&clusterName=c&pageNo=1&pageSize=2'),
    '404 cluster c is not found!',
  );
  for (const missing of ['serviceName', 'clusterName', 'pageNo', 'pageSize']) {
    const all = { serviceName: 'demo', clusterName: 'DEFAULT', pageNo: '1', pageSize: '2' };
    const query = new URLSearchParams(Object.entries(all).filter(([name]) => name !== missing)).toString();
    assert.equal(await ask('GET', '/catalog/instances', query), `400 Parameter '${missing}' is missing`);
  }
  for (const [name, value] of [
    ['pageNo', 'x'],
    ['pageNo', '-1'],
    ['pageSize', '2147483648'],
    ['pageSize', '1e3'],
  ]) {
    const query = new URLSearchParams({
      serviceName: 'demo',
      clusterName: 'DEFAULT',
      pageNo: '1',
      pageSize: '2',
      [name!]: value!,
    });
    assert.match(await ask('GET', '/catalog/instances', query.toString()), /^400 /, `${name}=${value}`);
  }
});

test('services are searched by parts of their names, by an instance, and for having any', async () => {
  const { ask, get } = await start();
  assert.equal(
    await ask('GET', '/catalog/services', 'pageNo=1&pageSize=9'),
    '200 {"serviceList":[' +
      '{"name":"demo","groupName":"DEFAULT_GROUP","clusterCount":1,"ipCount":3,"healthyInstanceCount":3,"triggerFlag":"false"},' +
      '{"name":"empty","groupName":"DEFAULT_GROUP","clusterCount":0,"ipCount":0,"healthyInstanceCount":0,"triggerFlag":"false"},' +
      '{"name":"down","groupName":"g","clusterCount":1,"ipCount":1,"healthyInstanceCount":0,"triggerFlag":"true"}],"count":3}',
  );
  const search = async (query: string) => {
    const { serviceList, count } = await get('/catalog/services', query);
    return `${serviceList.map(({ name }: { name: string }) => name)} of ${count}`;
  };
  assert.equal(await search('pageNo=1&pageSize=2'), 'demo,empty of 3');
  assert.equal(await search('pageNo=2&pageSize=2'), 'down of 3');
  assert.equal(await search('pageNo=3&pageSize=2'), ' of 0', 'as in the reference');
  assert.equal(await search('pageNo=7&pageSize=3'), 'demo,empty,down of 3', 'all fit');
  assert.equal(await search('pageNo=1&pageSize=9&serviceNameParam=e'), 'demo,empty of 2');
  assert.equal(await search('pageNo=1&pageSize=9&serviceNameParam=d&groupNameParam=g'), 'down of 1');
  assert.equal(await search('pageNo=1&pageSize=9&groupNameParam=GROUP'), 'demo,empty of 2');
  assert.equal(await search('pageNo=1&pageSize=9&hasIpCount=true'), 'demo,down of 2');
  assert.equal(await search('pageNo=1&pageSize=9&instance=10.0.0.4'), 'down of 1');
  assert.equal(await search('pageNo=1&pageSize=9&instance=10.0.0.4:90'), 'down of 1');
  assert.equal(await search('pageNo=1&pageSize=9&instance=10.0.0.4:91'), ' of 0');
  assert.equal(await search('pageNo=1&pageSize=9&namespaceId=dev'), ' of 0');
  const bomb = `pageNo=1&pageSize=9&serviceNameParam=${encodeURIComponent('(d+)+$')}`;
  assert.equal(await search(bomb), ' of 0', 'a text is a text');
  assert.match(
    await ask('GET', '/catalog/services', `pageNo=1&pageSize=9&serviceNameParam=${'x'.repeat(257)}`),
    /^400 /,
  );
  assert.equal(await ask('GET', '/catalog/services', 'pageNo=1'), "400 Parameter 'pageSize' is missing");
});

test('services are shown with their instances, in pages that count from 0', async () => {
  const { ask } = await start();
  const down =
    '{"serviceName":"down","groupName":"g","clusterMap":{"c":{"hosts":[{"valid":false,"metadata":{},"port":90,' +
    '"ip":"10.0.0.4","weight":1.0,"enabled":true}]}},"metadata":{}}';
  const empty = '{"serviceName":"empty","groupName":"DEFAULT_GROUP","clusterMap":{},"metadata":{"a":"1"}}';
  const page = (pageNo: number) => ask('GET', '/catalog/services', `withInstances=true&pageNo=${pageNo}&pageSize=1`);
  assert.equal(await page(1), `200 [${empty}]`);
  assert.equal(await page(2), `200 [${down}]`);
  assert.equal(await page(3), '200 []');
});

test('the times of checks are those of nobody where none was made', async () => {
  const { ask } = await start();
  assert.equal(
    await ask('GET', '/catalog/rt/service', 'serviceName=demo'),
    '200 {"clusters":[{"name":"DEFAULT","checkRTBest":9223372036854775807,"checkRTWorst":0,"checkRTNormalized":0}]}',
  );
  assert.equal(await ask('GET', '/catalog/rt/service', 'serviceName=no'), "400 request service doesn't exist");
});
