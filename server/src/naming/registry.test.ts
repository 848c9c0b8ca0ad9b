import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Instance, instanceKey, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { serviceKey } from '@nacos-kube/core/model/names.ts';
import type { Datum } from './datum.ts';
import { WAITING_VERDICT_MS } from './probe-verdicts.ts';
import { EPOCH_LEAP_MAX, Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';

const demo = { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' };
const demoKey = serviceKey(demo);
const OWNER = { iAmOwner: true, senderIsOwner: false };
const FROM_OWNER = { iAmOwner: false, senderIsOwner: true };
const BYSTANDER = { iAmOwner: false, senderIsOwner: false };

function instance(ip: string, more: Partial<Instance> = {}): Instance {
  return {
    ip,
    port: 8080,
    cluster: 'DEFAULT',
    weight: 1,
    healthy: true,
    enabled: true,
    ephemeral: true,
    metadata: NO_METADATA,
    instanceId: `${ip}#8080#DEFAULT#DEFAULT_GROUP@@demo`,
    app: 'DEFAULT',
    ...more,
  };
}
const a = instance('10.0.0.1');
const b = instance('10.0.0.2');
const keyA = instanceKey(a);

const ips = (registry: Registry) => (registry.view(demoKey)?.instances ?? []).map((one) => one.ip).sort();
const healthy = (registry: Registry) => registry.view(demoKey)?.instances.map((one) => one.healthy);
const only = (registry: Registry, key = keyA): Datum => registry.datumsOfInstance(demoKey, key)[0]!;
const stampOf = (owner: string, epoch: number) => ({ epoch, sequence: 1, owner });
function expireAll(registry: Registry, nowMs: number): RegistryChange[] {
  return registry
    .takeOverdue(nowMs)
    .map((overdue) => registry.judge(overdue, overdue.instance.healthy ? 'unhealthy' : 'expired', nowMs)!);
}

test('a registered instance is listed, a deregistered one is not', () => {
  const registry = new Registry('m1');
  const change = registry.register(demo, a, 0);
  assert.deepEqual(change, { service: demoKey, keys: [keyA], origin: 'here', visible: true });
  assert.deepEqual(ips(registry), ['10.0.0.1']);
  assert.equal(registry.instanceCount, 1);
  assert.ok(registry.deregister(demoKey, keyA, 1)?.visible);
  assert.equal(registry.view(demoKey), undefined);
  assert.equal(registry.instanceCount, 0);
  assert.equal(registry.deregister(demoKey, keyA, 2), undefined);
});

test('a view that a reader holds never changes', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  const held = registry.view(demoKey);
  registry.register(demo, b, 0);
  assert.equal(held?.instances.length, 1);
  assert.equal(registry.view(demoKey)?.instances.length, 2);
});

test('registering again with equal data changes nothing and tells nobody (F19)', () => {
  const registry = new Registry('m1');
  registry.register(demo, instance('10.0.0.1', { metadata: new Map([['zone', 'a']]) }), 0);
  assert.equal(registry.register(demo, instance('10.0.0.1', { metadata: new Map([['zone', 'a']]) }), 1), undefined);
  assert.ok(registry.register(demo, instance('10.0.0.1', { metadata: new Map([['zone', 'b']]) }), 2));
});

test('a beat heals an unhealthy instance, registering again does not', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  assert.equal(expireAll(registry, 15_000).length, 1);
  assert.deepEqual(healthy(registry), [false]);
  registry.register(demo, a, 16_000);
  assert.deepEqual(healthy(registry), [false]);
  assert.equal(typeof registry.beat(demoKey, keyA, 17_000), 'object');
  assert.deepEqual(healthy(registry), [true]);
  assert.equal(registry.beat(demoKey, keyA, 18_000), 'known');
  assert.equal(registry.beat(demoKey, 'no such', 18_000), 'unknown');
});

test('without beats an instance is unhealthy after 15 s and gone after 30 s', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  registry.beat(demoKey, keyA, 5_000);
  assert.equal(registry.takeOverdue(19_999).length, 0);
  assert.equal(expireAll(registry, 20_000).length, 1);
  assert.deepEqual(healthy(registry), [false]);
  assert.equal(registry.takeOverdue(34_999).length, 0);
  assert.equal(expireAll(registry, 35_000).length, 1);
  assert.deepEqual(ips(registry), []);
});

