import assert from 'node:assert/strict';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { FakeClock } from '@nacos-kube/core/testing/fake-clock.ts';
import type { WatchEvent } from './api.ts';
import { KubeError } from './api.ts';
import { KubeClient } from './client.ts';
import { CONFIG_MAPS, LEASES, NACOS_CLUSTERS } from './resource-types.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let client: KubeClient;
let seen: Seen | undefined;
let answer: (request: Seen, response: ServerResponse) => void = () => {};

before(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
    answer(seen, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser(
    { name: 'c', server: `http://127.0.0.1:${port}/`, skipTLSVerify: true },
    { name: 'u', token: 'the-token' },
  );
  client = new KubeClient(config, new FakeClock());
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const MAP = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'shop' } };

test('a page of a list, with kinds filled in and the token sent', async () => {
  answer = (_request, response) =>
    json(response, { metadata: { resourceVersion: '7', continue: 'next' }, items: [{ metadata: { name: 'a' } }] });
  const page = await client.list(CONFIG_MAPS, { kubeNamespace: 'shop', limit: 500, labelSelector: 'a=b' });
  assert.equal(seen?.url, '/api/v1/namespaces/shop/configmaps?limit=500&labelSelector=a%3Db');
  assert.equal(seen?.headers.authorization, 'Bearer the-token');
  assert.deepEqual(page, {
    items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }],
    resourceVersion: '7',
    continue: 'next',
  });
});

test('server-side apply has its content type, manager and force', async () => {
  answer = (_request, response) => json(response, MAP);
  const cluster = {
    apiVersion: 'nacos-kube.dev/v1alpha1',
    kind: 'NacosCluster',
    metadata: { name: 'demo', namespace: 'shop' },
  };
  await client.apply(NACOS_CLUSTERS, cluster, { fieldManager: 'nacos-operator-status', subresource: 'status' });
  assert.equal(seen?.method, 'PATCH');
  assert.equal(
    seen?.url,
    '/apis/nacos-kube.dev/v1alpha1/namespaces/shop/nacosclusters/demo/status?fieldManager=nacos-operator-status&force=true',
  );
  assert.equal(seen?.headers['content-type'], 'application/apply-patch+yaml');
  assert.deepEqual(JSON.parse(seen?.body ?? ''), cluster);
});

test('what is missing is undefined, and deleting it is fine', async () => {
  answer = (_request, response) => json(response, { reason: 'NotFound', message: 'not found' }, 404);
  assert.equal(await client.get(LEASES, { namespace: 'shop', name: 'l' }), undefined);
  await client.delete(CONFIG_MAPS, { namespace: 'shop', name: 'a' }, 'uid');
  assert.deepEqual(JSON.parse(seen?.body ?? '').preconditions, { uid: 'uid' });
});

test('a refusal carries code, reason and message; a text in between is shown', async () => {
  answer = (_request, response) => json(response, { reason: 'Invalid', message: 'spec: too long' }, 422);
  await assert.rejects(client.create(CONFIG_MAPS, MAP), (error) => {
    assert.ok(error instanceof KubeError);
    assert.deepEqual([error.code, error.reason, error.message], [422, 'Invalid', 'spec: too long']);
    return true;
  });
  answer = (_request, response) => response.writeHead(502).end('bad gateway');
  await assert.rejects(client.update(CONFIG_MAPS, MAP), /the API server answered 502: bad gateway/);
});

test('a server that is not there is code 0', async () => {
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server: 'http://127.0.0.1:1', skipTLSVerify: true }, { name: 'u' });
  const away = new KubeClient(config, new FakeClock());
  await assert.rejects(away.get(LEASES, { name: 'l' }), (error) => error instanceof KubeError && error.code === 0);
});

const WATCH = { resourceVersion: '7', timeoutSeconds: 300 };

test('events of a watch come one by one, however the bytes are cut', async () => {
  const lines = ['é', 'b', 'c'].map((name) =>
    JSON.stringify({ type: 'ADDED', object: { ...MAP, metadata: { name } } }),
  );
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  answer = (_request, response) => {
    response.writeHead(200);
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  };
  const names: string[] = [];
  const onEvent = (event: WatchEvent) => void names.push(event.object.metadata.name);
  await client.watch(CONFIG_MAPS, { ...WATCH, signal: new AbortController().signal }, onEvent);
  assert.deepEqual(names, ['é', 'b', 'c']);
  assert.equal(
    seen?.url,
    '/api/v1/configmaps?resourceVersion=7&timeoutSeconds=300&watch=true&allowWatchBookmarks=true',
  );
});

test('a watch that is cut off rejects, one that is aborted resolves', async () => {
  answer = (_request, response) => {
    response.writeHead(200);
    response.write('{"type":', () => response.destroy());
  };
  const signal = new AbortController().signal;
  await assert.rejects(
    client.watch(CONFIG_MAPS, { ...WATCH, signal }, () => {}),
    KubeError,
  );

  const abort = new AbortController();
  answer = (_request, response) => {
    response.writeHead(200);
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: MAP })}\n`);
  };
  await client.watch(CONFIG_MAPS, { ...WATCH, signal: abort.signal }, () => abort.abort());
});

test('a watch from a version that is gone is told by its code', async () => {
  answer = (_request, response) => json(response, { reason: 'Expired', message: 'too old resource version' }, 410);
  const signal = new AbortController().signal;
  await assert.rejects(
    client.watch(CONFIG_MAPS, { ...WATCH, signal }, () => {}),
    (error) => error instanceof KubeError && error.code === 410,
  );
});

test('a kubeconfig without a cluster says what to do', () => {
  assert.throws(() => new KubeClient(new KubeConfig(), new FakeClock()), /pass --kubeconfig/);
});
