import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Changes } from '@nacos-kube/core/changes.ts';
import type { CacheChange } from './cache.ts';
import { NamespaceCounts } from './namespace-counts.ts';

test('a namespace counts what came and did not go, however often it was changed in between', () => {
  const changes = new Changes<CacheChange>();
  const counts = new NamespaceCounts(changes);
  const config = (namespaceId: string) => ({ key: { dataId: 'd', group: 'g', namespaceId } }) as CacheChange['after'];
  const change = (before: CacheChange['before'], after: CacheChange['after']) =>
    changes.publish({ groupKey: '', before, after });
  change(undefined, config('a'));
  change(undefined, config(''));
  change(config('a'), config('a'));
  change(undefined, config('a'));
  assert.deepEqual([counts.of('a'), counts.of(''), counts.of('b')], [2, 1, 0]);
  change(config('a'), undefined);
  change(config('a'), undefined);
  assert.deepEqual([counts.of('a'), counts.of('')], [0, 1]);
});
