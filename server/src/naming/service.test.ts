import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { NO_SWITCHES } from '@nacos-kube/core/model/switches.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';
import { ALONE, type Operation, type OperationResult, type Ownership } from './operation.ts';
import { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { NamingService } from './service.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const demoKey = serviceKey(demo);
const SNOWFLAKE = new Map([['preserved.instance.id.generator', 'Snowflake']]);
const instance = (ip: string, more: Partial<Instance> = {}): Instance => ({
  ip,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: NO_METADATA,
  instanceId: `${ip}#80`,
  app: '',
  ...more,
});
const A = instance('10.0.0.1');
const placeOf = ({ ip, port, cluster }: Instance) => ({ ip, port, cluster });
const lightBeat = { service: demo, ...placeOf(A) };
const fullBeat = { ...lightBeat, instance: A };
const DONE: OperationResult = { outcome: 'done', beatIntervalMs: 5_000 };

async function start(ownership: Partial<Ownership> = {}, instancesMax?: number) {
  const host = new FakeHost();
  const store = createMemoryStore(host, createMemoryDatabase());
  await store.start();
  const registry = new Registry('m1');
  const naming = new NamingService({
    ...{ host, store, registry, switches: NO_SWITCHES, ownership: { ...ALONE, ...ownership } },
    ...(instancesMax === undefined ? {} : { instancesMax }),
  });
  const changes: RegistryChange[] = [];
  naming.changes.subscribe((change) => changes.push(change));
  naming.start();
  const ips = () => (registry.view(demoKey)?.instances ?? []).map((one) => `${one.ip} ${one.ephemeral}`).sort();
  return { host, store, registry, naming, changes, ips };
}

/** A member that owns nothing; the owner answers what the test says. */
async function startElsewhere(answer: (operation: Operation) => OperationResult | 'unreachable') {
  const forwarded: Operation[] = [];
  const started = await start({
    isOwn: () => false,
    judges: () => false,
    forward: async (_service, operation) => {
      forwarded.push(operation);
      return answer(operation);
    },
  });
  return { ...started, forwarded };
}

test('the owner carries out what it is asked', async () => {
  const { naming, changes, ips } = await start();
  await naming.register(demo, A);
  assert.deepEqual(ips(), ['10.0.0.1 true']);
  assert.deepEqual(naming.beat(lightBeat), DONE);
  await naming.deregister({ service: demo, ...placeOf(A), ephemeral: true });
  assert.deepEqual(ips(), []);
  assert.deepEqual(naming.beat(lightBeat), { outcome: 'unknown' });
  assert.deepEqual(
    changes.map((change) => change.origin),
    ['here', 'here'],
  );
});

test('what another owns goes to it, and nothing changes here until it says so', async () => {
  const { naming, forwarded, changes, ips } = await startElsewhere(() => ({ outcome: 'done', beatIntervalMs: 1_234 }));
  await naming.register(demo, A);
  assert.deepEqual(await naming.beat(fullBeat), { outcome: 'done', beatIntervalMs: 1_234 });
  await naming.deregister({ service: demo, ...placeOf(A), ephemeral: true });
  assert.deepEqual(
    forwarded.map((operation) => operation.kind),
    ['register', 'beat', 'deregister'],
  );
  assert.deepEqual([ips(), changes], [[], []]);
});

test('what an owner that does not answer is asked is carried out here', async () => {
  const { naming, ips } = await startElsewhere(() => 'unreachable');
  assert.deepEqual(await naming.beat(lightBeat), { outcome: 'unknown' });
  await naming.register(demo, A);
  assert.deepEqual(ips(), ['10.0.0.1 true']);
  assert.deepEqual(await naming.beat(lightBeat), DONE);
  await naming.deregister({ service: demo, ...placeOf(A), ephemeral: true });
  assert.deepEqual(ips(), []);
});

test('beats in the place of the owner are told to all, those that reached it are not', async () => {
  let isReachable = true;
  const { host, naming, changes } = await startElsewhere(() => (isReachable ? DONE : 'unreachable'));
  naming.apply({ kind: 'register', service: demo, instance: A });
  changes.length = 0;
  for (let seconds = 0; seconds < 30; seconds += 5) {
    await host.advance(5_000);
    await naming.beat(lightBeat);
  }
  assert.equal(changes.length, 0);
  isReachable = false;
  for (let beats = 0; beats < 4; beats++) {
    await host.advance(5_000);
    await naming.beat(lightBeat);
  }
  assert.deepEqual(
    changes.map(({ origin, visible }) => [origin, visible]),
    Array.from({ length: 4 }, () => ['here', false]),
  );
});

test('persistent instances go to the store whoever owns the service, and need no beats', async () => {
  const { naming, store, host, forwarded, ips } = await startElsewhere(() => 'unreachable');
  await naming.register(demo, instance('10.0.0.2', { ephemeral: false }));
  assert.equal((await store.scanRecords('instance', 10)).items.length, 1);
  await host.advance(120_000);
  assert.deepEqual(ips(), ['10.0.0.2 false']);
  await naming.deregister({ service: demo, ip: '10.0.0.2', port: 80, cluster: 'DEFAULT', ephemeral: true });
  assert.deepEqual(ips(), ['10.0.0.2 false']);
  await naming.deregister({ service: demo, ip: '10.0.0.2', port: 80, cluster: 'DEFAULT', ephemeral: false });
  assert.deepEqual(ips(), []);
  assert.deepEqual(
    forwarded.map((operation) => operation.kind),
    ['deregister'],
  );
});

test('a full beat of a persistent instance registers none beside it, whatever kind it says', async () => {
  const { naming, store, ips } = await start();
  await naming.register(demo, instance('10.0.0.1', { ephemeral: false }));
  for (const beat of [lightBeat, fullBeat, { ...lightBeat, instance: instance('10.0.0.1', { ephemeral: false }) }]) {
    assert.deepEqual(await naming.beat(beat), DONE);
  }
  assert.deepEqual(ips(), ['10.0.0.1 false']);
  const unknown = { ...lightBeat, ip: '10.0.0.2', instance: instance('10.0.0.2', { ephemeral: false }) };
  assert.deepEqual(await naming.beat(unknown), DONE);
  assert.deepEqual(ips(), ['10.0.0.1 false', '10.0.0.2 false']);
  assert.equal((await store.scanRecords('instance', 10)).items.length, 2);
});

test('a beat reaches the ephemeral one of two instances at one address', async () => {
  const { naming, forwarded } = await startElsewhere(() => DONE);
  await naming.register(demo, instance('10.0.0.1', { ephemeral: false }));
  await naming.beat(lightBeat);
  assert.deepEqual(
    forwarded.map((operation) => operation.kind),
    ['beat'],
  );
});

test('the interval that the metadata asks for is what beats are answered', async () => {
  const { naming } = await start();
  const metadata = new Map([['preserved.heart.beat.interval', '700']]);
  assert.deepEqual(naming.beat({ ...lightBeat, instance: { ...A, metadata } }), {
    outcome: 'done',
    beatIntervalMs: 700,
  });
  assert.deepEqual(naming.beat(lightBeat), { outcome: 'done', beatIntervalMs: 700 });
});

test('snowflake ids are the smallest free numbers of their kind, and stay', async () => {
  const { naming, registry } = await start();
  const ids = () =>
    Object.fromEntries(
      (registry.view(demoKey)?.instances ?? []).map((one) => [`${one.ip} ${one.ephemeral}`, one.instanceId]),
    );
  for (const n of [1, 2, 3]) await naming.register(demo, instance(`10.0.0.${n}`, { metadata: SNOWFLAKE }));
  await naming.register(demo, instance('10.0.0.9', { metadata: SNOWFLAKE, ephemeral: false }));
  await naming.deregister({ service: demo, ip: '10.0.0.1', port: 80, cluster: 'DEFAULT', ephemeral: true });
  await naming.register(demo, instance('10.0.0.2', { metadata: SNOWFLAKE, weight: 7 }));
  await naming.beat({ ...lightBeat, ip: '10.0.0.4', instance: instance('10.0.0.4', { metadata: SNOWFLAKE }) });
  assert.deepEqual(ids(), { '10.0.0.2 true': '1', '10.0.0.3 true': '2', '10.0.0.4 true': '0', '10.0.0.9 false': '0' });
});

test('a full registry refuses registrations, and beats ask for one', async () => {
  const { naming, ips } = await start({}, 1);
  await naming.register(demo, A);
  assert.throws(() => naming.register(demo, instance('10.0.0.2')), { status: 503 });
  assert.deepEqual(naming.beat({ ...fullBeat, ip: '10.0.0.2', instance: instance('10.0.0.2') }), {
    outcome: 'unknown',
  });
  assert.deepEqual(naming.beat(fullBeat), DONE);
  assert.deepEqual(ips(), ['10.0.0.1 true']);
});

test('an update by a client that says so needs the instance to be there', async () => {
  const { naming, registry } = await start();
  const update = (mustExist: boolean, weight: number) =>
    naming.update({ service: demo, instance: { ...A, weight }, mustExist });
  await assert.rejects(update(true, 2), { status: 400, message: /^service not found, namespace: public/ });
  await naming.register(demo, instance('10.0.0.2'));
  await assert.rejects(update(true, 0.5), {
    message: 'instance not exist: 10.0.0.1:80:unknown:DEFAULT_0.5_true_false_DEFAULT',
  });
  await update(false, 2);
  await update(true, 3);
  assert.equal(registry.find(demoKey, instanceKey(A), true)?.weight, 3);
});

test('verdicts of checks count where this member owns the service', async () => {
  const mine = await start();
  await mine.naming.register(demo, { ...A, ephemeral: false });
  assert.equal(mine.naming.judgeProbe(demoKey, instanceKey(A), false), true);
  assert.equal(mine.registry.view(demoKey)?.instances[0]?.healthy, false);
  const theirs = await startElsewhere(() => DONE);
  await theirs.naming.register(demo, { ...A, ephemeral: false });
  assert.equal(theirs.naming.judgeProbe(demoKey, instanceKey(A), false), false);
  assert.equal(theirs.registry.view(demoKey)?.instances[0]?.healthy, true);
  assert.deepEqual([theirs.naming.isOwn(demoKey), mine.naming.isOwn(demoKey)], [false, true]);
});

test('who is silent is judged while it runs, and nobody after the stop', async () => {
  const { host, naming, ips, changes } = await start();
  await naming.register(demo, A);
  await host.advance(16_000);
  assert.deepEqual(changes.at(-1), { service: demoKey, keys: [instanceKey(A)], origin: 'here', visible: true });
  naming.stop();
  await host.advance(60_000);
  assert.deepEqual(ips(), ['10.0.0.1 true']);
});

test('a node that was asleep before it first looked for the silent judges nobody (F7)', async () => {
  const { host, naming, registry } = await start();
  await naming.register(demo, A);
  const awakeMs = host.clock.monotonic.bind(host.clock);
  host.clock.monotonic = () => awakeMs() + 20_000;
  await host.advance(2_000);
  assert.equal(registry.find(demoKey, instanceKey(A), true)?.healthy, true);
});

test('a beat that the owner took is a sign of life to the member that passed it on, for less than a time-out', async () => {
  const { host, naming, registry } = await startElsewhere(() => DONE);
  const roles = { iAmOwner: false, senderIsOwner: true };
  const merge = (epoch: number, kind: 'live' | 'expired') => {
    const stamp = { epoch, sequence: 1, owner: 'm2' };
    const key = instanceKey(A);
    return registry.merge(
      kind === 'live' ? { service: demoKey, key, stamp, kind, instance: A } : { service: demoKey, key, stamp, kind },
      roles,
      host.clock.monotonic(),
    ).outcome;
  };
  assert.equal(merge(1, 'live'), 'applied');
  await host.advance(20_000);
  await naming.beat(lightBeat);
  // Links were cut, and the one that is the owner again had heard nothing of it.
  await host.advance(9_000);
  assert.equal(merge(2, 'expired'), 'restamped');
  await host.advance(2_000);
  assert.equal(merge(5, 'expired'), 'applied');
});
