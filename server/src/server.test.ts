import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePush, encodePushAck } from '@nacos-kube/core/wire/push.ts';
import { FIRST_RUN_MS, RUN_PERIOD_MS } from './naming/empty-services.ts';
import { createMemoryDatabase } from './store/memory.ts';
import { PORT, startNode } from './testing/started-node.ts';

const JAVA = { 'user-agent': 'Nacos-Java-Client:v1.4.2' };

const list = (text: string) => JSON.parse(text).hosts as { ip: string; healthy: boolean }[];

test('a node is ready once everything is loaded, and serves a registration at once', async () => {
  const { ask } = await startNode();
  assert.deepEqual(await ask('GET', '/nacos/v1/console/health/readiness').then((one) => one.text), 'OK');
  const registered = await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  assert.deepEqual([registered.status, registered.text], [200, 'ok']);
  const listed = await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo', { headers: JAVA });
  assert.deepEqual(
    list(listed.text).map((one) => one.ip),
    ['10.0.0.1'],
  );
  const services = await ask('GET', '/nacos/v1/ns/service/list?pageNo=1&pageSize=10');
  assert.equal(services.text, '{"doms":["demo"],"count":1}');
});

test('the status that clients ask for is up, with the counts of what is there', async () => {
  const { ask } = await startNode();
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  for (const path of ['operator', 'ops'])
    assert.deepEqual(JSON.parse((await ask('GET', `/nacos/v1/ns/${path}/metrics`)).text), {
      status: 'UP',
      serviceCount: 1,
      instanceCount: 1,
      raftNotifyTaskCount: 0,
      responsibleServiceCount: 1,
      responsibleInstanceCount: 1,
      cpu: 0.25,
      load: 1.5,
      mem: 0.5,
    });
});

