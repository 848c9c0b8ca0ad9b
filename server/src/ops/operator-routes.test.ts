import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePush, encodePushAck } from '@nacos-kube/core/wire/push.ts';
import { startNode } from '../testing/operated-node.ts';

const OPERATOR = '/v1/ns/operator';
const JAVA = { 'user-agent': 'Nacos-Java-Client:v1.4.2' };
const REGISTER = '/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80';

test('the switches are shown under both names, and what is put is shown from then on', async () => {
  const { ask, get } = await startNode();
  const before = JSON.parse(await get(`${OPERATOR}/switches`));
  assert.deepEqual([before.masters, before.overriddenServerStatus, before.checksum], [null, null, null]);
  assert.equal(before.name, '00-00---000-NACOS_SWITCH_DOMAIN-000---00-00');
  const put = await ask('PUT', '/v1/ns/ops/switches?entry=healthCheckTimes&value=7');
  assert.deepEqual([put.status, put.text], [200, 'ok']);
  assert.deepEqual(JSON.parse(await get('/v1/ns/ops/switches')), { ...before, checkTimes: 7 });
});

test('switches survive a restart, those of one member alone do not', async () => {
  const first = await startNode();
  await first.ask('PUT', `${OPERATOR}/switches`, { form: 'entry=healthCheckTimes&value=7' });
  await first.ask('PUT', `${OPERATOR}/switches`, { form: 'entry=lightBeatEnabled&value=false&debug=true' });
  assert.equal(JSON.parse(await first.get(`${OPERATOR}/switches`)).lightBeatEnabled, false);
  await first.stop();
  const second = await startNode({}, first.database);
  const { checkTimes, lightBeatEnabled } = JSON.parse(await second.get(`${OPERATOR}/switches`));
  assert.deepEqual([checkTimes, lightBeatEnabled], [7, true]);
});

const BAD: readonly (readonly [string, RegExp])[] = [
  ['', /^Parameter 'entry' is missing$/],
  ['entry=check', /^Parameter 'value' is missing$/],
  ['entry=healthCheckTimes&value=many', /^For input string: "many"$/],
  ['entry=check&value=true&debug=perhaps', /^Param 'debug' is illegal/],
  ['entry=batch&value=%7B', /no JSON/],
  ['entry=overriddenServerStatus&value=ASLEEP', /one of UP/],
];
for (const [query, text] of BAD) {
  test(`a switch is refused and nothing changes: ${JSON.stringify(query)}`, async () => {
    const { ask, get } = await startNode();
    const before = await get(`${OPERATOR}/switches`);
    const answer = await ask('PUT', `${OPERATOR}/switches?${query}`);
    assert.deepEqual([answer.status, text.test(answer.text)], [400, true], answer.text);
    assert.equal(await get(`${OPERATOR}/switches`), before);
  });
}

test('an unknown entry is taken and changes nothing', async () => {
  const { ask, get } = await startNode();
  const before = await get(`${OPERATOR}/switches`);
  assert.equal((await ask('PUT', `${OPERATOR}/switches?entry=nothing&value=1`)).text, 'ok');
  assert.equal(await get(`${OPERATOR}/switches`), before);
});

test('a switch for all needs the store, and says so when that is away', async () => {
  const { database, ask } = await startNode();
  database.faults.down = 'unavailable';
  const answer = await ask('PUT', `${OPERATOR}/switches?entry=healthCheckTimes&value=7`);
  assert.deepEqual([answer.status, /store/.test(answer.text)], [503, true]);
  assert.equal((await ask('PUT', `${OPERATOR}/switches?entry=healthCheckTimes&value=7&debug=true`)).status, 200);
});

