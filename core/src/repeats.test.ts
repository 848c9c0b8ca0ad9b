import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Repeats } from './repeats.ts';

const MAX = 100;

/** Keys in turn, each made when it is not found; how many were found. */
function turns(repeats: Repeats<number>, keys: number, questions: number): number {
  let found = 0;
  for (let n = 0; n < questions; n++) {
    const key = `${n % keys}`;
    const value = repeats.get(key);
    if (value === undefined) repeats.set(key, n % keys);
    else found++;
    assert.ok(value === undefined || value === n % keys);
    assert.ok(repeats.size <= 2 * MAX);
  }
  return found;
}

test('keys that fit are found whenever they come again', () => {
  assert.equal(turns(new Repeats<number>(MAX), MAX, 100_000), 100_000 - MAX);
});

test('of keys that nearly fit most are found', () => {
  assert.ok(turns(new Repeats<number>(MAX), MAX * 1.25, 100_000) > 70_000);
});

test('where more keys take turns than fit nothing is kept, nearly all the time', () => {
  const repeats = new Repeats<number>(MAX);
  let empty = 0;
  for (let round = 0; round < 1_000; round++) {
    turns(repeats, 1_000, 1_000);
    if (repeats.size === 0) empty++;
  }
  assert.ok(empty > 900, `${empty}`);
});

test('it notices when keys come again after all', () => {
  const repeats = new Repeats<number>(MAX);
  turns(repeats, 1_000, 10_000);
  turns(repeats, 50, 10_000);
  assert.equal(turns(repeats, 50, 1_000), 1_000);
});
