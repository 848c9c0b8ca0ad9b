import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriteCommand, WriteResult } from './sqlite-messages.ts';
import { packResults, packWrites, unpackResults, unpackWrites } from './sqlite-packed.ts';

const KEY = { dataId: 'd', group: 'g', namespaceId: 'n' };
const BY = { ip: '10.0.0.1', user: null };
const plain: WriteCommand = {
  op: 'put-config',
  nowMs: 0,
  write: {
    ...{ ...KEY, content: 'one', type: 'text', appName: undefined, tags: undefined },
    ...{ description: null, use: null, effect: null, schema: null, by: BY },
  },
};
const full: WriteCommand = {
  op: 'put-config',
  nowMs: 17,
  write: {
    ...{ ...KEY, content: '', type: 'yaml', appName: '', tags: ['a', 'b'], expectedMd5: '' },
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

test('of results the revision of a single change is enough, and the md5 of a config', () => {
  const results: readonly WriteResult[] = [
    { outcome: 'written', revision: 7, changes: 1, md5: 'm' },
    { outcome: 'conflict' },
    { outcome: 'written', revision: 8, changes: 1 },
    { outcome: 'written', revision: 9, changes: 2 },
    { outcome: 'absent' },
  ];
  const packed = packResults(results);
  assert.deepEqual(packed.slice(0, 2), [7, 'm']);
  assert.deepEqual(unpackResults(structuredClone(packed)), results);
});
