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
  for (const command of ['up', 'server', 'sidecar', 'operator', 'drain', 'store', 'version']) {
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

test('the commands of up say where nothing runs, and fail', () => {
  for (const args of [['status'], ['status', '--json'], ['scale', '3'], ['restart', 'demo-0']]) {
    const { status, stdout, stderr } = nacosKube('up', ...args, '--data', '/nowhere');
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      'nacos-kube up: no cluster runs in /nowhere: start one with nacos-kube up -f FILE --data /nowhere\n',
    );
  }
});

test('the commands of up are refused what they do not know', () => {
  for (const args of [['scale'], ['scale', '3', '5'], ['status', '--port', '1'], ['restart', '--timeout']]) {
    const { status, stderr } = nacosKube('up', ...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, /^error: /);
  }
  const { status, stderr } = nacosKube('up', 'scale', 'many', '--data', '/nowhere');
  assert.deepEqual([status, stderr], [1, 'nacos-kube up: replicas must be a whole number, not "many"\n']);
});

test('version tells our own and the protocol', () => {
  const { status, stdout } = nacosKube('version');
  assert.equal(status, 0);
  assert.match(stdout, /^nacos-kube \d+\.\d+\.\d+, speaks Nacos 1\.4\.\d+, runs on Node \d+/);
});
