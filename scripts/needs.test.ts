import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs, programPath } from './needs.ts';

test('a program that is there is found, and needed without a reason to skip', async () => {
  assert.match((await programPath('sh')) ?? '', /\/sh$/);
  assert.equal(await needs('sh', 'dash'), false);
});

test('a program that is missing is a reason to skip, and a failure in CI', async () => {
  const before = process.env['CI'];
  try {
    delete process.env['CI'];
    assert.equal(
      await needs('no-such-program', 'no-such'),
      'no-such-program is not installed (Debian: apt-get install no-such)',
    );
    process.env['CI'] = 'true';
    await assert.rejects(needs('no-such-program', 'no-such'), /no-such-program is not installed/);
  } finally {
    if (before === undefined) delete process.env['CI'];
    else process.env['CI'] = before;
  }
});
