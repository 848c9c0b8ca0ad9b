import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

function nacosKube(...args: readonly string[]) {
  const env = { PATH: process.env['PATH'] };
  const options = { encoding: 'utf8', env } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'nacos-kube.ts'), ...args],
    options,
  );
  return { status, stdout, stderr };
}

test('help lists every command', () => {
  const { status, stdout } = nacosKube('--help');
  assert.equal(status, 0);
  for (const command of ['up', 'server', 'sidecar', 'operator', 'drain', 'version']) {
    assert.match(stdout, new RegExp(`^  ${command} +\\w`, 'm'));
  }
});

test('an unknown command is refused with those that there are', () => {
  const { status, stderr } = nacosKube('serve');
  assert.equal(status, 2);
  assert.match(stderr, /no command "serve": use one of up, server, /);
  assert.equal(stderr.trim().split('\n').length, 1);
});

test('an unknown flag is refused by the command', () => {
  const { status, stderr } = nacosKube('sidecar', '--nope');
  assert.equal(status, 2);
  assert.match(stderr, /--nope/);
});

test('wrong settings are told together, without a stack', () => {
  const { status, stderr } = nacosKube('server', '--port', '0', '--mode', 'duo');
  assert.equal(status, 1);
  assert.match(stderr, /^nacos-kube server: 2 settings are wrong:/);
  assert.doesNotMatch(stderr, /^ +at /m);
});

test('a start that fails says why, in one line of words', () => {
  const args = ['drain', '--sidecar-token-file', '/nowhere/token'];
  const plain = nacosKube(...args);
  assert.equal(plain.status, 1);
  assert.match(plain.stderr, /there is no token in it/);
  assert.doesNotMatch(plain.stderr, /^ +at /m);
});

test('version tells our own and the protocol', () => {
  const { status, stdout } = nacosKube('version');
  assert.equal(status, 0);
  assert.match(stdout, /^nacos-kube \d+\.\d+\.\d+, speaks Nacos 1\.4\.\d+, runs on Node \d+/);
});
