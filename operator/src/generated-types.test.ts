import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CHART_CRD_PATH } from '../../scripts/copy-crds.ts';
import { CRD_PATH, generateTypes, TYPES_PATH } from '../../scripts/generate-types.ts';

test('the types are those of the CRD; else run scripts/generate-types.ts', () => {
  assert.equal(readFileSync(TYPES_PATH, 'utf8'), generateTypes(readFileSync(CRD_PATH, 'utf8')));
});

test("the chart's CRD is the CRD; else run scripts/copy-crds.ts", () => {
  assert.equal(readFileSync(CHART_CRD_PATH, 'utf8'), readFileSync(CRD_PATH, 'utf8'));
});
