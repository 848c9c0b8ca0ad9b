import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CRD_PATH, generateTypes, TYPES_PATH } from '../../scripts/generate-types.ts';

test('the types are those of the CRD; else run scripts/generate-types.ts', () => {
  assert.equal(readFileSync(TYPES_PATH, 'utf8'), generateTypes(readFileSync(CRD_PATH, 'utf8')));
});
