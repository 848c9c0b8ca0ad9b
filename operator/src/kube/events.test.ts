import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeKube } from '../testing/fake-kube.ts';
import { aCluster } from '../testing/fixtures.ts';
import { KubeError } from './api.ts';
import { EventRecorder } from './events.ts';
import type { KubeObject } from './objects.ts';
import { EVENTS } from './resource-types.ts';

const JOINED = { type: 'Normal', reason: 'MemberJoined', action: 'Reconcile', note: 'demo-0 is ready' } as const;

function world() {
  const host = new FakeHost();
  const api = new FakeKube();
  const recorder = new EventRecorder(host, api, 'nacos-kube.dev/operator', 'operator-1');
  const all = () => api.readAll<KubeObject & { note: string; series?: { count: number } }>(EVENTS);
  return { host, api, recorder, all };
}

test('the same event told again becomes a series', async () => {
  const { host, recorder, all } = world();
  recorder.tell(aCluster(), JOINED);
  await host.advance(1_000);
  recorder.tell(aCluster(), JOINED);
  recorder.tell(aCluster(), { ...JOINED, note: 'demo-1 is ready' });
  await host.advance(1_000);
  assert.equal(all().length, 2);
  assert.equal(all()[0]?.series?.count, 2);
});

test('after ten minutes it is news again', async () => {
  const { host, recorder, all } = world();
  recorder.tell(aCluster(), JOINED);
  await host.advance(11 * 60_000);
  recorder.tell(aCluster(), JOINED);
  await host.advance(1_000);
  assert.equal(all().length, 2);
});

test('an API server that refuses events stops nothing', async () => {
  const { host, api, recorder } = world();
  api.failWith = () => new KubeError(403, 'Forbidden', 'no');
  recorder.tell(aCluster(), JOINED);
  await host.advance(1_000);
  assert.match(host.log.lines.join('\n'), /warn an event was not written/);
});
