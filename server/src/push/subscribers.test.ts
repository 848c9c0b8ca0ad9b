import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '@nacos-kube/core/host/host.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { PushHub } from './hub.ts';
import { SUBSCRIBERS_PATH, Subscribers } from './subscribers.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const request = { service: demo, pageNo: 1, pageSize: 10, aggregation: true };

/** Members that ask each other; `subscribe` signs somebody up at one of them. */
function start(names: readonly string[]) {
  const host = new FakeHost();
  const down = new Set<string>();
  const asked: string[] = [];
  const members = new Map<string, { hub: PushHub; subscribers: Subscribers }>();
  for (const name of names) {
    const hub = new PushHub(0);
    const peers = {
      listed: () => names.filter((one) => one !== name),
      async call(peer: string, path: string, message: unknown) {
        asked.push(`${peer} ${path}`);
        if (down.has(peer)) throw new Error('no answer in time');
        const body = new TextEncoder().encode(JSON.stringify(message));
        const call = { request: { body } as unknown as HttpRequest } as Call;
        const answer = await members.get(peer)!.subscribers.peerRoute.handler(call);
        return JSON.parse(String(answer.body)) as unknown;
      },
    };
    members.set(name, { hub, subscribers: new Subscribers(host, hub, peers) });
  }
  const subscribe = (at: string, ip: string, service = demo, agent = 'Nacos-Java-Client:v1.4.2') =>
    members.get(at)!.hub.subscribe(
      {
        ...{ service: serviceKey(service), clusters: '', isGrouped: true, agent, app: 'shop' },
        target: { address: ip, port: 5_000 },
      },
      host.clock.monotonic(),
    );
  const of = async (at: string, more: Partial<typeof request> = {}) =>
    (await members.get(at)!.subscribers.of({ ...request, ...more })).map(({ addrStr }) => addrStr);
  return { host, down, asked, members, subscribe, of };
}

test('subscribers of all members are told, each once', async () => {
  const { subscribe, of, members } = start(['m1', 'm2', 'm3']);
  subscribe('m1', '10.0.0.1');
  subscribe('m2', '10.0.0.2');
  subscribe('m3', '10.0.0.1');
  assert.deepEqual(await of('m1'), ['10.0.0.1:5000', '10.0.0.2:5000']);
  assert.deepEqual((await members.get('m1')!.subscribers.of(request))[1], {
    ...{ addrStr: '10.0.0.2:5000', agent: 'Nacos-Java-Client:v1.4.2', app: 'shop', ip: '10.0.0.2' },
    ...{ namespaceId: 'public', serviceName: 'DEFAULT_GROUP@@demo' },
  });
});

test('without aggregation nobody else is asked', async () => {
  const { subscribe, of, asked } = start(['m1', 'm2']);
  subscribe('m2', '10.0.0.2');
  assert.deepEqual(await of('m1', { aggregation: false }), []);
  assert.deepEqual(asked, []);
  await of('m1');
  assert.deepEqual(asked, [`m2 ${SUBSCRIBERS_PATH}`]);
});

test('a member that does not answer, or answers nonsense, keeps the others from nothing', async () => {
  const { subscribe, of, down, members } = start(['m1', 'm2', 'm3', 'm4']);
  for (const [n, name] of ['m1', 'm2', 'm3', 'm4'].entries()) subscribe(name, `10.0.0.${n}`);
  down.add('m2');
  members.get('m3')!.subscribers.local = () => [{ addrStr: 7 }] as never;
  assert.deepEqual(await of('m1'), ['10.0.0.0:5000', '10.0.0.3:5000']);
});

test('group and name match in part, the namespace as a whole', async () => {
  const { subscribe, of } = start(['m1']);
  subscribe('m1', '10.0.0.1');
  subscribe('m1', '10.0.0.2', { namespaceId: 'public', name: 'DEFAULT_GROUP@@my-demo-2' });
  subscribe('m1', '10.0.0.3', { namespaceId: 'public', name: 'g@@demo' });
  subscribe('m1', '10.0.0.4', { namespaceId: 'public-2', name: 'DEFAULT_GROUP@@demo' });
  assert.deepEqual(await of('m1'), ['10.0.0.1:5000', '10.0.0.2:5000']);
});

test('who did not refresh is no subscriber any more', async () => {
  const { host, subscribe, of } = start(['m1']);
  subscribe('m1', '10.0.0.1');
  await host.advance(60_000);
  assert.deepEqual(await of('m1'), []);
});

test('a question that breaks the schema is refused', () => {
  const { peerRoute } = start(['m1']).members.get('m1')!.subscribers;
  for (const text of ['', '[]', '{}', '{"service":7}', '{"service":"demo"}']) {
    const body = new TextEncoder().encode(text);
    const call = { request: { body } as unknown as HttpRequest } as Call;
    assert.throws(() => peerRoute.handler(call), { name: 'ProtocolError', status: 400 }, text);
  }
});
