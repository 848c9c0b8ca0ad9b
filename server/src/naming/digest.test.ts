import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Digest } from './digest.ts';

const OF_A_MEMBER = { epoch: 1, sequence: 1, owner: '10.0.0.9:8848~1a2b3c4d' };

test('members of every version come to the same digests', () => {
  const digest = new Digest();
  const texts = [
    () => digest.add('10.0.0.1:80:DEFAULT', OF_A_MEMBER),
    () => digest.add('', { epoch: 2 ** 40 + 3, sequence: 2 ** 52 + 1, owner: '' }),
    () => digest.add('probed fe80::1:80:größe', { epoch: 12, sequence: 0, owner: 'β' }),
  ].map((add) => {
    add();
    return digest.text;
  });
  assert.deepEqual(texts, ['10ixnjn.x780ox', 'jr5lm2.m3qn38', '1mz3p9x.3sg5z2']);
});

test('what was added and removed leaves nothing, in whatever order', () => {
  const digest = new Digest();
  digest.add('a', OF_A_MEMBER);
  digest.add('b', OF_A_MEMBER);
  digest.remove('a', OF_A_MEMBER);
  digest.remove('b', OF_A_MEMBER);
  assert.equal(digest.text, Digest.EMPTY);
  assert.ok(digest.isEmpty);
});
