import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from './node-for-tests.ts';

const WHERE = 'serviceName=demo&ip=10.0.0.1&port=80';

test('all of /instance is served below /api too', async () => {
  const { ask } = await startNode();
  assert.equal(await ask('POST', '/api', WHERE), '200 ok');
  assert.equal(await ask('PATCH', '/api', `${WHERE}&weight=2`), '200 ok');
  assert.match(await ask('GET', '/api', WHERE), /^200 .*"weight":2\.0/);
  assert.match(await ask('GET', '/api/list', 'serviceName=demo'), /^200 .*10\.0\.0\.1/);
  assert.match(await ask('PUT', '/api/beat', WHERE), /"code":10200/);
  assert.match(await ask('GET', '/api/statuses', 'key=DEFAULT_GROUP@@demo'), /10\.0\.0\.1:80_true/);
  assert.equal(await ask('PUT', '/api', WHERE), '200 ok');
  assert.equal(await ask('DELETE', '/api', WHERE), '200 ok');
});

test('srvIPXT is a list of a dom of the default group', async () => {
  const { ask, get } = await startNode();
  await ask('POST', '/instance', WHERE);
  const answer = await get('/api/srvIPXT', 'dom=demo&groupName=g&clusters=DEFAULT');
  assert.deepEqual([answer.name, answer.clusters, answer.hosts.length], ['DEFAULT_GROUP@@demo', 'DEFAULT', 1]);
  assert.equal(await ask('GET', '/api/srvIPXT', 'serviceName=demo'), "400 Param 'dom' is required.");
});

test('clientBeat is a beat of a dom of the default group', async () => {
  const { ask } = await startNode();
  assert.equal(
    await ask('GET', '/api/clientBeat', 'dom=demo&ip=10.0.0.1&port=80'),
    '200 {"clientBeatInterval":5000,"code":20404}',
  );
  const beat = encodeURIComponent('{"ip":"10.0.0.1","port":80,"weight":1}');
  assert.match(await ask('GET', '/api/clientBeat', `dom=demo&beat=${beat}`), /"code":10200/);
  assert.match(await ask('GET', '/instance/list', 'serviceName=demo'), /10\.0\.0\.1/);
});

test('names are given by namespace, to old DNS-F those of the public one', async () => {
  const { ask } = await startNode({ ownership: { isOwn: (service) => !service.endsWith('test') } });
  for (const name of ['test', 'demo', 'g@@demo', 'other&namespaceId=dev'])
    await ask('POST', '/service', `serviceName=${name}`);
  const all = (query = '', agent?: string) => ask('GET', '/api/allDomNames', query, agent);
  assert.equal(await all(), '200 {"count":3,"doms":{"public":["demo","test"],"dev":["other"]}}');
  assert.equal(await all('responsibleOnly=true'), '200 {"count":2,"doms":{"public":["demo"],"dev":["other"]}}');
  assert.equal(await all('', 'Nacos-DNS:v1.0.1'), '200 {"count":2,"doms":["demo","test"]}');
  assert.equal(await all('', 'Nacos-DNS:v1.0.2'), await all());
});
