import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriteCommand, WriteResult } from './sqlite-messages.ts';
import { packResults, packWrites, unpackResult, unpackWrites } from './sqlite-packed.ts';

const KEY = { dataId: 'd', group: 'g', namespaceId: 'n' };
const BY = { ip: '10.0.0.1', user: null };
const plain: WriteCommand = {
  op: 'put-config',
  nowMs: 0,
  write: {
    ...{ ...KEY, content: 'one', md5: 'm1', type: 'text', appName: undefined, tags: undefined },
    ...{ description: null, use: null, effect: null, schema: null, by: BY },
  },
};
const full: WriteCommand = {
  op: 'put-config',
  nowMs: 17,
  write: {
    ...{ ...KEY, content: '', md5: 'm2', type: 'yaml', appName: '', tags: ['a', 'b'], expectedMd5: '' },
    ...{ description: 'd', use: 'u', effect: 'e', schema: 's', by: { ip: '::1', user: 'who' } },
  },
};

test('what is packed for the way between threads is whole behind it, in its order', () => {
  const commands: readonly WriteCommand[] = [
    plain,
    { op: 'remove-record', kind: 'switch', key: 'k' },
    full,
    { op: 'remove-config', key: KEY, by: BY, nowMs: 3 },
    plain,
  ];
  assert.deepEqual(unpackWrites(structuredClone(packWrites(commands))), commands);
  assert.deepEqual(unpackWrites(packWrites([])), []);
});

test('of results the revision of a single change is enough', () => {
  const results: readonly WriteResult[] = [
    { outcome: 'written', revision: 7, changes: 1 },
    { outcome: 'conflict' },
    { outcome: 'written', revision: 9, changes: 2 },
    { outcome: 'absent' },
  ];
  const packed = packResults(results);
  assert.equal(packed[0], 7);
  assert.deepEqual(structuredClone(packed).map(unpackResult), results);
});
