import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Datum } from '../naming/datum.ts';
import { INTRODUCED_MAX, Introductions } from './introduce.ts';

const SERVICE = 'public##DEFAULT_GROUP@@demo';
const place = (key: string) => ({ service: SERVICE, key });

/** Instances of this member by key, with the sequence of their stamps, and an owner who answers when a test says so. */
function start(known: readonly string[]) {
  const sequences = new Map(known.map((key) => [key, 1]));
  const told: { keys: string[]; answer: () => void; fail: () => void }[] = [];
  const introductions = new Introductions({
    datumsOf({ service, key }) {
      const sequence = sequences.get(key);
      if (sequence === undefined) return [];
      return [{ service, key, kind: 'live', stamp: { epoch: 1, sequence, owner: 'm1' } } as unknown as Datum];
    },
    tell(_peer, datums) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const fail = () => reject(new Error('no answer'));
      told.push({ keys: datums.map(({ key }) => key), answer: resolve, fail });
      return promise;
    },
  });
  return { introductions, sequences, told };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

test('those that come while the owner is being told go together', async () => {
  const { introductions, told } = start(['a', 'b', 'c']);
  const first = introductions.introduce('m2', place('a'));
  await turns();
  const others = [introductions.introduce('m2', place('b')), introductions.introduce('m2', place('c'))];
  await turns();
  assert.deepEqual(
    told.map(({ keys }) => keys),
    [['a']],
  );
  told[0]?.answer();
  assert.equal(await first, true);
  await turns();
  assert.deepEqual(told[1]?.keys, ['b', 'c']);
  told[1]?.answer();
  assert.deepEqual(await Promise.all(others), [true, true]);
  assert.equal(introductions.count, 3);
});

test('owners are told each for itself', async () => {
  const { introductions, told } = start(['a']);
  void introductions.introduce('m2', place('a'));
  void introductions.introduce('m3', place('a'));
  await turns();
  assert.equal(told.length, 2);
});

test('what was stamped anew by the answer is told once more', async () => {
  const { introductions, sequences, told } = start(['a', 'b']);
  const introduced = [introductions.introduce('m2', place('a')), introductions.introduce('m2', place('b'))];
  await turns();
  sequences.set('b', 2);
  told[0]?.answer();
  await turns();
  assert.deepEqual(told[1]?.keys, ['b']);
  sequences.set('b', 3);
  told[1]?.answer();
  assert.deepEqual(await Promise.all(introduced), [true, true]);
  assert.equal(told.length, 2);
});

test('nobody is told of an instance that is not here', async () => {
  const { introductions, told } = start([]);
  assert.equal(await introductions.introduce('m2', place('a')), false);
  assert.equal(told.length, 0);
});

test('an owner that does not answer was not told, and is asked again by the next one', async () => {
  const { introductions, told } = start(['a']);
  const first = introductions.introduce('m2', place('a'));
  await turns();
  told[0]?.fail();
  assert.equal(await first, false);
  const second = introductions.introduce('m2', place('a'));
  await turns();
  told[1]?.answer();
  assert.equal(await second, true);
});

test('what waits for one owner is bounded', async () => {
  const { introductions, told } = start(['a']);
  void introductions.introduce('m2', place('a'));
  await turns();
  for (let n = 0; n < INTRODUCED_MAX; n++) void introductions.introduce('m2', place('a'));
  assert.equal(await introductions.introduce('m2', place('a')), false);
  told[0]?.answer();
  await turns();
  assert.equal(told[1]?.keys.length, INTRODUCED_MAX);
});
