import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REFERENCE_DIRECTORY, referencePages } from './generate-reference.ts';

test('the pages of docs/reference say what the code says', async () => {
  for (const [name, text] of await referencePages()) {
    const is = readFileSync(join(REFERENCE_DIRECTORY, name), 'utf8');
    assert.equal(is, text, `docs/reference/${name} is out of date: run node scripts/generate-reference.ts`);
  }
});
