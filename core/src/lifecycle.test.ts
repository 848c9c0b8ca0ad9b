import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host, Log } from './host/host.ts';
import { Lifecycle } from './lifecycle.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, area: () => silent };

/** A host whose timers fire only when told to. */
function fakeHost(): { readonly host: Host; readonly fire: () => void } {
  const timers = new Set<() => void>();
  const clock = {
    after(_delayMs: number, run: () => void) {
      timers.add(run);
      return { cancel: () => timers.delete(run) };
    },
  };
  return {
    host: { log: silent, clock } as unknown as Host,
    fire() {
      for (const run of timers) run();
    },
  };
}

function recorded(name: string, seen: string[]) {
  return {
    name,
    start: () => void seen.push(`start ${name}`),
    drain: () => void seen.push(`drain ${name}`),
    stop: () => void seen.push(`stop ${name}`),
  };
}

test('parts start in order, drain in order and stop in reverse', async () => {
  const seen: string[] = [];
  const lifecycle = new Lifecycle(fakeHost().host);
  lifecycle.add(recorded('a', seen));
  lifecycle.add(recorded('b', seen));
  await lifecycle.start();
  assert.ok(lifecycle.isReady());
  await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  assert.deepEqual(seen, ['start a', 'start b', 'drain a', 'drain b', 'stop b', 'stop a']);
  assert.deepEqual(lifecycle.notReadyReasons(), ['the node is stopped']);
});

test('a part that fails to start has those before it stopped, and says who it was', async () => {
  const seen: string[] = [];
  const lifecycle = new Lifecycle(fakeHost().host);
  lifecycle.add(recorded('a', seen));
  lifecycle.add({
    name: 'b',
    start() {
      throw new Error('port 8848 is in use');
    },
    stop: () => void seen.push('stop b'),
  });
  lifecycle.add(recorded('c', seen));
  await assert.rejects(lifecycle.start(), /b did not start: port 8848 is in use/);
  assert.deepEqual(seen, ['start a', 'stop a']);
});

test('ready is what the parts say, and nothing once it drains', async () => {
  let reason: string | undefined = 'no snapshot yet';
  const lifecycle = new Lifecycle(fakeHost().host);
  lifecycle.add({ name: 'distro', notReadyReason: () => reason });
  assert.equal(lifecycle.isReady(), false);
  await lifecycle.start();
  assert.deepEqual(lifecycle.notReadyReasons(), ['distro: no snapshot yet']);
  reason = undefined;
  assert.ok(lifecycle.isReady());
  await lifecycle.drain();
  assert.deepEqual(lifecycle.notReadyReasons(), ['the node is draining']);
});

test('a part that hangs or fails at the end does not keep the others from ending', async () => {
  const { host, fire } = fakeHost();
  const seen: string[] = [];
  const lifecycle = new Lifecycle(host);
  lifecycle.add(recorded('a', seen));
  lifecycle.add({ name: 'hangs', drain: () => new Promise(() => {}) });
  lifecycle.add({
    name: 'fails',
    stop() {
      throw new Error('disk');
    },
  });
  await lifecycle.start();
  const stopped = lifecycle.stop();
  await new Promise((resolve) => setImmediate(resolve));
  fire();
  await stopped;
  assert.deepEqual(seen, ['start a', 'drain a', 'stop a']);
});
