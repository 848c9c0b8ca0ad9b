/** Persistent instances of a node on its own: what their cluster says how to ask, and what is seen of the answers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { type Mariadb, mariadbMissing, startMariadb } from '../engines/mariadb.ts';
import { until } from '../kubernetes/processes.ts';
import { type LocalNode, startNode } from './node.ts';

/** First delay, three results with the periods between them, and the machine may be busy. */
const VERDICT_MS_MAX = 40_000;

/** A service with one persistent instance on this machine, asked as `checker` says. */
async function register(node: LocalNode, serviceName: string, port: number, checker: object): Promise<void> {
  const instance = { serviceName, ip: '127.0.0.1', port: `${port}`, ephemeral: 'false' };
  const cluster = {
    ...{ serviceName, clusterName: 'DEFAULT', checkPort: '1', useInstancePort4Check: 'true' },
    healthChecker: JSON.stringify(checker),
  };
  await ask(node, 'POST', '/v1/ns/instance', instance);
  await ask(node, 'PUT', '/v1/ns/cluster', cluster);
}

async function ask(node: LocalNode, method: string, path: string, form: Record<string, string>): Promise<string> {
  const response = await fetch(node.url(`${path}?${new URLSearchParams(form)}`), { method });
  const text = await response.text();
  assert.equal(response.status, 200, `${method} ${path}: ${text}`);
  return text;
}

/** Of the instance itself: a list whose instances are all unhealthy shows all as healthy. */
async function becomes(node: LocalNode, serviceName: string, port: number, healthy: boolean): Promise<void> {
  const look = async () => {
    const shown = await ask(node, 'GET', '/v1/ns/instance', { serviceName, ip: '127.0.0.1', port: `${port}` });
    return JSON.parse(shown).healthy === healthy;
  };
  await until(`${serviceName} is ${healthy ? 'healthy' : 'unhealthy'}`, look, { timeoutMs: VERDICT_MS_MAX });
}

describe('an instance that is asked by HTTP', () => {
  let node: LocalNode;
  let server: Server;
  let status = 200;
  const asked: string[] = [];
  before(async () => {
    node = await startNode();
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['user-agent']} ${request.headers['x-key']}`);
      response.writeHead(status, { location: '/elsewhere' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    server?.close();
    await node?.stop();
  });

  test('is unhealthy while it answers 500, healthy while it answers 200, and nothing else is asked for', async () => {
    const { port } = server.address() as { port: number };
    await register(node, 'by-http', port, { type: 'HTTP', path: '/health', headers: 'X-Key:one' });
    await until('it is asked', async () => asked.length > 0, { timeoutMs: VERDICT_MS_MAX });
    status = 500;
    await becomes(node, 'by-http', port, false);
    status = 200;
    await becomes(node, 'by-http', port, true);
    status = 302;
    await becomes(node, 'by-http', port, false);
    assert.deepEqual([...new Set(asked)], ['GET /health VIPServer one']);
    const { clusters } = JSON.parse(await ask(node, 'GET', '/v1/ns/catalog/rt/service', { serviceName: 'by-http' }));
    assert.ok(clusters[0].checkRTNormalized >= 500, JSON.stringify(clusters));
  });
});

describe('an instance that is a database', { skip: (await mariadbMissing()) ?? false }, () => {
  let server: Mariadb;
  before(async () => {
    server = await startMariadb();
  });
  after(() => server?.stop());

  const checker = () => ({
    ...{ type: 'MYSQL', user: server.user, pwd: server.password },
    cmd: "show global variables where variable_name='read_only'",
  });

  test('is unhealthy while it is read-only or gone, where that is switched on', async () => {
    await using node = await startNode({ args: ['--mysql-checks', 'on'] });
    await register(node, 'by-mysql', server.port, checker());
    await server.query('SET GLOBAL read_only = 1');
    await becomes(node, 'by-mysql', server.port, false);
    await server.query('SET GLOBAL read_only = 0');
    await becomes(node, 'by-mysql', server.port, true);
    await server.kill();
    await becomes(node, 'by-mysql', server.port, false);
    await server.start();
    await becomes(node, 'by-mysql', server.port, true);
    assert.ok(!node.log.includes(server.password));
  });

  test('is left alone where it is not, and the log and a metric say so', async () => {
    await using node = await startNode();
    await register(node, 'untouched', server.port, checker());
    await until('the log says so', async () => node.log.includes('MYSQL checks are off'), {
      timeoutMs: VERDICT_MS_MAX,
    });
    const metrics = await (await fetch(node.url('/actuator/prometheus'))).text();
    assert.match(metrics, /^nacos_kube_probe_targets_refused\{reason="MYSQL checks are off"\} 1$/m);
    await becomes(node, 'untouched', server.port, true);
  });
});
