import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Endpoint, NetworkError, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { type Instance, instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import {
  type ClusterSettings,
  type HealthChecker,
  NO_SERVICE_SETTINGS,
  newCluster,
} from '@nacos-kube/core/model/service.ts';
import { DEFAULT_SWITCHES, type SwitchValues } from '@nacos-kube/core/model/switches.ts';
import { NO_TARGETS_KNOWN } from '@nacos-kube/core/probe/target-changes.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { SIDECAR_LEASE_MS, type SidecarQuestion, TARGETS_PER_PAGE_MAX } from '@nacos-kube/core/wire/sidecar.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { Checks, PAGES_AT_ONCE_MAX } from './checks.ts';
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

const QUESTION: SidecarQuestion = { targets: NO_TARGETS_KNOWN, forbidden: [], roundTrips: [] };

/** A node that owns the services `own` and `mine`, with a persistent instance in each, and another's. */
async function start() {
  const host = new FakeHost();
  const registry = new Registry('m1');
  const others = new Set([serviceKey(id('theirs'))]);
  const ownership = { ...ALONE, isOwn: (service: string) => !others.has(service) };
  const switches: { current: SwitchValues } = { current: DEFAULT_SWITCHES };
  const naming = new NamingService({
    ...{ host, registry, ownership, switches },
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
  const set = (name: string, healthChecker: HealthChecker, more: Partial<ClusterSettings> = {}) => {
    const cluster = { ...newCluster('DEFAULT'), healthChecker, ...more };
    const change = registry.setSettings(id(name), {
      ...NO_SERVICE_SETTINGS,
      clusters: new Map([['DEFAULT', cluster]]),
    });
    if (change !== undefined) naming.changes.publish(change);
  };
  return { host, checks, tried, isHealthy, set, switches, others, registry, naming };
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
  const probes = [...checks.prober.results()].reduce((sum, { count }) => sum + count, 0);
  assert.ok(probes > 3);
});

test('while a sidecar holds the lease it probes and the node does not; without one it is the other way round', async () => {
  const { host, checks, tried, isHealthy } = await start();
  assert.equal(checks.takeOfSidecar([verdict('own', '10.0.0.1', false)]), 0);
  await host.advance(100);
  const { targets } = checks.lease(QUESTION);
  assert.deepEqual(
    targets.put.map((target) => target.ip),
    ['10.0.0.1', '169.254.169.254'],
  );
  assert.equal(checks.isLeased, true);
  for (let seconds = 0; seconds < 30; seconds++) {
    await host.advance(1_000);
    checks.lease(QUESTION);
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

test('many targets are taken over from a sidecar a part at a time', async () => {
  const { host, checks, registry } = await start();
  const atOnce = PAGES_AT_ONCE_MAX * TARGETS_PER_PAGE_MAX;
  const count = 2 * atOnce + 1;
  for (let n = 0; n < count; n++) registry.putPersistent(id('own'), instance(`10.1.${n >> 8}.${n & 255}`));
  checks.lease(QUESTION);
  await host.advance(SIDECAR_LEASE_MS - 100);
  const taken: number[] = [];
  for (let turns = 0; taken.at(-1) !== count + 1 && turns < 100; turns++) {
    await host.advance(50);
    const { targetCount } = checks.prober;
    if (targetCount !== (taken.at(-1) ?? 0)) taken.push(targetCount);
  }
  assert.deepEqual(taken, [atOnce, 2 * atOnce, count + 1]);
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
  checks.lease(QUESTION);
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

test('what a cluster says of its checks holds at once, for the node and for its sidecar', async () => {
  const { host, checks, tried, isHealthy, set } = await start();
  const ports: number[] = [];
  host.network.accept = ({ port }) => {
    ports.push(port);
    return OPEN;
  };
  set('own', { type: 'TCP' }, { useInstancePort: false, checkPort: 99 });
  await host.advance(10_000);
  assert.deepEqual([...new Set(ports)], [99]);

  set('own', { type: 'HTTP', path: '/health', headers: '', expectedResponseCode: 200 });
  ports.length = 0;
  host.network.answer = () => httpAnswer('', 500);
  await host.advance(10_000);
  assert.deepEqual(ports, []);
  assert.equal(isHealthy('own'), false);
  assert.deepEqual([host.network.requests[0]?.port, host.network.requests[0]?.path], [80, '/health']);
  host.network.answer = () => httpAnswer('', 200);
  await host.advance(10_000);
  assert.equal(isHealthy('own'), true);

  set('own', { type: 'NONE' });
  const asked = host.network.requests.length;
  await host.advance(10_000);
  assert.equal(host.network.requests.length, asked);
  assert.deepEqual(tried, []);

  const known = checks.lease(QUESTION).targets;
  set('own', { type: 'MYSQL', user: 'u', pwd: 'p', cmd: 'select 1' }, { useInstancePort: false, checkPort: 99 });
  await host.advance(100);
  const { put, removed } = checks.lease({ ...QUESTION, targets: known }).targets;
  assert.deepEqual(
    put.map(({ port, check }) => ({ port, check })),
    [{ port: 80, check: { kind: 'MYSQL', user: 'u', password: 'p', command: 'select 1' } }],
  );
  assert.deepEqual(removed, []);
});

test('databases are left as they are, and said so once, unless the program may ask them (S9)', async () => {
  const { host, checks, tried, isHealthy, set } = await start();
  set('own', { type: 'MYSQL', user: 'u', pwd: 'secret', cmd: 'select 1' });
  await host.advance(60_000);
  assert.deepEqual([tried, isHealthy('own')], [[], true]);
  assert.equal(checks.prober.refused.get('MYSQL checks are off'), 1);
  const lines = host.log.lines.filter((line) => line.includes('MYSQL'));
  assert.deepEqual(lines, [
    'warn persistent instances are not probed and keep their health: MYSQL checks are off count=1',
  ]);
});

test('switched off, nothing is probed but what the white list names', async () => {
  const { host, tried, switches, checks } = await start();
  switches.current = { ...DEFAULT_SWITCHES, healthCheckEnabled: false };
  await host.advance(20_000);
  assert.deepEqual([tried, checks.targetCount], [[], 0]);
  switches.current = { ...DEFAULT_SWITCHES, healthCheckEnabled: false, healthCheckWhiteList: ['g@@own'] };
  await host.advance(20_000);
  assert.deepEqual([...new Set(tried)], ['10.0.0.1']);
  switches.current = DEFAULT_SWITCHES;
  await host.advance(1_100);
  assert.equal(checks.targetCount, 2);
});

test('other owners are other probers', async () => {
  const { host, checks, tried, others } = await start();
  await host.advance(10_000);
  others.clear();
  others.add(serviceKey(id('own')));
  tried.length = 0;
  checks.ownersChanged();
  await host.advance(10_000);
  assert.deepEqual([...new Set(tried)], ['10.0.0.3']);
});

test('instances that come and go are targets from then and until then', async () => {
  const { host, checks, registry, naming, isHealthy } = await start();
  await host.advance(1_000);
  const known = checks.lease(QUESTION).targets;
  const come = registry.putPersistent(id('new'), instance('10.0.0.9'));
  if (come !== undefined) naming.changes.publish(come);
  const gone = registry.removePersistent(serviceKey(id('own')), instanceKey(instance('10.0.0.1')), 0);
  if (gone !== undefined) naming.changes.publish(gone);
  await host.advance(100);
  const { put, removed, count } = checks.lease({ ...QUESTION, targets: known }).targets;
  assert.deepEqual(
    [put.map(({ ip }) => ip), removed, count],
    [['10.0.0.9'], ['public##g@@own##10.0.0.1:80:DEFAULT'], 2],
  );
  assert.equal(isHealthy('own'), undefined);
});

test('what the sidecar forbids, its node does not probe either, when it has to for itself', async () => {
  const { host, checks, tried } = await start();
  const { guard } = checks.lease({ ...QUESTION, forbidden: ['10.0.0.1'] });
  assert.deepEqual([...guard.forbidden], ['10.0.0.1']);
  await host.advance(SIDECAR_LEASE_MS + 20_000);
  assert.equal(checks.isLeased, false);
  assert.deepEqual(tried, []);
});

test('round trips are told by cluster, whoever probed', async () => {
  const { host, checks } = await start();
  const own = serviceKey(id('own'));
  assert.equal(checks.roundTrips(own, 'DEFAULT'), undefined);
  await host.advance(8_000);
  const { best, worst, normalized } = checks.roundTrips(own, 'DEFAULT') ?? {};
  assert.deepEqual([best, worst], [5_000, 5_000]);
  assert.ok((normalized ?? 0) > 1_000);
  const told = { service: own, cluster: 'DEFAULT', best: 1, worst: 9, normalized: 1_000 };
  checks.lease({ ...QUESTION, roundTrips: [told] });
  assert.deepEqual(checks.roundTrips(own, 'DEFAULT'), told);
});
