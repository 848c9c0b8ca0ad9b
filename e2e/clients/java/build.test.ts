import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingForJava } from './build.ts';

test('on a machine without Java it is said which Debian packages are missing', () => {
  const missing = missingForJava(() => undefined);
  assert.ok(missing.includes('java (Debian: apt-get install openjdk-17-jre-headless)'));
});

test('nothing is missing where every tool is found', () => {
  assert.deepEqual(
    missingForJava((program) => `/usr/bin/${program}`),
    [],
  );
});
