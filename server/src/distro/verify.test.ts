import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@nacos-kube/core/http/route.ts';
import { type Instance, NO_METADATA } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey } from '@nacos-kube/core/model/names.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { Datum } from '../naming/datum.ts';
import { Registry } from '../naming/registry.ts';
import type { NamingService } from '../naming/service.ts';
import { decodeDatum, encodeDatum } from './codec.ts';
import type { Distro } from './distro.ts';
import { DELTA_PATH, DIGEST_PATH, EXCHANGE_PATH } from './paths.ts';
import type { Peers } from './peers.ts';
import { distroRoutes } from './routes.ts';
import { DIGESTS_PER_MESSAGE_MAX, differingServices, ownedDigests, Verify } from './verify.ts';

const instance = (n: number): Instance => ({
  ip: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
  port: 80,
  cluster: 'DEFAULT',
  weight: 1,
  healthy: true,
  enabled: true,
  ephemeral: true,
  metadata: NO_METADATA,
  instanceId: '',
  app: '',
});
const serviceOf = (n: number) => `public##g@@s${n}`;
const register = (registry: Registry, service: string, n = 1) =>
  registry.register(parseServiceKey(service)!, instance(n), 0);

/** Takes what it is told as from the owner; `merge` as a node does it. */
function mergeInto(registry: Registry) {
  return (datums: readonly Datum[], from: string): Datum[] =>
    datums.flatMap((datum) => {
      const roles = { iAmOwner: from === 'm2', senderIsOwner: from === 'm1' };
      const { outcome } = registry.merge(datum, roles, 0);
      return outcome === 'older' ? registry.datumsOfInstance(datum.service, datum.key) : [];
    });
}

/** m1, which owns everything but what `ownedBy2` names, and m2; they talk without a wire, and calls are noted. */
function start(ownedBy2: readonly string[] = []) {
  const host = new FakeHost();
  const [mine, theirs] = [new Registry('m1'), new Registry('m2')];
  const calls: { readonly path: string; readonly message: Record<string, unknown> }[] = [];
  const ownerOf = (service: string) => (ownedBy2.includes(service) ? 'm2' : 'm1');
  const base = { ownerOf, ownerFor: (_peer: string, service: string) => ownerOf(service) };
  const merge = mergeInto(theirs);
  const distro = { merge, isStarting: false, badMessages: 0, isLate: () => false } as unknown as Distro;
  const routes = distroRoutes(distro, { registry: theirs } as NamingService, { ...base, self: 'm2' } as Peers);
  let answerAfterMs = 0;
  const peers = {
    ...base,
    self: 'm1',
    healthy: () => ['m2'],
    async call(_peer: string, path: string, message: Record<string, unknown>) {
      calls.push({ path, message });
      if (answerAfterMs > 0) await host.clock.sleep(answerAfterMs);
      const body = new TextEncoder().encode(JSON.stringify(message));
      const request = { body, headers: { 'x-nacos-kube-member': 'm1' } };
      const { handler } = routes.find((route) => route.path === path)!;
      return JSON.parse(String((await handler({ request } as unknown as Call)).body));
    },
  } as unknown as Peers;
  const verify = new Verify({
    host,
    registry: mine,
    peers,
    merge: mergeInto(mine),
    async tell(peer, datums) {
      const answer = await peers.call(peer, DELTA_PATH, { datums: [...datums].map(encodeDatum) }, 0);
      mergeInto(mine)((answer as { newer: unknown[] }).newer.map(decodeDatum), peer);
    },
  });
  const round = async () => {
    calls.length = 0;
    verify.round();
    await host.advance(1);
  };
  const paths = () => calls.map((call) => call.path);
  const setDelay = (ms: number) => {
    answerAfterMs = ms;
  };
  return { host, mine, theirs, calls, verify, round, paths, setDelay };
}
const digestsOf = (registry: Registry) => [...registry.digests()].sort();

test('equal members say one digest and no more', async () => {
  const { mine, theirs, round, paths, verify } = start();
  await round();
  assert.deepEqual(paths(), [DIGEST_PATH]);
  register(mine, serviceOf(1));
  for (const datum of mine.allDatums()) theirs.merge(datum, { iAmOwner: false, senderIsOwner: true }, 0);
  await round();
  assert.deepEqual(paths(), [DIGEST_PATH]);
  assert.equal(verify.differing, 0);
});