test('time-outs in the metadata count, also when a later registration shortens them', () => {
  const registry = new Registry('m1');
  const quick = new Map([
    ['preserved.heart.beat.timeout', '2000'],
    ['preserved.ip.delete.timeout', '3000'],
  ]);
  registry.register(demo, a, 0);
  registry.register(demo, instance('10.0.0.1', { metadata: quick }), 1_000);
  assert.equal(expireAll(registry, 3_000).length, 1);
  assert.equal(expireAll(registry, 4_000).length, 1);
  assert.deepEqual(ips(registry), []);
});

test('a change is stamped like a registration, says health as it is, and may be a sign of life', () => {
  const owner = new Registry('m1');
  const peer = new Registry('m2');
  owner.register(demo, a, 0);
  peer.merge(only(owner), FROM_OWNER, 0);
  const unwell = (one: Instance) => ({ ...one, weight: 5, healthy: false });
  assert.equal(typeof owner.change(demoKey, keyA, unwell, 1_000, false), 'object');
  assert.equal(owner.change(demoKey, keyA, unwell, 1_000, false), 'same');
  assert.equal(owner.change(demoKey, 'no such', unwell, 1_000, false), 'unknown');
  // What somebody asked for is no verdict of an owner, so it counts from any member.
  assert.equal(only(owner).kind, 'live');
  assert.equal(peer.merge(only(owner), { iAmOwner: true, senderIsOwner: false }, 1_000).outcome, 'applied');
  assert.deepEqual([healthy(peer), peer.view(demoKey)?.instances[0]?.weight], [[false], 5]);
  assert.equal(owner.takeOverdue(30_000).length, 1, 'its time-outs still count from the registration');
  owner.change(demoKey, keyA, (one) => one, 30_000, true);
  assert.equal(owner.aliveMs(demoKey, keyA), 30_000);
});

test('an older datum never replaces a newer one (F2)', () => {
  const owner = new Registry('m1');
  const peer = new Registry('m2');
  owner.register(demo, a, 0);
  const old = only(owner);
  owner.register(demo, instance('10.0.0.1', { weight: 5 }), 1);
  assert.equal(peer.merge(only(owner), FROM_OWNER, 1).outcome, 'applied');
  assert.equal(peer.merge(old, FROM_OWNER, 2).outcome, 'older');
  assert.equal(peer.merge(only(owner), FROM_OWNER, 3).outcome, 'known');
  assert.equal(peer.view(demoKey)?.instances[0]?.weight, 5);
  assert.equal(owner.digest(demoKey), peer.digest(demoKey));
});

test('a deregistration is not undone by an older registration that arrives after it', () => {
  const owner = new Registry('m1');
  const peer = new Registry('m2');
  owner.register(demo, a, 0);
  const live = only(owner);
  owner.deregister(demoKey, keyA, 1);
  peer.merge(only(owner), FROM_OWNER, 2);
  assert.equal(peer.merge(live, FROM_OWNER, 3).outcome, 'older');
  assert.deepEqual(ips(peer), []);
});

test('a member that takes over writes above everything it has seen', () => {
  const first = new Registry('m1');
  const second = new Registry('m2');
  first.register(demo, a, 0);
  second.merge(only(first), FROM_OWNER, 1);
  second.register(demo, instance('10.0.0.1', { weight: 2 }), 2);
  assert.deepEqual(only(second).stamp, { epoch: 2, sequence: 1, owner: 'm2' });
  assert.equal(first.merge(only(second), FROM_OWNER, 3).outcome, 'applied');
});

test('a verdict by one who does not own the service is refused, by the owner it is believed', () => {
  const judge = new Registry('m1');
  const bystander = new Registry('m3');
  judge.register(demo, a, 0);
  bystander.merge(only(judge), BYSTANDER, 0);
  expireAll(judge, 15_000);
  assert.equal(bystander.merge(only(judge), BYSTANDER, 15_000).outcome, 'refused');
  assert.deepEqual(healthy(bystander), [true]);
  assert.equal(bystander.merge(only(judge), FROM_OWNER, 15_000).outcome, 'applied');
  assert.deepEqual(healthy(bystander), [false]);
});

