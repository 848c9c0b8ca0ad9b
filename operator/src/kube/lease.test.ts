import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeKube } from '../testing/fake-kube.ts';
import { KubeError } from './api.ts';
import { LeaseElection, microTime } from './lease.ts';
import type { Lease } from './objects.ts';
import { LEASES } from './resource-types.ts';

function world() {
  const host = new FakeHost();
  const api = new FakeKube();
  const told: string[] = [];
  const election = (identity: string, itsApi = api) =>
    new LeaseElection(host, itsApi, {
      kubeNamespace: 'system',
      name: 'operator',
      identity,
      leaseMs: 15_000,
      renewDeadlineMs: 10_000,
      retryMs: 2_000,
      onElected: () => void told.push(`${identity} elected`),
      onLost: () => void told.push(`${identity} lost`),
    });
  const lease = () => api.read<Lease>(LEASES, 'system/operator');
  return { host, api, told, election, lease };
}

test('the first takes the lease and keeps it, the second waits', async () => {
  const { host, told, election, lease } = world();
  const [a, b] = [election('a'), election('b')];
  a.start();
  b.start();
  await host.advance(120_000);
  assert.deepEqual(told, ['a elected']);
  assert.equal(lease()?.spec?.holderIdentity, 'a');
  assert.match(lease()?.spec?.renewTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  await b.stop();
  await a.stop();
});

test('a lease that is given back is taken at the next try', async () => {
  const { host, told, election, lease } = world();
  const [a, b] = [election('a'), election('b')];
  a.start();
  b.start();
  await host.advance(10_000);
  await a.stop();
  await host.advance(3_000);
  assert.deepEqual(told, ['a elected', 'b elected']);
  assert.equal(lease()?.spec?.leaseTransitions, 1);
  await b.stop();
});

test('a short outage costs nobody the lease', async () => {
  const { host, api, told, election } = world();
  const a = election('a');
  const b = election('b');
  a.start();
  b.start();
  await host.advance(10_000);
  api.failWith = (call) => (call.startsWith('update') ? new KubeError(0, 'Unreachable', 'cut') : undefined);
  await host.advance(6_000);
  api.failWith = undefined;
  await host.advance(3_000);
  assert.deepEqual(told, ['a elected'], 'a was back in time');
  await a.stop();
  await b.stop();
});

test('a holder that is cut off stands down before another may take over', async () => {
  const host = new FakeHost();
  const api = new FakeKube();
  const times = new Map<string, number>();
  let isCut = false;
  const cutApi: FakeKube = Object.create(api);
  for (const verb of ['get', 'update', 'create'] as const) {
    (cutApi as never as Record<string, unknown>)[verb] = async (...args: never[]) => {
      if (isCut) throw new KubeError(0, 'Unreachable', 'cut');
      return (api[verb] as (...all: never[]) => unknown)(...args);
    };
  }
  const options = {
    kubeNamespace: 'system',
    name: 'operator',
    leaseMs: 15_000,
    renewDeadlineMs: 10_000,
    retryMs: 2_000,
  };
  const at = (what: string) => () => void times.set(what, host.clock.monotonic());
  const a = new LeaseElection(host, cutApi, { ...options, identity: 'a', onElected: at('a+'), onLost: at('a-') });
  const b = new LeaseElection(host, api, { ...options, identity: 'b', onElected: at('b+'), onLost: at('b-') });
  a.start();
  await host.advance(1_000);
  b.start();
  await host.advance(20_000);
  isCut = true;
  await host.advance(60_000);
  assert.ok(times.has('a-') && times.has('b+'));
  assert.ok((times.get('a-') as number) < (times.get('b+') as number), 'never two at a time');
  assert.equal(a.isHolder, false);
  assert.equal(b.isHolder, true);
  await a.stop();
  await b.stop();
});

test('a call that hangs does not cost the lease', async () => {
  const { host, api, told, election } = world();
  const a = election('a');
  a.start();
  await host.advance(3_000);
  const get = api.get;
  api.get = () => new Promise(() => {});
  await host.advance(2_500);
  api.get = get;
  await host.advance(60_000);
  assert.deepEqual(told, ['a elected']);
  await a.stop();
});

test('times that could let two hold it are refused', () => {
  const host = new FakeHost();
  const options = { kubeNamespace: 'n', name: 'l', identity: 'a', onElected: () => {}, onLost: () => {} };
  assert.throws(
    () =>
      new LeaseElection(host, new FakeKube(), { ...options, leaseMs: 10_000, renewDeadlineMs: 10_000, retryMs: 2_000 }),
    /retry < renew deadline < duration/,
  );
});

test('a time of a lease has six digits', () => {
  assert.equal(microTime(1_769_853_600_123), '2026-01-31T10:00:00.123000Z');
});