test('what either side lacks is handed to it, and what one buried stays buried (F1)', async () => {
  const { mine, theirs, round, paths, verify } = start();
  for (let n = 0; n < 20; n++) {
    register(mine, serviceOf(n), 1);
    if (n % 2 === 0) register(theirs, serviceOf(n), 2);
  }
  register(theirs, serviceOf(99), 3);
  const [gone] = [...mine.datums(serviceOf(3))];
  theirs.merge(gone!, { iAmOwner: false, senderIsOwner: true }, 0);
  mine.deregister(serviceOf(3), gone!.key, 0);
  await round();
  assert.deepEqual(digestsOf(mine), digestsOf(theirs));
  assert.equal(mine.instanceCount, 19 + 10 + 1);
  assert.equal(mine.view(serviceOf(3)), undefined);
  assert.deepEqual([...new Set(paths())], [DIGEST_PATH, DELTA_PATH, EXCHANGE_PATH]);
  assert.equal(verify.differing, 21);
  await round();
  assert.deepEqual(paths(), [DIGEST_PATH]);
});

test('what the peer owns is left to the peer', async () => {
  const { mine, theirs, round, paths } = start([serviceOf(1)]);
  register(mine, serviceOf(1));
  await round();
  assert.deepEqual(paths(), [DIGEST_PATH]);
  assert.equal(theirs.instanceCount, 0);
});

test('more services than fit in a message are compared range by range, also those that only the peer has', async () => {
  const { mine, theirs, calls, round } = start();
  const many = DIGESTS_PER_MESSAGE_MAX + 10;
  for (let n = 0; n < many; n++) {
    register(mine, serviceOf(n), 1);
    for (const datum of mine.datums(serviceOf(n))) theirs.merge(datum, { iAmOwner: false, senderIsOwner: true }, 0);
  }
  for (const service of ['a##g@@first', 'public##g@@s1-between', 'z##g@@last']) register(theirs, service);
  await round();
  const ranges = calls.filter((call) => call.message['digests'] !== undefined);
  assert.equal(ranges.length, 2);
  assert.equal(ranges[0]?.message['upTo'], ranges[1]?.message['after']);
  assert.equal(mine.serviceCount, many + 3);
  assert.equal(calls.filter((call) => call.path === EXCHANGE_PATH).length, 1);
});

test('a service larger than a page is exchanged whole', async () => {
  const { mine, theirs, calls, round } = start();
  for (let n = 0; n < 4_500; n++) register(theirs, serviceOf(1), n);
  register(mine, serviceOf(1), 100_000);
  await round();
  assert.equal(mine.instanceCount, 4_501);
  assert.deepEqual(digestsOf(mine), digestsOf(theirs));
  assert.equal(calls.filter((call) => call.path === EXCHANGE_PATH).length, 3);
});

test('a peer that is busy with a round gets no second one', async () => {
  const { host, mine, round, calls, setDelay, verify } = start();
  register(mine, serviceOf(1));
  setDelay(10_000);
  await round();
  verify.round();
  await host.advance(1);
  assert.equal(calls.length, 1);
  await host.advance(60_000);
  await round();
  assert.equal(calls.length, 1);
});

test('the ranges of a comparison are closed at their end and open at their start', () => {
  const services = ['a', 'b', 'c', 'd'].map((name) => [`x##g@@${name}`, '1.1'] as const);
  const range = (after: string, upTo: string | null) =>
    differingServices({ total: '', services }, [], { after, upTo }).map((service) => service.at(-1));
  assert.deepEqual(range('', null), ['a', 'b', 'c', 'd']);
  assert.deepEqual(range('x##g@@a', 'x##g@@c'), ['b', 'c']);
  assert.deepEqual(range('x##g@@c', null), ['d']);
  const known = differingServices({ total: '', services }, [services[1]!, ['x##g@@e', '9.9']], {
    after: '',
    upTo: null,
  });
  assert.deepEqual(
    known.map((service) => service.at(-1)),
    ['a', 'c', 'd', 'e'],
  );
});

test('a service counts that only one of the two takes for the owner’s', () => {
  const registry = new Registry('m1');
  for (const n of [1, 2, 3]) register(registry, serviceOf(n));
  const peers = {
    ownerOf: (service: string) => (service === serviceOf(1) ? 'm1' : 'm3'),
    ownerFor: (_peer: string, service: string) => (service === serviceOf(2) ? 'm1' : 'm2'),
  } as Peers;
  const { services } = ownedDigests(registry, peers, { owner: 'm1', peer: 'm2' });
  assert.deepEqual(
    services.map(([service]) => service),
    [serviceOf(1), serviceOf(2)],
  );
});

test('who was compared is told until it goes', async () => {
  const { mine, theirs, round, verify } = start();
  assert.equal(verify.comparedCount, 0);
  register(mine, serviceOf(1));
  await round();
  assert.deepEqual(digestsOf(mine), digestsOf(theirs));
  assert.equal(verify.comparedCount, 1);
  verify.setPeers(['m2']);
  assert.equal(verify.comparedCount, 1);
  verify.setPeers([]);
  assert.equal(verify.comparedCount, 0);
});