test('the owner answers the verdict of another with a newer stamp, so that all come back to its list', () => {
  const owner = new Registry('m1');
  const lost = new Registry('m2');
  owner.register(demo, a, 0);
  lost.merge(only(owner), FROM_OWNER, 0);
  expireAll(lost, 15_000);
  expireAll(lost, 30_000);
  const merged = owner.merge(only(lost), OWNER, 30_000);
  assert.equal(merged.outcome, 'restamped');
  assert.deepEqual(ips(owner), ['10.0.0.1']);
  assert.equal(lost.merge(only(owner), FROM_OWNER, 30_001).outcome, 'applied');
  assert.deepEqual(ips(lost), ['10.0.0.1']);
  assert.equal(owner.digest(demoKey), lost.digest(demoKey));
});

test('a member that heard a beat itself refuses even the verdict of the owner (P3)', () => {
  const owner = new Registry('m1');
  const heard = new Registry('m2');
  owner.register(demo, a, 0);
  heard.merge(only(owner), FROM_OWNER, 0);
  heard.beat(demoKey, keyA, 14_000);
  expireAll(owner, 15_000);
  assert.equal(heard.merge(only(owner), FROM_OWNER, 15_000).outcome, 'restamped');
  assert.deepEqual(healthy(heard), [true]);
  assert.equal(owner.merge(only(heard), BYSTANDER, 15_001).outcome, 'applied');
  assert.deepEqual(healthy(owner), [true]);
});

test('the second contested beat in a row is told to all, and then one in five seconds', () => {
  const registry = new Registry('m2');
  registry.merge({ service: demoKey, key: keyA, stamp: stampOf('m1', 1), kind: 'live', instance: a }, FROM_OWNER, 0);
  assert.equal(registry.beat(demoKey, keyA, 5_000, 'one of several'), 'known');
  const told = registry.beat(demoKey, keyA, 10_000, 'one of several');
  assert.deepEqual(told, { service: demoKey, keys: [keyA], origin: 'here', visible: false });
  assert.deepEqual(only(registry).stamp, { epoch: 2, sequence: 1, owner: 'm2' });
  assert.equal(registry.beat(demoKey, keyA, 14_999, 'one of several'), 'known');
  assert.equal(typeof registry.beat(demoKey, keyA, 15_000, 'one of several'), 'object');
  assert.equal(registry.beat(demoKey, keyA, 40_000, 'one of several'), 'known');
  assert.equal(registry.beat(demoKey, keyA, 45_000), 'known');
});

test('what the owner heals is healed by the second beat that goes to it, though word of that does not come', () => {
  const registry = new Registry('m2');
  registry.merge({ service: demoKey, key: keyA, stamp: stampOf('m1', 1), kind: 'live', instance: a }, FROM_OWNER, 0);
  const sick = { ...a, healthy: false };
  registry.merge(
    { service: demoKey, key: keyA, stamp: stampOf('m1', 2), kind: 'unhealthy', instance: sick },
    FROM_OWNER,
    0,
  );
  assert.deepEqual(healthy(registry), [false]);
  assert.equal(registry.passedOn(demoKey, keyA, 1_000), undefined);
  const healed = registry.passedOn(demoKey, keyA, 6_000);
  assert.deepEqual(healed, { service: demoKey, keys: [keyA], origin: 'here', visible: true });
  assert.deepEqual(healthy(registry), [true]);
  assert.equal(only(registry).kind, 'live');
  assert.equal(registry.passedOn(demoKey, keyA, 11_000), undefined);
});

test('a beat that no owner heard is told to all at once, each of them', () => {
  const registry = new Registry('m2');
  registry.merge({ service: demoKey, key: keyA, stamp: stampOf('m1', 1), kind: 'live', instance: a }, FROM_OWNER, 0);
  for (const [nowMs, sequence] of [
    [7_000, 1],
    [8_000, 2],
  ] as const) {
    const told = registry.beat(demoKey, keyA, nowMs, 'this member alone');
    assert.deepEqual(told, { service: demoKey, keys: [keyA], origin: 'here', visible: false });
    assert.deepEqual(only(registry).stamp, { epoch: 2, sequence, owner: 'm2' });
  }
});

