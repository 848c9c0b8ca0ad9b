import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import { EXPIRY_PERIOD_MS, Expiry, FREEZE_MS, LATE_MS, MASS_HOLD_MS, MASS_MIN } from './expiry.ts';
import { Registry } from './registry.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const demoKey = serviceKey(demo);
const at = (n: number) => ({ ip: `10.0.${n >> 8}.${n & 255}`, port: 80, cluster: 'DEFAULT' });

function registryWith(count: number): Registry {
  const registry = new Registry('m1');
  for (let n = 0; n < count; n++) {
    const instance = {
      ...at(n),
      weight: 1,
      healthy: true,
      enabled: true,
      ephemeral: true,
      instanceId: `${n}`,
      app: '',
    };
    registry.register(demo, { ...instance, metadata: NO_METADATA }, 0);
  }
  return registry;
}

/** Ticks each second from `fromMs` to `toMs`; `beats` are kept alive. */
function run(expiry: Expiry, registry: Registry, fromMs: number, toMs: number, beats: readonly number[] = []): number {
  let changes = 0;
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += EXPIRY_PERIOD_MS) {
    for (const n of beats) registry.beat(demoKey, instanceKey(at(n)), nowMs);
    changes += expiry.tick(nowMs).length;
  }
  return changes;
}

test('an instance without beats is unhealthy, then gone; one that beats stays', () => {
  const registry = registryWith(2);
  const expiry = new Expiry(registry, () => true);
  run(expiry, registry, 0, 16_000, [1]);
  assert.deepEqual(
    registry.view(demoKey)?.instances.map((one) => one.healthy),
    [false, true],
  );
  run(expiry, registry, 17_000, 31_000, [1]);
  assert.equal(registry.instanceCount, 1);
});

test('a service that turns out to be inherited when it is asked for is granted a time-out, not judged (F3)', () => {
  const registry = registryWith(1);
  let isNew = true;
  const expiry = new Expiry(registry, () => {
    if (isNew) registry.grant(20_000, () => true);
    isNew = false;
    return true;
  });
  expiry.tick(19_000);
  assert.equal(expiry.tick(20_000).length, 0);
  assert.equal(run(expiry, registry, 21_000, 34_000), 0);
  assert.equal(run(expiry, registry, 35_000, 36_000), 1);
});

test('only the owner judges, and whoever inherits a service starts a full time-out anew', () => {
  const registry = registryWith(1);
  let isOwn = false;
  const expiry = new Expiry(registry, () => isOwn);
  assert.equal(run(expiry, registry, 0, 60_000), 0);
  isOwn = true;
  registry.grant(60_500, () => true);
  assert.equal(run(expiry, registry, 61_000, 75_000), 0);
  assert.equal(run(expiry, registry, 76_000, 76_000), 1);
});

test('a process that was asleep judges nobody for a full time-out (F7)', () => {
  const registry = registryWith(3);
  const expiry = new Expiry(registry, () => true);
  run(expiry, registry, 0, 5_000, [0, 1, 2]);
  const wakesMs = 5_000 + 120_000;
  assert.ok(wakesMs - 5_000 > LATE_MS);
  assert.equal(expiry.tick(wakesMs).length, 0);
  assert.ok(expiry.isFrozen(wakesMs));
  assert.equal(run(expiry, registry, wakesMs + 1_000, wakesMs + FREEZE_MS + 60_000, [0, 1, 2]), 0);
  assert.equal(registry.view(demoKey)?.instances.filter((one) => one.healthy).length, 3);
});

test('many that fall silent at once are held back for a minute at most (F7)', () => {
  const registry = registryWith(100);
  const expiry = new Expiry(registry, () => true);
  const alive = Array.from({ length: 100 - MASS_MIN }, (_, n) => n + MASS_MIN);
  assert.equal(run(expiry, registry, 0, 15_000 + MASS_HOLD_MS - 1_000, alive), 0);
  assert.equal(expiry.heldCount, MASS_MIN);
  assert.equal(run(expiry, registry, 15_000 + MASS_HOLD_MS, 15_000 + MASS_HOLD_MS + 2_000, alive), 2 * MASS_MIN);
  assert.equal(registry.instanceCount, 80);
  assert.equal(expiry.heldCount, 0);
});

test('those who beat again while they are held back were never unhealthy', () => {
  const registry = registryWith(40);
  const expiry = new Expiry(registry, () => true);
  const all = Array.from({ length: 40 }, (_, n) => n);
  assert.equal(run(expiry, registry, 0, 40_000), 0);
  assert.equal(expiry.heldCount, 40);
  assert.equal(run(expiry, registry, 41_000, 200_000, all), 0);
  assert.equal(expiry.heldCount, 0);
});

test('fewer than twenty, or a small share, expire in time', () => {
  const few = registryWith(MASS_MIN - 1);
  assert.equal(run(new Expiry(few, () => true), few, 0, 15_000), MASS_MIN - 1);
  const many = registryWith(1_000);
  const alive = Array.from({ length: 850 }, (_, n) => n + 150);
  assert.equal(run(new Expiry(many, () => true), many, 0, 15_000, alive), 150);
});

test('those whose beats were due one after another are still many at once', () => {
  const registry = registryWith(100);
  const expiry = new Expiry(registry, () => true);
  const all = Array.from({ length: 100 }, (_, n) => n);
  // A fifth of them beats in each second, until half the network fails.
  for (let nowMs = 0; nowMs < 20_000; nowMs += 1_000)
    run(
      expiry,
      registry,
      nowMs,
      nowMs,
      all.filter((n) => n % 5 === (nowMs / 1_000) % 5),
    );
  let judged = 0;
  for (let nowMs = 20_000; nowMs < 45_000; nowMs += 1_000) {
    judged += run(
      expiry,
      registry,
      nowMs,
      nowMs,
      all.filter((n) => n % 5 === (nowMs / 1_000) % 5 && n < 50),
    );
  }
  assert.ok(judged <= 15, `${judged} of a hundred`);
  assert.ok(expiry.heldCount >= 35);
});

test('a second wave is held back like the first, though some always expire', () => {
  const registry = registryWith(400);
  const expiry = new Expiry(registry, () => true);
  const from = (first: number) => Array.from({ length: 400 - first }, (_, n) => n + first);
  const isQuiet = (fromMs: number, toMs: number, alive: readonly number[]) => {
    let changes = 0;
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1_000) {
      // One dies in each second, so that no tick is without something overdue.
      registry.register(demo, { ...registry.view(demoKey)!.instances[0]!, ip: `10.9.0.${nowMs}` }, nowMs);
      changes += run(expiry, registry, nowMs, nowMs, alive);
    }
    return changes;
  };
  isQuiet(0, 40_000, from(100));
  assert.ok(expiry.heldCount >= 100);
  isQuiet(41_000, 200_000, from(0));
  assert.ok(expiry.heldCount < MASS_MIN);
  isQuiet(201_000, 230_000, from(100));
  assert.ok(expiry.heldCount >= 100, `${expiry.heldCount} held`);
});
