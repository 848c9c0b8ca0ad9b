import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { ensureToken } from './token.ts';

test('a token is made once, for its owner alone, and stays', async () => {
  const host = new FakeHost();
  const token = await ensureToken(host, '/run/token');
  assert.match(token, /^[\w-]{43}$/);
  assert.equal(host.disk.modes.get('/run/token'), 0o600);
  assert.equal(await ensureToken(host, '/run/token'), token);
});

test('what a crash left of a token is replaced', async () => {
  const host = new FakeHost();
  host.disk.put('/run/token', 'abc');
  assert.match(await ensureToken(host, '/run/token'), /^[\w-]{43}$/);
});

test('a token that cannot be read is an error, not a reason to make another', async () => {
  const host = new FakeHost();
  host.disk.fault = 'denied';
  await assert.rejects(ensureToken(host, '/run/token'), /denied/);
});
