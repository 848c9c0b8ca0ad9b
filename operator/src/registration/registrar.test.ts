import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { EventRecorder } from '../kube/events.ts';
import { Mirror } from '../kube/mirror.ts';
import type { KubeObject, Pod } from '../kube/objects.ts';
import { EVENTS, NACOS_CLUSTERS, PODS } from '../kube/resource-types.ts';
import { FakeKube } from '../testing/fake-kube.ts';
import { aCluster, aPod } from '../testing/fixtures.ts';
import { Registrar } from './registrar.ts';

interface Held {
  readonly namespaceId: string;
  readonly service: string;
  readonly ip: string;
  readonly port: number;
  readonly ephemeral: boolean;
  readonly metadata: Record<string, string>;
}

/** A registry that speaks the few calls, kept by `namespace service ip:port`. */
class FakeRegistry {
  readonly held = new Map<string, Held>();
  readonly writes: string[] = [];
  isDown = false;

  hold(ip: string, rest: Partial<Held> = {}): void {
    const one: Held = {
      namespaceId: 'public',
      service: 'DEFAULT_GROUP@@greeter',
      ip,
      port: 8080,
      ephemeral: false,
      metadata: {},
      ...rest,
    };
    this.held.set(`${one.namespaceId} ${one.service} ${one.ip}:${one.port}`, one);
  }

  ips(): string[] {
    return [...this.held.values()].map(({ ip }) => ip).sort();
  }

  answer(request: OutboundRequest) {
    if (this.isDown) throw new NetworkError('refused', 'down');
    const [path = '', query = ''] = request.path.split('?');
    const form = new URLSearchParams(request.method === 'POST' ? String(request.body) : query);
    const read = (name: string) => form.get(name) ?? '';
    if (path === '/nacos/v1/console/namespaces')
      return httpAnswer({ code: 200, data: [{ namespace: '' }, { namespace: 'ns1' }] });
    const inNamespace = [...this.held.values()].filter(({ namespaceId }) => namespaceId === read('namespaceId'));
    if (path === '/nacos/v1/ns/service/list') {
      const doms = [...new Set(inNamespace.map(({ service }) => service))];
      return httpAnswer({ doms, count: doms.length });
    }
    if (path === '/nacos/v1/ns/instance/list') {
      const hosts = inNamespace
        .filter(({ service }) => service === read('serviceName'))
        .map((one) => ({ ...one, clusterName: 'DEFAULT', weight: 1 }));
      return httpAnswer({ hosts });
    }
    assert.equal(path, '/nacos/v1/ns/instance');
    assert.equal(read('ephemeral'), 'false');
    this.writes.push(`${request.method} ${read('ip')}`);
    const key = `${read('namespaceId')} ${read('serviceName')} ${read('ip')}:${read('port')}`;
    if (request.method === 'DELETE') this.held.delete(key);
    else
      this.hold(read('ip'), {
        service: read('serviceName'),
        namespaceId: read('namespaceId'),
        port: Number(read('port')),
        metadata: JSON.parse(read('metadata')),
      });
    return httpAnswer('ok');
  }
}

