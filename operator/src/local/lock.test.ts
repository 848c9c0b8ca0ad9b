import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { LockedError, type OwnProcess, releaseLock, takeLock } from './lock.ts';

const FILE = '/data/demo/up.lock';
const process = (pid: number, ...running: number[]): OwnProcess => ({ pid, isRunning: (one) => running.includes(one) });

test('a second one is refused while the first runs, and told what to do', async () => {
  const host = new FakeHost();
  await takeLock(host, FILE, process(10));
  await assert.rejects(takeLock(host, FILE, process(11, 10)), (error) => {
    return error instanceof LockedError && /process 10: .*--data/.test(error.message);
  });
});

test('a lock whose holder was killed is taken over', async () => {
  const host = new FakeHost();
  await takeLock(host, FILE, process(10));
  await takeLock(host, FILE, process(11));
  assert.equal(host.disk.files.get(FILE), '11\n');
});

test('a lock is released by its holder alone', async () => {
  const host = new FakeHost();
  await takeLock(host, FILE, process(11));
  await releaseLock(host, FILE, process(10));
  assert.ok(host.disk.files.has(FILE));
  await releaseLock(host, FILE, process(11));
  assert.ok(!host.disk.files.has(FILE));
});

test('a lock that was cut off while it was written counts as none', async () => {
  const host = new FakeHost();
  host.disk.put(FILE, '1');
  await takeLock(host, FILE, process(11, 1));
  assert.equal(host.disk.files.get(FILE), '11\n');
});