test('new data of an unhealthy instance counts from any member, a contested verdict takes none of it away', () => {
  const owner = new Registry('m1');
  const other = new Registry('m2');
  owner.register(demo, a, 0);
  other.merge(only(owner), FROM_OWNER, 0);
  expireAll(owner, 15_000);
  other.merge(only(owner), FROM_OWNER, 15_000);
  // The owner cannot be reached, so another member takes the update.
  other.register(demo, instance('10.0.0.1', { weight: 5 }), 16_000);
  assert.equal(owner.merge(only(other), OWNER, 16_001).outcome, 'applied');
  assert.equal(owner.view(demoKey)?.instances[0]?.weight, 5);
});

test('the data that comes with a contested verdict is kept', () => {
  const owner = new Registry('m1');
  const heard = new Registry('m2');
  owner.register(demo, a, 0);
  heard.merge(only(owner), FROM_OWNER, 0);
  owner.register(demo, instance('10.0.0.1', { weight: 5 }), 1);
  expireAll(owner, 15_001);
  heard.beat(demoKey, keyA, 14_000);
  assert.equal(heard.merge(only(owner), FROM_OWNER, 15_002).outcome, 'restamped');
  assert.deepEqual([heard.view(demoKey)?.instances[0]?.weight, healthy(heard)], [5, [true]]);
});

test('whom a member buried in an earlier life is there again as soon as a peer says so, with however old a stamp', () => {
  const buried = new Registry('m1~1');
  const peer = new Registry('m2~1');
  buried.register(demo, a, 0);
  buried.register(demo, b, 0);
  peer.merge(only(buried), FROM_OWNER, 0);
  expireAll(buried, 15_000);
  expireAll(buried, 30_000);
  assert.deepEqual(ips(buried), []);
  const first = new Registry('m1~2');
  first.restore(buried.allDatums(), 39_000);
  const again = new Registry('m1~3');
  again.restore(first.allDatums(), 40_000);
  assert.deepEqual(ips(again), []);
  const other = new Registry('m3~1');
  other.restore(buried.allDatums(), 40_000);
  assert.equal(
    other.merge(only(peer), FROM_OWNER, 40_001).outcome,
    'older',
    'of the verdict of another it has no doubt',
  );
  assert.equal(again.merge(only(peer), FROM_OWNER, 40_001).outcome, 'applied');
  assert.deepEqual(ips(again), ['10.0.0.1']);
});

test('what a member writes after several lives is above what it buried in the first', () => {
  const buried = new Registry('m1~1');
  const stale = new Registry('m2~1');
  buried.register(demo, a, 0);
  buried.register(demo, instance('10.0.0.1', { weight: 2 }), 1);
  stale.merge(only(buried), FROM_OWNER, 1);
  expireAll(buried, 15_001);
  expireAll(buried, 30_001);
  let again = buried;
  for (const run of [2, 3, 4]) {
    const earlier = again;
    again = new Registry(`m1~${run}`);
    again.restore(earlier.allDatums(), 40_000);
  }
  again.register(demo, instance('10.0.0.1', { weight: 9 }), 40_002);
  for (const older of [buried, stale]) {
    assert.equal(again.merge(only(older), FROM_OWNER, 40_003).outcome, 'older');
    assert.equal(older.merge(only(again), BYSTANDER, 40_003).outcome, 'applied');
  }
});

test('whom a client took away in an earlier life stays away', () => {
  const registry = new Registry('m1');
  const peer = new Registry('m2');
  registry.register(demo, a, 0);
  peer.merge(only(registry), FROM_OWNER, 0);
  registry.deregister(demoKey, keyA, 1);
  const again = new Registry('m1');
  again.restore(registry.allDatums(), 2);
  assert.equal(again.merge(only(peer), FROM_OWNER, 3).outcome, 'older');
});

