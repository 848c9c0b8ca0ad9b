import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProtocolError } from '../http/protocol-error.ts';
import { decodeMetadata, encodeMetadata, METADATA_BYTES_MAX } from './naming-metadata.ts';

test('metadata is JSON of plain values, or pairs', () => {
  const table: readonly (readonly [string, readonly (readonly [string, string | null])[]])[] = [
    ['', []],
    ['  ', []],
    ['{}', []],
    ['null', []],
    [
      '{"a":"1","b":""}',
      [
        ['a', '1'],
        ['b', ''],
      ],
    ],
    [
      '{"a":true,"b":false,"c":null}',
      [
        ['a', 'true'],
        ['b', 'false'],
        ['c', null],
      ],
    ],
    [
      '{"a":1.0,"b":-1e5,"c":12345678901234567890}',
      [
        ['a', '1.0'],
        ['b', '-1e5'],
        ['c', '12345678901234567890'],
      ],
    ],
    ['{"a":"x","a":"y"}', [['a', 'y']]],
    [
      '{"__proto__":"x","constructor":"y"}',
      [
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ],
    ],
    [' {"a" : "名\\u202e"} ', [['a', '名\u202e']]],
    [
      'a=1,b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=1,', [['a', '1']]],
    ['=1', [['', '1']]],
    [' a = 1 ', [[' a ', ' 1 ']]],
    [',', []],
  ];
  for (const [text, entries] of table) {
    assert.deepEqual([...decodeMetadata(text)], entries, text);
  }
});

test('metadata of neither form is refused with what was sent', () => {
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
  const table = [
    'x',
    'a=',
    'a=b=c',
    'a=1,,b=2',
    'a',
    '"a"',
    '5',
    '[1]',
    '{"a":{}}',
    '{"a":[1]}',
    '{"a":1',
    '{a:1}',
    deep,
  ];
  for (const text of table) {
    assert.throws(() => decodeMetadata(text), {
      name: 'ProtocolError',
      status: 400,
      message: `metadata format incorrect:${text}`,
    });
  }
});

test('metadata has a bound in bytes of JSON, whatever it is written in', () => {
  const tooLarge = { status: 400, message: `metadata is larger than ${METADATA_BYTES_MAX} bytes` };
  const ofBytes = (bytes: number) => `{"a":"${'x'.repeat(bytes - '{"a":""}'.length)}"}`;
  assert.equal(decodeMetadata(ofBytes(METADATA_BYTES_MAX)).size, 1);
  assert.throws(() => decodeMetadata(ofBytes(METADATA_BYTES_MAX + 1)), tooLarge);
  assert.throws(() => decodeMetadata(`{"a":"${'名'.repeat(METADATA_BYTES_MAX / 3)}"}`), tooLarge);
  assert.throws(() => decodeMetadata(`a=${'\u0001'.repeat(METADATA_BYTES_MAX / 6)}`), tooLarge);
  assert.throws(() => decodeMetadata('x'.repeat(1024 * 1024)), tooLarge);
});

test('half of a surrogate pair is refused', () => {
  for (const text of ['{"a":"\\ud800"}', '{"\\udc00":"a"}', '{"a":"x\\ud83dx"}']) {
    assert.throws(() => decodeMetadata(text), { status: 400, message: /half of a surrogate pair/ });
  }
  assert.equal(decodeMetadata('{"a":"\\ud83d\\ude00"}').get('a'), '😀');
});

test('what is written out reads back', () => {
  const text = fc.string({ unit: 'binary' });
  const entries = fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 });
  fc.assert(
    fc.property(entries, (given) => {
      const metadata = new Map(given);
      const json = encodeMetadata(metadata);
      assert.deepEqual(new Map(Object.entries(JSON.parse(json))), metadata);
      assert.deepEqual(decodeMetadata(json), metadata);
    }),
  );
});

test('no metadata does more harm than a refusal', () => {
  const pieces = fc.constantFrom('{', '}', '"', 'a', '1', ':', ',', '=', '[', ']', '\\ud800', 'null', '1.0', ' ');
  const text = fc.oneof(fc.json(), fc.string({ unit: pieces }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(text, (given) => {
      try {
        for (const [key, value] of decodeMetadata(given)) {
          assert(key.isWellFormed());
          assert(value === null || (typeof value === 'string' && value.isWellFormed()));
        }
      } catch (error) {
        assert(error instanceof ProtocolError && error.status === 400, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
