import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recent } from './recent.ts';

test('what is asked for stays, what nobody asks for goes, and there are never more than twice the bound', () => {
  const recent = new Recent<number>(10);
  recent.set('asked', -1);
  recent.set('left', -2);
  for (let n = 0; n < 100; n++) {
    recent.set(`${n}`, n);
    assert.equal(recent.get('asked'), -1);
    assert.equal(recent.get(`${n}`), n);
    assert.ok(recent.size <= 20);
  }
  assert.equal(recent.get('left'), undefined);
  assert.equal(recent.get('50'), undefined);
});
