import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ids, isOurs } from './ids.ts';
import { Keys, nameOf, readBackward, readName, readSortable, readVariantName, variantNameOf } from './keys.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const key = fc.record({ dataId: text, group: text, namespaceId: text }, { noNullPrototype: true });

test('names are told from each other and read back, whatever they hold', () => {
  fc.assert(
    fc.property(key, key, text, (one, other, tag) => {
      assert.deepEqual(readName(nameOf(one)), one);
      const variant = { kind: 'tag' as const, tag };
      assert.deepEqual(readVariantName(variantNameOf(one, variant)), { ...one, variant });
      const isSame = JSON.stringify(readName(nameOf(one))) === JSON.stringify(readName(nameOf(other)));
      assert.equal(nameOf(one) === nameOf(other), isSame);
    }),
  );
  assert.equal(nameOf({ namespaceId: '', group: 'a/b', dataId: '100%2F' }), '/a%2Fb/100%252F');
  assert.equal(readVariantName('nonsense'), undefined);
});

test('all that is of one configuration stands in its range, and nothing of another', () => {
  const keys = new Keys('/p/');
  fc.assert(
    fc.property(key, key, (one, other) => {
      const { key: start, range_end: end } = keys.historyOf(nameOf(one));
      const at = keys.history(nameOf(other), '7');
      const isWithin = Buffer.compare(start, at) <= 0 && Buffer.compare(at, end) < 0;
      assert.equal(isWithin, nameOf(one) === nameOf(other));
    }),
  );
});

test('numbers stand in their order, and past writes in the order against it', () => {
  const keys = new Keys('');
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, other) => {
      const order = Math.sign(one - other);
      assert.equal(Buffer.compare(keys.nid(`${one}`), keys.nid(`${other}`)), order);
      assert.equal(Buffer.compare(keys.history('n', `${one}`), keys.history('n', `${other}`)), 0 - order);
      assert.equal(readSortable(keys.nid(`${one}`)), `${one}`);
      assert.equal(readBackward(keys.history('n', `${one}`)), `${one}`);
    }),
  );
});

test('ids of a later revision are higher, those of one revision differ, and above 2^53 there are none', () => {
  const ids = new Ids({ float: () => 0, int: () => 1000, bytes: () => new Uint8Array(), uuid: () => '' });
  const given = Array.from({ length: 1024 }, () => Number(ids.next(7, 0)));
  assert.equal(new Set(given).size, 1024);
  assert.ok(Math.max(...given) < Number(ids.next(8, 0)));
  assert.ok(Number(ids.next(8, 5000)) >= 8 * 1024 + 5000);
  const run = ids.inOrder(9, 0, 900).map(Number);
  assert.ok(run.every((id, i) => i === 0 || id > run[i - 1]!));
  assert.throws(() => ids.next(2 ** 43, 0), /no ids left/);
  assert.deepEqual(['1', '9007199254740991', '9007199254740993', '0', 'x', '-1'].map(isOurs), [
    ...[true, true, false, false, false, false],
  ]);
});
