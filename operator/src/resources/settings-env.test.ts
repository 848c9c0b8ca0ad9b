import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsAsEnv, sidecarSettings } from './settings-env.ts';

test('the order of the manifest changes nothing', () => {
  const expected = [
    { name: 'NACOS_A', value: 'x' },
    { name: 'NACOS_B', value: '2' },
  ];
  assert.deepEqual(settingsAsEnv({ NACOS_B: '2', NACOS_A: 'x' }), expected);
  assert.deepEqual(settingsAsEnv({ NACOS_A: 'x', NACOS_B: '2' }), expected);
});

test('a value that looks like a reference to another variable arrives as it is', () => {
  assert.deepEqual(settingsAsEnv({ NACOS_A: '$(HOME)$x' }), [{ name: 'NACOS_A', value: '$$(HOME)$x' }]);
});

test('sidecars check databases where nodes do, and have no other setting of theirs', () => {
  const settings = { NACOS_KUBE_LOG_LEVEL: 'debug', NACOS_KUBE_MYSQL_CHECKS: 'on' };
  assert.deepEqual(sidecarSettings(settings), { NACOS_KUBE_MYSQL_CHECKS: 'on' });
  assert.deepEqual(sidecarSettings({}), {});
});
