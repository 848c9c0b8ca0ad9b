import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, NetworkError, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { type Instance, instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { NO_SWITCHES } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { SIDECAR_LEASE_MS } from '@nacos-kube/core/wire/sidecar.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { Checks } from './checks.ts';
import { ALONE } from './operation.ts';
import { Registry } from './registry.ts';
import { NamingService } from './service.ts';

const OPEN: TcpStream = { remote: { address: '', port: 0 }, join: async () => {}, close() {} };
const id = (name: string) => ({ namespaceId: 'public', name: `g@@${name}` });
const instance = (ip: string): Instance => ({
  ip,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: false,
  metadata: NO_METADATA,
  instanceId: ip,
  app: '',
});
const verdict = (name: string, ip: string, healthy: boolean) => ({
  service: serviceKey(id(name)),
  key: instanceKey(instance(ip)),
  healthy,
});

/** A node that owns the services `own` and `mine`, with a persistent instance in each, and another's. */
async function start() {
  const host = new FakeHost();
  const registry = new Registry('m1');
  const ownership = { ...ALONE, isOwn: (service: string) => !service.endsWith('theirs') };
  const naming = new NamingService({
    ...{ host, registry, ownership, switches: NO_SWITCHES },
    store: createMemoryStore(host, createMemoryDatabase()),
  });
  registry.putPersistent(id('own'), instance('10.0.0.1'));
  registry.putPersistent(id('mine'), instance('169.254.169.254'));
  registry.putPersistent(id('theirs'), instance('10.0.0.3'));
  const tried: string[] = [];
  host.network.accept = ({ address }: Endpoint) => {
    tried.push(address);
    throw new NetworkError('refused', 'closed');
  };
  const checks = new Checks(host, naming, () => ({ forbidden: new Set(), isLoopbackAllowed: false }));
  checks.start();
  const isHealthy = (name: string) => registry.view(serviceKey(id(name)))?.instances[0]?.healthy;
  return { host, checks, tried, isHealthy };
}

test('a node without a sidecar probes what it owns and may probe, and believes it', async () => {
  const { host, checks, tried, isHealthy } = await start();
  await host.advance(10_000);
  assert.deepEqual([...new Set(tried)], ['10.0.0.1']);
  assert.deepEqual([isHealthy('own'), isHealthy('mine'), isHealthy('theirs')], [false, true, true]);
  host.network.accept = () => OPEN;
  await host.advance(20_000);
  assert.equal(isHealthy('own'), true);
  assert.equal(checks.verdicts, 2);
  assert.ok(checks.probes > 3);
});

test('while a sidecar holds the lease it probes and the node does not; without one it is the other way round', async () => {
  const { host, checks, tried, isHealthy } = await start();
  assert.equal(checks.takeOfSidecar([verdict('own', '10.0.0.1', false)]), 0);
  const { targets } = checks.lease();
  assert.deepEqual(
    targets.map((target) => target.ip),
    ['10.0.0.1', '169.254.169.254'],
  );
  assert.equal(checks.isLeased, true);
  for (let seconds = 0; seconds < 30; seconds++) {
    await host.advance(1_000);
    checks.lease();
  }
  assert.deepEqual(tried, []);
  const verdicts = [verdict('own', '10.0.0.1', false), verdict('theirs', '10.0.0.3', false)];
  assert.equal(checks.takeOfSidecar(verdicts), 1);
  assert.deepEqual([isHealthy('own'), isHealthy('theirs')], [false, true]);
  await host.advance(SIDECAR_LEASE_MS);
  assert.equal(checks.isLeased, false);
  assert.equal(checks.takeOfSidecar([verdict('own', '10.0.0.1', true)]), 0);
  await host.advance(10_000);
  assert.deepEqual([...new Set(tried)], ['10.0.0.1']);
});

test('a probe that is under way when the sidecar comes counts for nothing', async () => {
  const { host, checks, isHealthy } = await start();
  const { promise, resolve } = Promise.withResolvers<TcpStream>();
  const { promise: tried, resolve: isTried } = Promise.withResolvers<void>();
  host.network.accept = () => {
    isTried();
    return promise.then(() => {
      throw new NetworkError('refused', 'closed');
    });
  };
  await host.advance(8_000);
  await tried;
  checks.lease();
  resolve(OPEN);
  await host.advance(1_000);
  assert.equal(isHealthy('own'), true);
});

test('after the stop nothing is probed', async () => {
  const { host, checks, tried } = await start();
  checks.stop();
  await host.advance(60_000);
  assert.deepEqual(tried, []);
});
