import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import { bodyBytes } from '@nacos-kube/core/http/answers.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import { DEFAULT_SWITCHES, NO_SWITCHES, type Switches } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { ALONE } from './operation.ts';
import { Registry } from './registry.ts';
import { namingRoutes } from './routes.ts';
import { NamingService } from './service.ts';

const call = {
  form: new Map([
    ['serviceName', 'demo'],
    ['ip', '10.0.0.1'],
    ['port', '80'],
    ['pageNo', '1'],
    ['pageSize', '10'],
  ]),
  request: { headers: {} },
  clientIp: '127.0.0.1',
} as unknown as Call;

const given = { now: () => 0, subscribe: () => false };

test('a node that has not loaded yet refuses to say what is registered, rather than say that nothing is', async () => {
  const calls: string[] = [];
  const naming = { register: async () => void calls.push('register') } as unknown as NamingService;
  const routes = namingRoutes({
    naming,
    ...given,
    switches: NO_SWITCHES,
    isLoaded: () => false,
    knowsPersistent: () => true,
  });
  const ask = async (method: string, path: string) =>
    routes.find((route) => route.method === method && route.path === path)!.handler(call);
  for (const path of ['/v1/ns/instance', '/v1/ns/instance/list'])
    await assert.rejects(ask('GET', path), { name: 'ProtocolError', status: 503, message: /STARTING/ });
  assert.equal((await ask('POST', '/v1/ns/instance')).status, 200);
  assert.deepEqual(calls, ['register']);
});

const JAVA = 'Nacos-Java-Client:v1.4.2';
const GO = 'Nacos-Go-Client:v1.0.1';
const PYTHON = 'Nacos-Python-Client';

