import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { startAdminNode } from '../../testing/config-admin-node.ts';
import { LISTENERS_MAX, LISTENERS_PATH, listenerPeerRoute, listenerRoutes } from './listeners.ts';
import type { AdminPorts, HeldListeners } from './ports.ts';

const MD5 = '9dd4e461268c8034f5c8564e155c67a6';

async function nodeWithListener() {
  const node = await startAdminNode();
  await node.publish({ dataId: 'app', content: 'x' });
  await node.publish({ dataId: 'app', content: 'x', tenant: 'dev' });
  const listening = `app\u0002g\u0002${MD5}\u0001app\u0002g\u0002${MD5}\u0002dev\u0001`;
  void node.host.network.ask(8848, '/nacos/v1/cs/configs/listener', 'POST', {
    headers: { 'long-pulling-timeout': '30000' },
    form: `Listening-Configs=${encodeURIComponent(listening)}`,
  });
  await node.host.advance(100);
  const get = async (path: string, query: Readonly<Record<string, string>>) => {
    const answered = node.ask('GET', path, query);
    await node.host.advance(1_000);
    return (await answered).text;
  };
  return { ...node, get };
}

test('who listens to a configuration, and what an address listens to', async () => {
  const { get } = await nodeWithListener();
  const key = { dataId: 'app', group: 'g' };
  const byIp = `{"127.0.0.1":"${MD5}"}`;
  assert.equal(await get('cs/configs/listener', key), `{"collectStatus":200,"lisentersGroupkeyStatus":${byIp}}`);
  assert.equal(
    await get('cs/communication/configWatchers', { ...key, tenant: 'dev' }),
    `{"lisentersGroupkeyStatus":${byIp}}`,
  );
  assert.equal(
    await get('cs/configs/listener', { ...key, group: '' }),
    '{"collectStatus":200,"lisentersGroupkeyStatus":{}}',
  );
  const keys = async (query: Readonly<Record<string, string>>) =>
    Object.keys(JSON.parse(await get('cs/listener', { ip: '127.0.0.1', ...query })).lisentersGroupkeyStatus);
  assert.deepEqual(await keys({}), ['app+g']);
  assert.deepEqual(await keys({ all: 'true' }), ['app+g', 'app+g+dev']);
  assert.deepEqual(await keys({ tenant: 'dev' }), ['app+g+dev']);
  assert.deepEqual(await keys({ ip: '10.9.9.9', all: 'true' }), []);
  assert.equal(
    await get('cs/communication/watcherConfigs', { ip: '127.0.0.1' }),
    `{"lisentersGroupkeyStatus":{"app+g":"${MD5}","app+g+dev":"${MD5}"}}`,
  );
});

test('questions that make no sense are refused', async () => {
  const { ask } = await startAdminNode();
  const key = { dataId: 'app', group: 'g' };
  for (const [path, query] of [
    ['cs/configs/listener', { dataId: 'app' }],
    ['cs/configs/listener', { ...key, sampleTime: 'x' }],
    ['cs/configs/listener', { ...key, dataId: 'x'.repeat(2_000) }],
    ['cs/listener', {}],
    ['cs/listener', { ip: 'x'.repeat(2_000) }],
    ['cs/communication/configWatchers', { group: 'g' }],
    ['cs/communication/watcherConfigs', {}],
  ] as const) {
    assert.equal((await ask('GET', path, query as Readonly<Record<string, string>>)).status, 400, path);
  }
});

/** A member whose own clients are given, among peers that answer as they are told. */
function member(held: Partial<HeldListeners>, answers: Readonly<Record<string, unknown>> = {}) {
  const host = new FakeHost();
  const asked: unknown[] = [];
  const ports = {
    host,
    held: { listeners: () => new Map(), listenersOfIp: () => new Map(), ...held },
    peers: {
      healthy: () => Object.keys(answers),
      async call(peer: string, path: string, message: unknown, timeoutMs: number) {
        asked.push([peer, path, message, timeoutMs]);
        if (answers[peer] instanceof Error) throw answers[peer];
        return answers[peer];
      },
    },
  } as unknown as AdminPorts;
  const handler = createPipeline({
    ...{ contextPath: '', routes: [...listenerRoutes(ports), listenerPeerRoute(ports)], log: host.log },
    ...{ authorize: () => {}, clientIp: () => '', answerFailure: () => undefined },
  });
  host.network.handlers.set(1, handler);
  const ask = async (target: string, method = 'GET', body = '') => {
    const answered = host.network.ask(1, target, method, { body });
    for (let n = 0; n < 20; n++) await host.advance(100);
    return answered;
  };
  return { asked, ask };
}

test('every member is asked, in as many rounds as wished, and who fails is left out', async () => {
  const { asked, ask } = member(
    { listeners: () => new Map([['10.0.0.1', 'a']]) },
    {
      'b:1': { listeners: [['10.0.0.2', 'b']] },
      'c:1': new Error('no answer'),
      'd:1': { listeners: [['10.0.0.3']] },
      'e:1': 'nonsense',
    },
  );
  const answer = await ask('/v1/cs/configs/listener?dataId=a&group=g&sampleTime=99');
  assert.equal(answer.body, '{"collectStatus":200,"lisentersGroupkeyStatus":{"10.0.0.1":"a","10.0.0.2":"b"}}');
  assert.equal(asked.length, 3 * 4);
  assert.deepEqual(asked[0], ['b:1', LISTENERS_PATH, { groupKey: 'a+g' }, 1_000]);
});

test('a client that is away for a moment is seen in another sample', async () => {
  let look = 0;
  const { ask } = member({ listeners: () => (++look === 2 ? new Map([['10.0.0.1', 'a']]) : new Map()) });
  const answer = await ask('/v1/cs/communication/configWatchers?dataId=a&group=g');
  assert.equal(answer.body, '{"lisentersGroupkeyStatus":{"10.0.0.1":"a"}}');
});

test('a member answers its peers for itself, with a bound', async () => {
  const many = new Map(Array.from({ length: LISTENERS_MAX + 1 }, (_, n) => [`10.0.0.${n}`, 'a']));
  const { asked, ask } = member({ listeners: () => many, listenersOfIp: () => new Map([['a+g', 'm']]) }, { 'b:1': {} });
  const tell = async (message: unknown) =>
    ask(LISTENERS_PATH, 'POST', typeof message === 'string' ? message : JSON.stringify(message));
  assert.equal(JSON.parse(String((await tell({ groupKey: 'a+g' })).body)).listeners.length, LISTENERS_MAX);
  assert.equal((await tell({ address: '10.0.0.1' })).body, '{"listeners":[["a+g","m"]]}');
  for (const bad of ['', '{', 'null', '{}', '{"groupKey":7}', { address: 'x'.repeat(2_000) }]) {
    assert.equal((await tell(bad)).status, 400);
  }
  assert.deepEqual(asked, []);
});
