import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@nacos-kube/core/http/route.ts';
import { namingRoutes } from './routes.ts';
import type { NamingService } from './service.ts';

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
  const routes = namingRoutes({ naming, ...given, isLoaded: () => false, knowsPersistent: () => true });
  const ask = async (method: string, path: string) =>
    routes.find((route) => route.method === method && route.path === path)!.handler(call);
  for (const path of ['/v1/ns/instance', '/v1/ns/instance/list', '/v1/ns/service/list'])
    await assert.rejects(ask('GET', path), { name: 'ProtocolError', status: 503, message: /STARTING/ });
  assert.equal((await ask('POST', '/v1/ns/instance')).status, 200);
  assert.deepEqual(calls, ['register']);
});
