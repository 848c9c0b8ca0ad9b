import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { javaDouble, javaFloat, javaHash, javaMapOrder } from './java-numbers.ts';

test('a double is printed as Java prints it', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [-1, '-1.0'],
    [0.5, '0.5'],
    [100, '100.0'],
    [10000, '10000.0'],
    [0.01, '0.01'],
    [0.001, '0.001'],
    [0.0009999, '9.999E-4'],
    [0.0001, '1.0E-4'],
    [-0.0001, '-1.0E-4'],
    [1.5e-7, '1.5E-7'],
    [123456.789, '123456.789'],
    [9999999, '9999999.0'],
    [9999999.5, '9999999.5'],
    [1e7, '1.0E7'],
    [12345678, '1.2345678E7'],
    [1e21, '1.0E21'],
    [1.7976931348623157e308, '1.7976931348623157E308'],
    [5e-324, '4.9E-324'],
    [2e23, '2.0E23'],
    [2 / 3, '0.6666666666666666'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ];
  for (const [value, text] of table) assert.equal(javaDouble(value), text);
});

test('a float is printed in its fewest digits', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0.0'],
    [0.8, '0.8'],
    [Math.fround(0.8), '0.8'],
    [0.1, '0.1'],
    [1, '1.0'],
    [1 / 3, '0.33333334'],
    [2 / 3, '0.6666667'],
    [0.0001, '1.0E-4'],
    [-0.25, '-0.25'],
    [16777216, '1.6777216E7'],
    [3.4028234663852886e38, '3.4028235E38'],
    [1.4e-45, '1.4E-45'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ];
  for (const [value, text] of table) assert.equal(javaFloat(value), text);
});

test('what is printed reads back as the same number', () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (value) => Object.is(Number(javaDouble(value)), value)));
  fc.assert(fc.property(fc.float({ noNaN: true }), (value) => Object.is(Math.fround(Number(javaFloat(value))), value)));
});

test('a text hashes as in Java', () => {
  assert.equal(javaHash(''), 0);
  assert.equal(javaHash('DEFAULT_GROUP@@demo'), -1251993628);
  assert.equal(javaHash('DEFAULT_GROUP@@nacos.test.1'), -301437168);
  assert.equal(javaHash('DEFAULT_GROUP@@a'), -1325396480);
  assert.equal(javaHash('polygenelubricants'), -2147483648);
});

test('keys come in the order of a Java hash map', () => {
  assert.deepEqual(javaMapOrder(['DEFAULT', 'hz', 'my']), ['hz', 'my', 'DEFAULT']);
  assert.deepEqual(javaMapOrder([]), []);
  const thirteen = Array.from({ length: 13 }, (_, i) => `cluster-${i * 7}`);
  // As printed by a Java 17; the thirteenth key doubles the table.
  const numbers = [42, 63, 77, 0, 21, 35, 56, 14, 28, 49, 7, 70, 84];
  assert.deepEqual(
    javaMapOrder(thirteen),
    numbers.map((number) => `cluster-${number}`),
  );
  // "Aa" and "BB" have one hash: the order of insertion stays.
  assert.deepEqual(javaMapOrder(['BB', 'Aa']), ['BB', 'Aa']);
  assert.deepEqual(javaMapOrder(['Aa', 'BB']), ['Aa', 'BB']);
});