/** Asks a node's naming as the clients do; everything in the query unless there is a form. */
async function start(switches: Switches = NO_SWITCHES) {
  const host = new FakeHost();
  const store = createMemoryStore(host, createMemoryDatabase());
  await store.start();
  const naming = new NamingService({
    ...{ host, store, registry: new Registry('m1'), ownership: ALONE, switches },
  });
  const handler = createPipeline({
    contextPath: '/nacos',
    routes: namingRoutes({
      naming,
      ...given,
      switches,
      isLoaded: () => true,
      knowsPersistent: () => true,
    }),
    authorize() {},
    clientIp: (request) => request.remote.address,
    answerFailure: () => undefined,
    log: host.log,
  });
  return async (method: string, path: string, query = '', agent = GO, form?: string) => {
    const request: HttpRequest = {
      method,
      path: `/nacos/v1/ns${path}`,
      query,
      headers: {
        'user-agent': agent,
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      body: new TextEncoder().encode(form ?? ''),
      remote: { address: '127.0.0.1', port: 1 },
      onGone() {},
    };
    const answer = await handler(request);
    return { status: answer.status, text: new TextDecoder().decode(bodyBytes(answer)) };
  };
}
const WHERE = 'serviceName=demo&ip=10.0.0.1&port=80';

test('defaults and old spellings of a registration are those of the clients', async () => {
  const ask = await start();
  const cases: readonly (readonly [string, Readonly<Record<string, unknown>> | undefined])[] = [
    ['', { enabled: true, ephemeral: true, healthy: true, weight: 1, clusterName: 'DEFAULT' }],
    ['&enable=False', undefined],
    ['&enabled=&enable=True', { enabled: true }],
    ['&enabled=True&enable=False', { enabled: true }],
    ['&ephemeral=True', { ephemeral: true }],
    ['&ephemeral=False', { ephemeral: false }],
    ['&ephemeral=', { ephemeral: true }],
    ['&cluster=a', { clusterName: 'a' }],
    ['&clusterName=a&cluster=b', { clusterName: 'a' }],
    ['&clusterName=None', { clusterName: 'None' }],
    ['&weight=0.001', { weight: 0.01 }],
    ['&groupName=g', undefined],
  ];
  for (const [index, [more, shown]] of cases.entries()) {
    const where = `serviceName=demo${index}&ip=10.0.0.1&port=80${more}`;
    assert.deepEqual(await ask('POST', '/instance', where, PYTHON), { status: 200, text: 'ok' }, more);
    const { hosts } = JSON.parse((await ask('GET', '/instance/list', `serviceName=demo${index}`)).text);
    const wanted = shown === undefined ? [] : [shown];
    assert.deepEqual(
      hosts.map((one: Record<string, unknown>) =>
        Object.fromEntries(Object.keys(shown ?? {}).map((name) => [name, one[name]])),
      ),
      wanted,
      more,
    );
  }
});

test('GET of an instance reads clusterName alone, and says what is missing', async () => {
  const ask = await start();
  const missing = async (query: string) => {
    const { status, text } = await ask('GET', '/instance', query);
    return `${status} ${text}`;
  };
  assert.equal(await missing(WHERE), '404 no service DEFAULT_GROUP@@demo found!');
  await ask('POST', '/instance', `${WHERE}&clusterName=a`);
  assert.equal(
    await missing(`${WHERE}&cluster=a`),
    '404 no ips found for cluster DEFAULT in service DEFAULT_GROUP@@demo',
  );
  assert.equal(await missing('serviceName=demo&ip=10.0.0.2&port=80&clusterName=a'), '404 no matched ip found!');
  assert.equal(
    await missing(`${WHERE}&clusterName=a`),
    '200 {"service":"DEFAULT_GROUP@@demo","ip":"10.0.0.1","port":80,"clusterName":"a","weight":1.0,"healthy":true,' +
      '"instanceId":"10.0.0.1#80#a#DEFAULT_GROUP@@demo","metadata":{}}',
  );
  assert.equal(await missing('serviceName=demo&ip=10.0.0.1'), "400 Param 'port' is required.");
  assert.equal(await missing('ip=10.0.0.1&port=80'), "400 Param 'serviceName' is required.");
});

test('PUT of any client but Java registers what is not there, in a form with raw values too', async () => {
  const ask = await start();
  const form = 'ip=10.0.0.1&port=80&metadata={"a":"b"}&serviceName=DEFAULT_GROUP@@demo&';
  assert.equal((await ask('PUT', '/instance', '', JAVA, form)).status, 400);
  assert.deepEqual(await ask('PUT', '/instance', '', GO, form), { status: 200, text: 'ok' });
  assert.deepEqual(JSON.parse((await ask('GET', '/instance', WHERE)).text).metadata, { a: 'b' });
  assert.equal((await ask('PUT', '/instance', WHERE, JAVA)).text, 'ok');
  assert.deepEqual(JSON.parse((await ask('GET', '/instance', WHERE)).text).metadata, {});
  const beat = 'beat={"ip":"10.0.0.2","port":80,"weight":1,"serviceName":"DEFAULT_GROUP@@demo","cluster":"DEFAULT"}';
  const answer = await ask('PUT', '/instance/beat', '', GO, `${beat}&serviceName=DEFAULT_GROUP@@demo`);
  assert.equal(answer.text, '{"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true}');
});

test('DELETE needs cluster and kind to fit, and is ok all the same', async () => {
  const ask = await start();
  await ask('POST', '/instance', `${WHERE}&clusterName=a&ephemeral=false`);
  const count = async () => JSON.parse((await ask('GET', '/instance/list', 'serviceName=demo')).text).hosts.length;
  for (const more of ['', '&clusterName=a', '&ephemeral=false']) {
    assert.deepEqual(await ask('DELETE', '/instance', `${WHERE}${more}`), { status: 200, text: 'ok' });
    assert.equal(await count(), 1, more);
  }
  await ask('DELETE', '/instance', `${WHERE}&cluster=a&ephemeral=false`);
  assert.equal(await count(), 0);
  assert.equal((await ask('DELETE', '/instance', WHERE)).text, 'ok');
});

test('a list echoes what was asked, and names the service as its agent expects', async () => {
  const ask = await start();
  await ask('POST', '/instance', `${WHERE}&clusterName=a`);
  const list = async (more: string, agent: string) =>
    JSON.parse((await ask('GET', '/instance/list', `serviceName=demo${more}`, agent)).text);
  const java = await list('&clusters=a,b&env=x', JAVA);
  assert.deepEqual(
    [java.name, java.dom, java.clusters, java.env],
    ['DEFAULT_GROUP@@demo', 'DEFAULT_GROUP@@demo', 'a,b', 'x'],
  );
  assert.deepEqual([java.hosts.length, java.hosts[0].serviceName], [1, 'DEFAULT_GROUP@@demo']);
  const python = await list('', PYTHON);
  assert.deepEqual([python.name, python.dom, python.hosts[0].serviceName], ['DEFAULT_GROUP@@demo', 'demo', 'demo']);
  assert.deepEqual((await list('&clusters=b', JAVA)).hosts, []);
  assert.deepEqual((await list('&clusterName=b', 'nacos-csharp')).hosts.length, 1);
  assert.deepEqual(await list('&isCheck=TRUE', JAVA), {});
  const nobody = await ask('GET', '/instance/list', 'serviceName=nobody&clusters=a');
  assert.equal(nobody.text, '{"name":"DEFAULT_GROUP@@nobody","clusters":"a","cacheMillis":3000,"hosts":[]}');
});

test('HEAD is answered as GET, with a slash at the end or not', async () => {
  const ask = await start();
  for (const path of ['/instance/list', '/instance/list/']) {
    assert.equal((await ask('HEAD', path, 'serviceName=demo')).status, 200);
  }
  assert.equal((await ask('PATCH', '/instance/list', 'serviceName=demo')).status, 404);
});

test('how long a list is kept, how often to beat and whether lightly are switches', async () => {
  const switches = { current: DEFAULT_SWITCHES };
  const ask = await start(switches);
  const said = async () => {
    const list = JSON.parse((await ask('GET', '/instance/list', 'serviceName=demo')).text);
    const beat = JSON.parse((await ask('PUT', '/instance/beat', WHERE)).text);
    const unknown = JSON.parse((await ask('PUT', '/instance/beat', 'serviceName=demo&ip=10.9.9.9&port=80')).text);
    return [list.cacheMillis, beat.clientBeatInterval, beat.lightBeatEnabled, unknown.clientBeatInterval];
  };
  await ask('POST', '/instance', WHERE);
  assert.deepEqual(await said(), [3_000, 5_000, true, 5_000]);
  switches.current = {
    ...DEFAULT_SWITCHES,
    defaultCacheMillis: 7_000,
    clientBeatInterval: 9_000,
    lightBeatEnabled: false,
  };
  assert.deepEqual(await said(), [7_000, 9_000, false, 9_000]);
  const own = encodeURIComponent('{"preserved.heart.beat.interval":"1000"}');
  await ask('POST', '/instance', `${WHERE}&metadata=${own}`);
  assert.deepEqual(await said(), [7_000, 1_000, false, 9_000]);
});
