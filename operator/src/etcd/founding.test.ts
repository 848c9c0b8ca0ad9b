import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foundedClusterId } from './founding.ts';

// Etcd 3.4.23 began so.
test('the cluster that members found is known before they do', () => {
  const urls = ['http://127.0.0.1:45399', 'http://127.0.0.1:1', 'http://127.0.0.1:2'];
  assert.equal(foundedClusterId(urls, 'tok'), '13825559392391697416');
  assert.equal(foundedClusterId(urls.toReversed(), 'tok'), '13825559392391697416');
  assert.notEqual(foundedClusterId(urls, 'another'), '13825559392391697416');
  assert.notEqual(foundedClusterId(urls.slice(0, 1), 'tok'), '13825559392391697416');
});
