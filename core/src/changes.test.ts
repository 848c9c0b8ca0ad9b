import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Changes } from './changes.ts';

test('every reader hears of every change, in order, until it ends', () => {
  const changes = new Changes<number>();
  const heard: string[] = [];
  const end = changes.subscribe((change) => heard.push(`a${change}`));
  changes.subscribe((change) => heard.push(`b${change}`));
  changes.publish(1);
  end();
  changes.publish(2);
  assert.deepEqual(heard, ['a1', 'b1', 'b2']);
});

test('a reader that fails keeps no other from hearing, and its fault is not hidden', () => {
  const changes = new Changes<number>();
  const heard: number[] = [];
  changes.subscribe(() => {
    throw new RangeError('broken');
  });
  changes.subscribe((change) => heard.push(change));
  assert.throws(() => changes.publish(1), RangeError);
  changes.subscribe(() => {
    throw new TypeError('broken too');
  });
  assert.throws(() => changes.publish(2), AggregateError);
  assert.deepEqual(heard, [1, 2]);
});