function annotated(
  ip: string,
  rest: { isReady?: boolean; uid?: string; annotations?: Record<string, string> } = {},
): Pod {
  const name = `greeter-${ip.split('.').at(-1)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: rest.uid ?? `uid-${name}`,
      labels: { app: 'greeter' },
      annotations: { 'nacos-kube.dev/register': 'true', 'nacos-kube.dev/port': '8080', ...rest.annotations },
    },
    status: { podIP: ip, conditions: [{ type: 'Ready', status: rest.isReady === false ? 'False' : 'True' }] },
  };
}

function marks(
  ip: string,
  rest: { owner?: string; pod?: string; uid?: string } = {},
): { metadata: Record<string, string> } {
  const name = `greeter-${ip.split('.').at(-1)}`;
  return {
    metadata: {
      'nacos-kube.dev/owner': rest.owner ?? 'cluster-uid',
      'nacos-kube.dev/pod': rest.pod ?? `shop/${name}`,
      'nacos-kube.dev/pod-uid': rest.uid ?? `uid-${name}`,
    },
  };
}

function world() {
  const host = new FakeHost();
  const kube = new FakeKube();
  const registry = new FakeRegistry();
  host.network.answer = (request) => registry.answer(request);
  kube.put(NACOS_CLUSTERS, aCluster());
  const member = aPod(0);
  const labels = {
    ...member.metadata.labels,
    'app.kubernetes.io/component': 'node',
    'app.kubernetes.io/managed-by': 'nacos-kube',
  };
  kube.put(PODS, { ...member, metadata: { ...member.metadata, labels } });
  const begin = async (kubeNamespaces: readonly string[] = []) => {
    let registrar: Registrar | undefined;
    const mirror = new Mirror(host, kube, [], [{ type: NACOS_CLUSTERS }, { type: PODS }], (type, before, after) => {
      if (type === PODS) registrar?.onPod(before, after);
      else registrar?.onCluster(before, after);
    });
    registrar = new Registrar(host, mirror, new EventRecorder(host, kube, 'c', 'i'), { kubeNamespaces });
    mirror.start();
    await host.advance(0);
    registrar.start();
    await host.advance(100);
    return { registrar, stop: () => Promise.all([registrar?.stop(), mirror.stop()]) };
  };
  return { host, kube, registry, begin };
}

test('pods are registered when they become ready and taken out when they are not or leave', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1', { isReady: false }));
  kube.put(PODS, annotated('10.1.0.2'));
  await host.advance(100);
  assert.deepEqual(registry.ips(), ['10.1.0.2']);
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  assert.deepEqual(registry.ips(), ['10.1.0.1', '10.1.0.2']);
  const leaving = annotated('10.1.0.2');
  kube.put(PODS, { ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-31T10:00:00Z' } });
  await host.advance(100);
  assert.deepEqual(registry.ips(), ['10.1.0.1'], 'as soon as it is told to stop');
  kube.put(PODS, annotated('10.1.0.1', { isReady: false }));
  await host.advance(100);
  assert.deepEqual(registry.ips(), []);
  await stop();
});

test('what changes nothing is not written again', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  for (let i = 0; i < 5; i++) {
    kube.put(PODS, { ...annotated('10.1.0.1'), extra: i } as never);
    await host.advance(100);
  }
  assert.deepEqual(registry.writes, ['POST 10.1.0.1']);
  kube.put(PODS, annotated('10.1.0.1', { annotations: { 'nacos-kube.dev/weight': '3' } }));
  await host.advance(100);
  assert.deepEqual(registry.writes, ['POST 10.1.0.1', 'POST 10.1.0.1']);
  await stop();
});

test('a service that is renamed stands under its new name before the old one goes', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  kube.put(PODS, annotated('10.1.0.1', { annotations: { 'nacos-kube.dev/service-name': 'hello' } }));
  await host.advance(100);
  assert.deepEqual(registry.writes, ['POST 10.1.0.1', 'POST 10.1.0.1', 'DELETE 10.1.0.1']);
  assert.deepEqual([...registry.held.keys()], ['public DEFAULT_GROUP@@hello 10.1.0.1:8080']);
  await stop();
});

test('a restarted operator keeps what stands, removes what is left over, and leaves what is not its own', async () => {
  const { host, kube, registry, begin } = world();
  kube.put(PODS, annotated('10.1.0.1'));
  kube.put(PODS, annotated('10.1.0.9', { uid: 'reborn' }));
  registry.hold('10.1.0.1', marks('10.1.0.1'));
  registry.hold('10.1.0.2', marks('10.1.0.2'));
  registry.hold('10.1.0.3', { ...marks('10.1.0.3'), namespaceId: 'ns1' });
  registry.hold('10.1.0.9', marks('10.1.0.9'));
  registry.hold('10.9.0.1');
  registry.hold('10.9.0.2', marks('10.9.0.2', { owner: 'another-cluster' }));
  registry.hold('10.9.0.3', { ...marks('10.9.0.3'), ephemeral: true });
  const { stop } = await begin();
  await host.advance(1_000);
  assert.deepEqual(registry.ips(), ['10.1.0.1', '10.1.0.9', '10.9.0.1', '10.9.0.2', '10.9.0.3']);
  assert.ok(!registry.writes.includes('POST 10.1.0.1'), 'what stands is not written again');
  assert.ok(registry.writes.includes('POST 10.1.0.9'), 'a pod of the same name and address is another');
  await stop();
});

test('pods of namespaces that are not watched are not judged', async () => {
  const { registry, begin } = world();
  registry.hold('10.9.0.2', marks('10.9.0.2', { pod: 'elsewhere/greeter-2' }));
  const { stop } = await begin(['shop']);
  assert.deepEqual(registry.ips(), ['10.9.0.2']);
  await stop();
});

test('nothing is removed while the registry can not be listed, and all is done when it can', async () => {
  const { host, kube, registry, begin } = world();
  registry.hold('10.1.0.2', marks('10.1.0.2'));
  registry.isDown = true;
  kube.put(PODS, annotated('10.1.0.1'));
  const { stop } = await begin();
  await host.advance(120_000);
  assert.deepEqual(registry.writes, []);
  assert.ok(host.network.requests.length < 60, `${host.network.requests.length} requests in two minutes`);
  registry.isDown = false;
  await host.advance(120_000);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  await stop();
});

test('a pod that goes while the registry is away is taken out later', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  registry.isDown = true;
  kube.remove(PODS, 'shop/greeter-1');
  await host.advance(30_000);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  registry.isDown = false;
  await host.advance(120_000);
  assert.deepEqual(registry.ips(), []);
  await stop();
});

test('what a registry lost is registered again', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  registry.held.clear();
  await host.advance(11 * 60_000);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  await stop();
});

test('an address that another pod took over is not taken from it', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  const heir = annotated('10.1.0.1', { uid: 'heir' });
  kube.put(PODS, { ...heir, metadata: { ...heir.metadata, name: 'heir' } });
  await host.advance(100);
  kube.remove(PODS, 'shop/greeter-1');
  await host.advance(100);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  await stop();
});

test('a slip in the annotations is told and takes nobody out', async () => {
  const { host, kube, registry, begin } = world();
  const { stop } = await begin();
  kube.put(PODS, annotated('10.1.0.1'));
  await host.advance(100);
  kube.put(PODS, annotated('10.1.0.1', { annotations: { 'nacos-kube.dev/weight': 'heavy' } }));
  await host.advance(100);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  const [event] = kube.readAll<KubeObject & { reason: string; note: string }>(EVENTS);
  assert.equal(event?.reason, 'RegistrationRefused');
  assert.match(event?.note ?? '', /weight must be a number/);
  await stop();
});

test('pods that wait for a cluster are registered when it comes, and forgotten when it goes', async () => {
  const { host, kube, registry, begin } = world();
  kube.remove(NACOS_CLUSTERS, 'shop/demo');
  kube.put(PODS, annotated('10.1.0.1'));
  const { stop, registrar } = await begin();
  assert.deepEqual(registry.ips(), []);
  kube.put(NACOS_CLUSTERS, aCluster());
  await host.advance(1_000);
  assert.deepEqual(registry.ips(), ['10.1.0.1']);
  assert.equal(registrar.standing, 1);
  kube.remove(NACOS_CLUSTERS, 'shop/demo');
  await host.advance(1_000);
  assert.equal(registrar.standing, 0);
  await stop();
});