test('a stamp from a far future is refused, so that there is always a number above', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  const future = { epoch: Number.MAX_SAFE_INTEGER, sequence: 1, owner: 'm2' };
  const datum: Datum = { service: demoKey, key: keyA, stamp: future, kind: 'left' };
  assert.equal(registry.merge(datum, FROM_OWNER, 1).outcome, 'refused');
  assert.equal(registry.merge({ ...datum, service: 'public##g@@other' }, FROM_OWNER, 1).outcome, 'refused');
  assert.deepEqual([...registry.sharedServices()], [demoKey]);
  const doubted = { ...future, epoch: 0, sequence: Number.MAX_SAFE_INTEGER };
  assert.equal(registry.merge({ ...datum, stamp: doubted }, FROM_OWNER, 1).outcome, 'refused');
  const near = { ...future, epoch: 1 + EPOCH_LEAP_MAX };
  assert.equal(registry.merge({ ...datum, stamp: near }, FROM_OWNER, 1).outcome, 'applied');
});

test('a new owner grants what it inherits one full time-out (F3)', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  assert.equal(
    registry.grant(14_000, () => true),
    1,
  );
  assert.equal(registry.takeOverdue(28_999).length, 0);
  assert.equal(registry.takeOverdue(29_000).length, 1);
});

test('digests are equal whatever the order in which the members learned', () => {
  const maker = new Registry('m1');
  const datums: Datum[] = [];
  for (let n = 0; n < 50; n++) {
    const one = instance(`10.0.1.${n}`);
    maker.register(demo, one, 0);
    datums.push(only(maker, instanceKey(one)));
  }
  const peer = new Registry('m2');
  for (const datum of datums.toReversed()) peer.merge(datum, FROM_OWNER, 0);
  assert.equal(peer.digest(demoKey), maker.digest(demoKey));
  assert.notEqual(peer.digest(demoKey), new Registry('m3').digest(demoKey));
});

test('a persistent instance keeps the verdict of its checks apart from what is stored', () => {
  const registry = new Registry('m1');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  registry.putPersistent(demo, stored);
  assert.equal(registry.judgeProbe(demoKey, key, true), undefined);
  assert.ok(registry.judgeProbe(demoKey, key, false)?.visible);
  assert.deepEqual(healthy(registry), [false]);
  const peer = new Registry('m2');
  peer.putPersistent(demo, stored);
  peer.merge(only(registry, key), FROM_OWNER, 0);
  assert.deepEqual(healthy(peer), [false]);
  assert.equal(peer.digest(demoKey), registry.digest(demoKey));
  registry.removePersistent(demoKey, key, 0);
  assert.equal(registry.view(demoKey), undefined);
});

test('a verdict that comes before its instance waits for it, however often it is told', () => {
  const owner = new Registry('m1');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  owner.putPersistent(demo, stored);
  owner.judgeProbe(demoKey, key, false);
  const peer = new Registry('m2');
  for (let told = 0; told < 3; told++) peer.merge(only(owner, key), FROM_OWNER, told);
  peer.collect(WAITING_VERDICT_MS - 1);
  peer.putPersistent(demo, stored);
  assert.deepEqual(healthy(peer), [false]);
  assert.equal(peer.digest(demoKey), owner.digest(demoKey));
});

test('a verdict whose instance never comes is forgotten, and the service with it', () => {
  const owner = new Registry('m1');
  const stored = instance('10.0.0.9', { ephemeral: false });
  owner.putPersistent(demo, stored);
  owner.judgeProbe(demoKey, instanceKey(stored), false);
  const peer = new Registry('m2');
  peer.merge(only(owner, instanceKey(stored)), FROM_OWNER, 0);
  assert.deepEqual([...peer.allDatums()], []);
  peer.collect(WAITING_VERDICT_MS);
  assert.deepEqual([...peer.sharedServices()], []);
});

test('a peer that removes an instance later does not bring back the verdict on it', () => {
  const registry = new Registry('m1');
  const late = new Registry('m2');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  for (const one of [registry, late]) one.putPersistent(demo, stored);
  registry.judgeProbe(demoKey, key, false);
  late.merge(only(registry, key), FROM_OWNER, 0);
  registry.removePersistent(demoKey, key, 1);
  assert.equal(registry.merge(only(late, key), BYSTANDER, 2).outcome, 'known');
  registry.putPersistent(demo, stored);
  assert.deepEqual(healthy(registry), [true]);
});

