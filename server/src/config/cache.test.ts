import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { type CacheChange, ConfigCache } from './cache.ts';
import { REMOVED_KEYS_MAX } from './touches.ts';

test('a config is served with its facts, and its change is told in the same turn', () => {
  const cache = new ConfigCache();
  const told: CacheChange[] = [];
  cache.changes.subscribe((change) => told.push(change));
  const first = put(cache, 'd', 'one');
  const second = put(cache, 'd', 'two');
  cache.remove('d+g');
  cache.remove('d+g');
  assert.deepEqual(told, [
    { groupKey: 'd+g', before: undefined, after: first },
    { groupKey: 'd+g', before: first, after: second },
    { groupKey: 'd+g', before: second, after: undefined },
  ]);
  assert.equal(cache.md5('d+g', NOBODY), '');
  assert.equal(cache.size, 0);
  assert.equal(cache.contentBytes, 0);
});

test('contents are kept within the bound, those read least recently go first, facts stay', () => {
  const cache = new ConfigCache(10);
  const a = put(cache, 'a', '1234');
  const b = put(cache, 'b', '1234');
  assert.equal(read(cache.content(a)), '1234');
  const c = put(cache, 'c', '1234');
  assert.equal(cache.content(b), undefined);
  assert.equal(read(cache.content(a)), '1234');
  assert.equal(read(cache.content(c)), '1234');
  assert.equal(cache.contentBytes, 8);
  assert.equal(cache.get('b+g'), b);
  cache.keepContent(b, new TextEncoder().encode('1234'));
  assert.equal(read(cache.content(b)), '1234');
  const big = put(cache, 'big', 'x'.repeat(11));
  assert.equal(cache.content(big), undefined);
  assert.equal(cache.contentBytes, 8, 'what is too large for memory costs nothing else its place');
});

test('a content never comes with the facts of another version', () => {
  const cache = new ConfigCache();
  const before = put(cache, 'd', 'one');
  const after = put(cache, 'd', 'two');
  assert.equal(cache.content(before), undefined);
  cache.keepContent(before, new TextEncoder().encode('one'));
  assert.equal(read(cache.content(after)), 'two');
});

test('what was touched since a moment is known, of removed keys too', () => {
  const cache = new ConfigCache();
  const start = cache.moment();
  put(cache, 'd', 'one');
  assert.equal(cache.touchedSince('d+g', start), true);
  assert.equal(cache.touchedSince('other+g', start), false);
  const later = cache.moment();
  assert.equal(cache.touchedSince('d+g', later), false);
  cache.remove('d+g');
  assert.equal(cache.touchedSince('d+g', later), true);
  assert.equal(cache.touchedSince('d+g', cache.moment()), false);
});

test('removals beyond the bound are remembered as a doubt, never forgotten', () => {
  const cache = new ConfigCache();
  const start = cache.moment();
  cache.remove('first+g');
  for (let i = 0; i < REMOVED_KEYS_MAX; i += 1) cache.remove(`d${i}+g`);
  assert.equal(cache.touchedSince('first+g', start), true);
  assert.equal(cache.touchedSince('first+g', cache.moment()), false);
});

const NOBODY = { clientIp: '', tag: undefined };

function put(cache: ConfigCache, dataId: string, content: string) {
  const key = { dataId, group: 'g', namespaceId: '' };
  const row = { key, md5: contentMd5(content), type: 'text', modifiedMs: 1, revision: 1 } as const;
  return cache.put(row, new TextEncoder().encode(content));
}

function read(content: Uint8Array | undefined): string {
  return new TextDecoder().decode(content);
}
