import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsAsEnv } from './settings-env.ts';

test('property names become environment names, in an order that no map order changes', () => {
  const expected = [
    { name: 'NACOS_B', value: '2' },
    { name: 'NACOS_CORE_SOME_THING', value: 'x' },
  ];
  assert.deepEqual(settingsAsEnv({ 'nacos.core.some-thing': 'x', NACOS_B: '2' }), expected);
  assert.deepEqual(settingsAsEnv({ NACOS_B: '2', 'nacos.core.some-thing': 'x' }), expected);
});

test('of two keys for one variable the environment name wins', () => {
  assert.deepEqual(settingsAsEnv({ 'nacos.a': 'dotted', NACOS_A: 'plain' }), [{ name: 'NACOS_A', value: 'plain' }]);
  assert.deepEqual(settingsAsEnv({ NACOS_A: 'plain', 'nacos.a': 'dotted' }), [{ name: 'NACOS_A', value: 'plain' }]);
});

test('a value that looks like a reference to another variable arrives as it is', () => {
  assert.deepEqual(settingsAsEnv({ NACOS_A: '$(HOME)$x' }), [{ name: 'NACOS_A', value: '$$(HOME)$x' }]);
});