test('the status that operators put in its place is the one that clients see', async () => {
  const { ask, get } = await startNode();
  await ask('PUT', `${OPERATOR}/switches?entry=overriddenServerStatus&value=UP`);
  assert.equal(JSON.parse(await get(`${OPERATOR}/metrics`)).status, 'UP');
  await ask('PUT', `${OPERATOR}/switches?entry=overriddenServerStatus&value=READ_ONLY`);
  assert.equal(JSON.parse(await get(`${OPERATOR}/metrics`)).status, 'READ_ONLY');
  const refused = await ask('POST', REGISTER);
  assert.deepEqual([refused.status, refused.text], [503, 'server is READ_ONLYnow, please try again later!']);
  await ask('PUT', `${OPERATOR}/switches?entry=overriddenServerStatus&value=null`);
  assert.equal((await ask('POST', REGISTER)).text, 'ok');
});

test('targets that operators limit are answered with the status they chose', async () => {
  const { ask, get } = await startNode();
  const limit = 'limitedUrlMap&value=/nacos/v1/ns/instance/list:429';
  await ask('PUT', `${OPERATOR}/switches?entry=${limit}`);
  const answer = await ask('GET', '/v1/ns/instance/list?serviceName=demo');
  assert.deepEqual([answer.status, answer.text], [429, '']);
  assert.equal((await ask('GET', '/v1/ns/service/list?pageNo=1&pageSize=1')).status, 200);
  assert.match(await get('/actuator/prometheus'), /status="429",uri="turned away"\} 1/);
  await ask('PUT', `${OPERATOR}/switches?entry=limitedUrlMap&value=`);
  assert.equal((await ask('GET', '/v1/ns/instance/list?serviceName=demo')).status, 200);
});

test('while checks are off nobody expires but where the white list says so', async () => {
  const { host, server, ask } = await startNode();
  const batch = JSON.stringify({ healthCheckEnabled: false, healthCheckWhiteList: ['DEFAULT_GROUP@@strict'] });
  await ask('PUT', `${OPERATOR}/switches?entry=batch&value=${encodeURIComponent(batch)}`);
  await ask('POST', REGISTER);
  await ask('POST', REGISTER.replace('demo', 'strict'));
  for (let second = 0; second < 45; second++) await host.advance(1_000);
  const left = [...server.naming.registry.views()].filter(({ instances }) => instances.length > 0);
  assert.deepEqual(
    left.map(({ key }) => key),
    ['public##DEFAULT_GROUP@@demo'],
  );
  await ask('PUT', `${OPERATOR}/switches?entry=check&value=true`);
  for (let second = 0; second < 5; second++) await host.advance(1_000);
  assert.equal(server.naming.registry.instanceCount, 1);
  for (let second = 0; second < 40; second++) await host.advance(1_000);
  assert.equal(server.naming.registry.instanceCount, 0);
});

test('how pushes fare is told, with those that wait for their ack, and can start anew', async () => {
  const { host, ask, get } = await startNode();
  const state = async (query = '') => JSON.parse(await get(`${OPERATOR}/push/state${query}`));
  assert.deepEqual(await state(), { succeed: 0, total: 0, ratio: 0, reset: false });
  const subscribe = '/v1/ns/instance/list?serviceName=demo&udpPort=5000&clientIP=127.0.0.1';
  await ask('GET', subscribe, { headers: JAVA });
  await ask('POST', REGISTER);
  const [sent] = host.network.sockets[0]!.sent;
  const { data, ...counts } = await state('?detail=true');
  assert.deepEqual(counts, { succeed: 0, total: 1, ratio: 0, reset: false });
  assert.equal(JSON.parse(JSON.parse(data[0]).data).hosts[0].ip, '10.0.0.1');
  host.network.sockets[0]!.receive(encodePushAck(decodePush(sent!.bytes)!.sequence), sent!.target);
  assert.deepEqual(await state('?reset=true'), { succeed: 1, total: 1, ratio: 1, reset: true });
  assert.deepEqual(await state(), { succeed: 0, total: 0, ratio: 0, reset: false });
  assert.match(await get('/actuator/prometheus'), /name="totalPush"\} 1/);
  assert.equal((await ask('GET', `${OPERATOR}/push/state?detail=perhaps`)).status, 400);
});