test('a node that starts without its store lists what beats, and does not say that a service has nothing (F6)', async () => {
  const database = createMemoryDatabase();
  database.faults.down = 'unavailable';
  const { host, ask } = await startNode({}, database);
  await host.advance(10_000);
  assert.match(
    (await ask('GET', '/nacos/v1/console/health/readiness')).text,
    /persistent instances are not loaded yet/,
  );
  await ask('POST', '/nacos/v1/ns/instance?serviceName=beating&ip=10.0.0.1&port=80');
  assert.equal(list((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=beating')).text).length, 1);
  const unknown = await ask('GET', '/nacos/v1/ns/instance/list?serviceName=persistent');
  assert.deepEqual([unknown.status, unknown.text.includes('STARTING')], [503, true]);
  database.faults.down = undefined;
  await host.advance(10_000);
  assert.equal((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=persistent')).status, 200);
});

test('a node that did not hear of the store for a while forgets no service for being empty (F6)', async () => {
  const database = createMemoryDatabase();
  const { host, store, ask } = await startNode({}, database);
  const startedMs = host.clock.monotonic();
  const at = (ms: number) => host.advance(startedMs + ms - host.clock.monotonic());
  await ask('POST', '/nacos/v1/ns/service?serviceName=demo&metadata=a=1');
  const elsewhere = await startNode({}, database);
  await at(FIRST_RUN_MS + 2 * RUN_PERIOD_MS + 5_000);
  store.faults.down = 'unavailable';
  await elsewhere.ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80&ephemeral=false');
  await at(FIRST_RUN_MS + 4 * RUN_PERIOD_MS - 1_100);
  store.faults.down = undefined;
  await at(FIRST_RUN_MS + 5 * RUN_PERIOD_MS);
  const { text } = await ask('GET', '/nacos/v1/ns/service?serviceName=demo');
  assert.match(text, /"metadata":\{"a":"1"\}/);
});

test('the context path is a setting, / means none', async () => {
  const { ask } = await startNode({ contextPath: '' });
  assert.equal((await ask('GET', '/v1/console/health/liveness')).text, 'OK');
  assert.equal((await ask('GET', '/nacos/v1/console/health/liveness')).status, 404);
});

test('a subscriber is pushed a first change at once and acks it', async () => {
  const { host, server, ask } = await startNode();
  await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo&udpPort=5000&clientIP=127.0.0.1', { headers: JAVA });
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  const [socket] = host.network.sockets;
  const [sent] = socket?.sent ?? [];
  assert.deepEqual(sent?.target, { address: '127.0.0.1', port: 5000 });
  const push = decodePush(sent!.bytes);
  assert.deepEqual(
    list(push!.data).map((one) => one.ip),
    ['10.0.0.1'],
  );
  socket?.receive(encodePushAck(push!.sequence), sent!.target);
  assert.equal(server.push.hub.counts.acked, 1);
  assert.equal(server.naming.registry.instanceCount, 1);
  const metrics = await ask('GET', '/nacos/actuator/prometheus');
  assert.match(metrics.text, /nacos_monitor\{module="naming",name="totalPush"\} 1/);
});

test('an SDK of this machine that named its LAN address acks from loopback, and nobody acks for another', async () => {
  const { host, server, ask } = await startNode();
  host.network.addresses = () => ['127.0.0.1', '192.168.1.7'];
  const listed = '/nacos/v1/ns/instance/list?serviceName=demo&udpPort=5000&clientIP=192.168.1.7';
  await ask('GET', listed, { headers: JAVA });
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  const [socket] = host.network.sockets;
  const [sent] = socket?.sent ?? [];
  assert.deepEqual(sent?.target, { address: '192.168.1.7', port: 5000 });
  const ack = encodePushAck(decodePush(sent.bytes)!.sequence);
  socket?.receive(ack, { address: '192.168.1.8', port: 5000 });
  socket?.receive(ack, { address: '127.0.0.1', port: 5001 });
  assert.equal(server.push.hub.counts.acked, 0);
  socket?.receive(ack, { address: '127.0.0.1', port: 5000 });
  assert.equal(server.push.hub.counts.acked, 1);
  assert.equal(server.push.strayPackets, 2);
});

test('nobody is pushed to an address that is not his own (S10)', async () => {
  const { host, ask } = await startNode();
  const answer = await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo&udpPort=5000&clientIP=10.9.9.9', {
    headers: JAVA,
  });
  assert.equal(JSON.parse(answer.text).cacheMillis, 3000);
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  assert.equal(host.network.sockets[0]?.sent.length, 0);
});

test('an instance without beats turns unhealthy, then disappears; one that beats stays', async () => {
  const { host, ask } = await startNode();
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.2&port=80');
  const health = async () => {
    const answer = await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo');
    return Object.fromEntries(list(answer.text).map((one) => [one.ip, one.healthy]));
  };
  for (let seconds = 0; seconds < 32; seconds += 4) {
    await ask('PUT', '/nacos/v1/ns/instance/beat?serviceName=demo&ip=10.0.0.2&port=80');
    await host.advance(4_000);
    if (seconds === 16) assert.deepEqual(await health(), { '10.0.0.1': false, '10.0.0.2': true });
  }
  assert.deepEqual(await health(), { '10.0.0.2': true });
});

test('a light beat of an unknown instance asks its client to register, a full one registers', async () => {
  const { ask } = await startNode();
  const light = await ask('PUT', '/nacos/v1/ns/instance/beat?serviceName=demo&ip=10.0.0.1&port=80');
  assert.equal(light.text, '{"clientBeatInterval":5000,"code":20404}');
  const beat = encodeURIComponent('{"ip":"10.0.0.1","port":80,"weight":1,"serviceName":"DEFAULT_GROUP@@demo"}');
  const full = await ask('PUT', '/nacos/v1/ns/instance/beat?serviceName=demo', { form: `beat=${beat}&` });
  assert.equal(full.text, '{"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true}');
  assert.equal(list((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo')).text).length, 1);
});

test('a persistent instance needs no beats and is kept apart from an ephemeral one', async () => {
  const { host, ask } = await startNode();
  const where = 'serviceName=demo&ip=10.0.0.1&port=80';
  await ask('POST', `/nacos/v1/ns/instance?${where}&ephemeral=false`);
  await ask('POST', `/nacos/v1/ns/instance?${where}`);
  await host.advance(40_000);
  const after = list((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo')).text);
  assert.equal(after.length, 1);
  await ask('DELETE', `/nacos/v1/ns/instance?${where}`);
  assert.equal(list((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo')).text).length, 1);
  await ask('DELETE', `/nacos/v1/ns/instance?${where}&ephemeral=false`);
  assert.equal(list((await ask('GET', '/nacos/v1/ns/instance/list?serviceName=demo')).text).length, 0);
});

test('PUT of a Java client needs the instance to be there, and replaces it whole', async () => {
  const { ask } = await startNode();
  const put = (more: string) =>
    ask('PUT', `/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80${more}`, { headers: JAVA });
  assert.equal((await put('')).text, 'service not found, namespace: public, service: DEFAULT_GROUP@@demo');
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.2&port=80');
  assert.match((await put('')).text, /^instance not exist: 10\.0\.0\.1:80:unknown:DEFAULT_1\.0_true_false_DEFAULT$/);
  await ask('POST', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80&metadata=a%3D1&weight=5');
  assert.equal((await put('')).text, 'ok');
  const one = await ask('GET', '/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80');
  assert.deepEqual([JSON.parse(one.text).weight, JSON.parse(one.text).metadata], [1, {}]);
});

test('refused routes answer 403, unknown calls of naming 501, everything else 404', async () => {
  const { ask } = await startNode();
  assert.equal((await ask('GET', '/nacos/v1/cs/ops/derby?sql=select')).status, 403);
  const unknown = await ask('PUT', '/nacos/v1/ns/nothing');
  assert.deepEqual([unknown.status, unknown.text], [501, 'no such api:PUT:/nacos/v1/ns/nothing']);
  assert.equal((await ask('GET', '/nacos/elsewhere')).status, 404);
  assert.equal((await ask('GET', '/nacos/v1/ns/instance/list/?serviceName=demo')).status, 200);
});

const BAD_REGISTER = {
  serviceName: ['', '@@demo', 'a@@', 'with space', 'sn\u00f6', 'a#b'],
  ip: ['', 'x'.repeat(300), 'a\nb'],
  port: ['', '0', '-1', '65536', '0x50', '80abc', '1e3'],
  clusterName: ['a_b', 'a b', 'x'.repeat(200)],
  weight: ['NaN', 'Infinity', '1e999', '-1', '10001', 'x'],
  metadata: ['a=', 'a=b=c', '{"a":{"b":1}}', 'x'.repeat(70_000), '['.repeat(10_000)],
  namespaceId: ['a#b', 'x'.repeat(200)],
  encoding: ['no-such-charset'],
};
const GOOD_REGISTER = { serviceName: 'demo', ip: '10.0.0.1', port: '80' };

test('each parameter of a registration, broken once, is a 400 and changes nothing', async () => {
  const { server, ask } = await startNode();
  for (const [name, values] of Object.entries(BAD_REGISTER)) {
    for (const value of values) {
      const query = new URLSearchParams({ ...GOOD_REGISTER, [name]: value });
      const answer = await ask('POST', `/nacos/v1/ns/instance?${query}`);
      assert.equal(answer.status, 400, `${name}=${value.slice(0, 50)} was answered ${answer.status} ${answer.text}`);
      assert.doesNotMatch(answer.text, /\n\s+at /);
      assert.equal(server.naming.registry.instanceCount, 0, `${name}=${value.slice(0, 50)}`);
    }
  }
  assert.equal((await ask('POST', `/nacos/v1/ns/instance?${new URLSearchParams(GOOD_REGISTER)}`)).text, 'ok');
});

test('each parameter of a beat, broken once, is a 400 and changes nothing', async () => {
  const { server, ask } = await startNode();
  const good = {
    ip: '10.0.0.1',
    port: 80,
    weight: 1,
    serviceName: 'DEFAULT_GROUP@@demo',
    cluster: 'DEFAULT',
    metadata: {},
  };
  const bad: unknown[] = [
    '{',
    '[]',
    '"text"',
    { ...good, ip: '' },
    { ...good, ip: 7 },
    { ...good, port: 0 },
    { ...good, port: 65_536 },
    { ...good, port: '80abc' },
    { ...good, weight: -1 },
    { ...good, weight: 'NaN' },
    { ...good, cluster: 'a_b' },
    { ...good, metadata: [] },
    { ...good, metadata: { a: { b: 1 } } },
    { ...good, ephemeral: 'perhaps' },
  ];
  for (const beat of bad) {
    const text = typeof beat === 'string' ? beat : JSON.stringify(beat);
    const target = '/nacos/v1/ns/instance/beat?serviceName=demo';
    const answer = await ask('PUT', target, { form: `beat=${encodeURIComponent(text)}` });
    assert.equal(answer.status, 400, `${text} was answered ${answer.status} ${answer.text}`);
    assert.doesNotMatch(answer.text, /\n\s+at /);
    assert.equal(server.naming.registry.instanceCount, 0, text);
  }
  assert.equal((await ask('PUT', '/nacos/v1/ns/instance/beat?ip=10.0.0.1&port=80')).status, 400);
});

test('each parameter of a publish, broken once, is a 400 and changes nothing', async () => {
  const { ask } = await startNode();
  const good = { dataId: 'app', group: 'g', content: 'x' };
  const bad: Record<string, string>[] = [
    { dataId: '' },
    { dataId: 'a/b' },
    { dataId: 'a b' },
    { group: '' },
    { group: 'a/b' },
    { content: '' },
    { content: '   ' },
    { tenant: 'a/b' },
    { tenant: 'x'.repeat(129) },
    { config_tags: 'a,b,c,d,e,f' },
    { config_tags: 'x'.repeat(65) },
    { desc: 'x'.repeat(129) },
    { use: 'x'.repeat(33) },
    { effect: 'x'.repeat(33) },
    { schema: 'x'.repeat(32_769) },
  ];
  for (const one of bad) {
    const form = String(new URLSearchParams({ ...good, ...one }));
    const answer = await ask('POST', '/nacos/v1/cs/configs', { form });
    assert.equal(answer.status, 400, `${JSON.stringify(one).slice(0, 60)}: ${answer.status} ${answer.text}`);
    assert.doesNotMatch(answer.text, /\n\s+at /);
  }
  assert.equal((await ask('GET', '/nacos/v1/cs/configs?dataId=app&group=g')).status, 404);
  assert.equal((await ask('POST', '/nacos/v1/cs/configs', { form: String(new URLSearchParams(good)) })).text, 'true');
  assert.equal((await ask('GET', '/nacos/v1/cs/configs?dataId=app&group=g')).text, 'x');
});

test('each fault in a listener is a 400, and the next one works', async () => {
  const { ask } = await startNode();
  const headers = { 'long-pulling-timeout': '30000', 'long-pulling-timeout-no-hangup': 'true' };
  const listen = (listening: string, more: Record<string, string> = {}) =>
    ask('POST', '/nacos/v1/cs/configs/listener', {
      headers: { ...headers, ...more },
      form: `Listening-Configs=${encodeURIComponent(listening)}`,
    });
  const key = 'app\u0002g\u0002\u0001';
  const bad = ['', 'app\u0001', 'app\u0002g\u0001', 'a\u0002b\u0002c\u0002d\u0002e\u0001', `${key.repeat(2)}%zz\u0001`];
  for (const listening of bad) {
    const answer = await listen(listening);
    assert.equal(answer.status, 400, `${JSON.stringify(listening)}: ${answer.status} ${answer.text}`);
  }
  const many = Array.from({ length: 10_001 }, (_, n) => `app${n}\u0002g\u0002\u0001`).join('');
  assert.equal((await listen(many)).status, 400);
  assert.equal((await listen(key, { 'long-pulling-timeout': 'soon' })).status, 400);
  assert.deepEqual([(await listen(key)).status, (await listen(key)).text], [200, '']);
});

test('a stop answers held polls, and nothing is served any more', async () => {
  const { host, server } = await startNode();
  const held = host.network.ask(PORT, '/nacos/v1/cs/configs/listener', 'POST', {
    headers: { 'long-pulling-timeout': '30000' },
    form: `Listening-Configs=${encodeURIComponent('app\u0002g\u0002\u0001')}`,
  });
  await host.advance(100);
  const stopped = server.lifecycle.stop();
  await host.advance(10_000);
  await stopped;
  assert.equal((await held).status, 200);
  await assert.rejects(host.network.ask(PORT, '/nacos/v1/console/health/liveness'));
});