test('a verdict on an earlier instance at the same place is put right by the owner', () => {
  const owner = new Registry('m1');
  const peer = new Registry('m2');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  for (const one of [owner, peer]) one.putPersistent(demo, stored);
  owner.judgeProbe(demoKey, key, false);
  peer.merge(only(owner, key), FROM_OWNER, 0);
  // The peer hears of the removal and of the new registration as of one change: it never saw the place empty.
  owner.removePersistent(demoKey, key, 1);
  owner.putPersistent(demo, stored);
  assert.deepEqual(healthy(peer), [false]);
  assert.equal(owner.merge(only(peer, key), OWNER, 2).outcome, 'restamped');
  assert.equal(peer.merge(only(owner, key), FROM_OWNER, 3).outcome, 'applied');
  assert.deepEqual(healthy(peer), [true]);
  assert.equal(peer.digest(demoKey), owner.digest(demoKey));
});

test('a verdict on an earlier instance is put right by whoever saw that one go, if the owner did not', () => {
  const owner = new Registry('m1');
  const peer = new Registry('m2');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  for (const one of [owner, peer]) one.putPersistent(demo, stored);
  owner.judgeProbe(demoKey, key, false);
  peer.merge(only(owner, key), FROM_OWNER, 0);
  peer.removePersistent(demoKey, key, 1);
  peer.putPersistent(demo, stored);
  assert.equal(peer.merge(only(owner, key), FROM_OWNER, 2).outcome, 'restamped');
  assert.equal(owner.merge(only(peer, key), OWNER, 3).outcome, 'applied');
  assert.deepEqual([healthy(owner), healthy(peer)], [[true], [true]]);
  assert.equal(peer.digest(demoKey), owner.digest(demoKey));
});

test('what an owner finds after a restart counts, though its stamps begin anew below those of the past', () => {
  const peer = new Registry('m2');
  const stored = instance('10.0.0.9', { ephemeral: false });
  const key = instanceKey(stored);
  peer.putPersistent(demo, stored);
  for (const healthy of [false, true, false]) peer.judgeProbe(demoKey, key, healthy);
  peer.removePersistent(demoKey, key, 1);
  peer.putPersistent(demo, stored);
  // No datum of the service is left that could have told it of the stamps.
  const owner = new Registry('m1 anew');
  owner.putPersistent(demo, stored);
  owner.judgeProbe(demoKey, key, false);
  const merged = peer.merge(only(owner, key), FROM_OWNER, 2);
  assert.deepEqual([merged.outcome, 'change' in merged && merged.change.visible], ['restamped', true]);
  assert.equal(owner.merge(only(peer, key), OWNER, 3).outcome, 'applied');
  assert.deepEqual([healthy(owner), healthy(peer)], [[false], [false]]);
  assert.equal(peer.digest(demoKey), owner.digest(demoKey));
});

test('a verdict does not bring back what its client took away: the other side gives it up', () => {
  const here = new Registry('m1');
  const there = new Registry('m2');
  here.register(demo, a, 0);
  there.merge(only(here), FROM_OWNER, 0);
  // Cut off from each other: the client goes here, and is found silent there, by who writes more meanwhile.
  here.deregister(demoKey, keyA, 1_000);
  there.register(demo, b, 1_000);
  const [unhealthy] = expireAll(there, 15_000).filter(({ keys }) => keys.includes(keyA));
  assert.ok(unhealthy);
  const answer = here.merge(only(there), FROM_OWNER, 20_000);
  assert.equal(answer.outcome, 'restamped');
  assert.deepEqual(ips(here), []);
  assert.equal(there.merge(only(here), BYSTANDER, 20_000).outcome, 'applied');
  assert.deepEqual(ips(there), ['10.0.0.2']);
  // Of one that registered anew over there the list is told as ever.
  there.register(demo, a, 21_000);
  assert.equal(here.merge(only(there), FROM_OWNER, 21_000).outcome, 'applied');
  assert.deepEqual(ips(here), ['10.0.0.1']);
});

test('tombstones are forgotten after a day, and the service with them', () => {
  const registry = new Registry('m1');
  registry.register(demo, a, 0);
  registry.deregister(demoKey, keyA, 1_000);
  assert.equal(registry.collect(86_400_999), 0);
  assert.equal(registry.collect(86_401_000), 1);
  assert.deepEqual([...registry.allDatums()], []);
});