test('the owner of a service is told, and that there is no such service', async () => {
  const { ask, get } = await startNode();
  await ask('POST', REGISTER);
  const owner = `${OPERATOR}/distro/server?serviceName=demo`;
  assert.equal(await get(owner), '{"responsibleServer":"127.0.0.1:8848"}');
  const missing = await ask('GET', owner.replace('demo', 'none'));
  assert.deepEqual([missing.status, missing.text], [400, 'service not found']);
  assert.equal((await ask('GET', `${OPERATOR}/distro/server`)).text, "Parameter 'serviceName' is missing");
});

test('members are listed as the reference lists them, all or those that are up', async () => {
  const { ask, get } = await startNode();
  const { servers } = JSON.parse(await get(`${OPERATOR}/servers`));
  assert.deepEqual([servers[0].address, servers[0].state, servers[0].port], ['127.0.0.1:8848', 'UP', 8848]);
  assert.deepEqual(JSON.parse(await get(`${OPERATOR}/servers?healthy=true`)).servers.length, 1);
  assert.equal((await ask('GET', `${OPERATOR}/servers?healthy=perhaps`)).status, 400);
  assert.equal(JSON.parse(await get(`${OPERATOR}/distro/status`)).status[0].address, '127.0.0.1:8848');
  assert.equal(await get(`${OPERATOR}/distro/status?action=delete`), '{}');
});

test('what peers of old told each other is refused, and what there is not is not found', async () => {
  const { ask } = await startNode();
  for (const path of ['/cluster/state', '/server/status?serverStatus=x']) {
    for (const prefix of ['/v1/ns/operator', '/v1/ns/ops']) {
      assert.equal((await ask('GET', `${prefix}${path}`)).status, 403);
    }
  }
  const unknown = await ask('POST', `${OPERATOR}/switches?entry=check&value=true`);
  assert.deepEqual([unknown.status, unknown.text], [501, 'no such api:POST:/nacos/v1/ns/operator/switches']);
});

test('levels of the log change under the names of the reference and under ours', async () => {
  const { host, ask } = await startNode();
  const put = async (path: string, query: string) => {
    const { status, text } = await ask('PUT', `${path}?${query}`);
    return `${status} ${text}`;
  };
  assert.equal(await put(`${OPERATOR}/log`, 'logName=naming-distro&logLevel=DEBUG'), '200 ok');
  assert.equal(await put('/v1/ns/ops/log', 'logName=naming-push&logLevel=trace'), '200 ok');
  assert.equal(await put('/v1/cs/ops/log', 'logName=config-dump&logLevel=error'), '200 200');
  assert.equal(await put('/v1/core/ops/log', 'logName=core-cluster&logLevel=warn'), '200 200');
  assert.equal(await put('/v1/core/ops/log', 'logName=http&logLevel=info'), '200 200');
  assert.deepEqual(Object.fromEntries(host.levels), {
    ...{ distro: 'debug', push: 'debug', dump: 'error', members: 'warn', http: 'info' },
  });
  host.levels.clear();
  for (const query of [
    'logName=naming-push',
    'logLevel=debug',
    'logName=naming-push&logLevel=off',
    'logName=naming-push&logLevel=loud',
    'logName=config-dump&logLevel=debug',
    'logName=constructor&logLevel=debug',
    'logName=&logLevel=debug',
  ]) {
    assert.match(await put(`${OPERATOR}/log`, query), /^400 /, query);
  }
  assert.equal(host.levels.size, 0);
});

test('there is no generator of ids whose state could be told', async () => {
  const { ask, get } = await startNode();
  assert.equal(await get('/v1/core/ops/idInfo'), '{"code":200,"message":null,"data":{}}');
  assert.equal((await ask('POST', '/v1/core/ops/raft', { body: '{}' })).status, 403);
});
