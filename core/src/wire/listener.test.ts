import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConfigKey } from '../model/config.ts';
import { groupKey } from './config-key.ts';
import {
  decodeListenerMode,
  encodeChanged,
  encodeListenerAnswer,
  encodeShortAnswer,
  LISTENER_SWITCHES,
  LISTENING_LENGTH_MAX,
  NOTHING_CHANGED,
  parseChanged,
  parseListening,
  writeListening,
} from './listener.ts';

const W = '\u0002';
const L = '\u0001';
const MD5 = '5d41402abc4b2a76b9719d911017c592';
const INVALID = { name: 'ProtocolError', status: 400, message: 'caused: invalid probeModify;' };

test('listening lines are read, with and without a namespace', () => {
  const table: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    [`d${W}g${W}${MD5}${L}`, [['d+g', MD5]]],
    [`d${W}g${W}${MD5}${W}n${L}`, [['d+g+n', MD5]]],
    [`d${W}g${W}${MD5}${W}${L}`, [['d+g', MD5]]],
    [`d${W}g${W}${L}`, [['d+g', '']]],
    [`d${W}g${W}${W}public${L}`, [['d+g+public', '']]],
    [
      `d${W}g${W}1${L}e${W}g${W}2${W}n${L}`,
      [
        ['d+g', '1'],
        ['e+g+n', '2'],
      ],
    ],
    [`d${W}g${W}1${L}d${W}g${W}2${W}${L}`, [['d+g', '2']]],
    [`d${W}g${W}1${L}ignored`, [['d+g', '1']]],
    ['no end of line', []],
    [`${W}${W}${L}`, [['+', '']]],
    [`a%2Bb${W}g${W}1${L}`, [['a%2Bb+g', '1']]],
    [`a+b${W}g${W}1${L}`, [['a b+g', '1']]],
  ];
  for (const [text, expected] of table) assert.deepEqual([...parseListening(text)], expected);
});

test('raw, singly and doubly encoded control characters all work', () => {
  const raw = `配置${W}g${W}${MD5}${W}n${L}`;
  for (const text of [raw, encodeURIComponent(raw)]) assert.deepEqual([...parseListening(text)], [['配置+g+n', MD5]]);
});

test('a malformed listening text is refused with the one text of the reference', () => {
  const line = (fields: readonly string[]) => fields.join(W) + L;
  const bad = [
    undefined,
    '',
    ' ',
    L,
    line(['d']),
    line(['d', 'g']),
    line(['d', 'g', 'm', 't', 'more']),
    line(['d', 'g', 'm', 't', '', '']),
    `${line(['d', 'g', 'm'])}${L}`,
    `d${W}g${W}1${L}%`,
    `%zz${W}g${W}1${L}`,
    `%ff${W}g${W}1${L}`,
  ];
  for (const text of bad) assert.throws(() => parseListening(text), INVALID, JSON.stringify(text));
});

test('10,000 keys are read, one more is refused, repeated ones count once', () => {
  const keys = Array.from({ length: 10_000 }, (_, i): [ConfigKey, string] => [key(`d${i}`), MD5]);
  assert.equal(parseListening(writeListening(keys)).size, 10_000);
  assert.throws(() => parseListening(writeListening([...keys, [key('one-more'), MD5]])), INVALID);
  assert.equal(parseListening(writeListening([...keys, ...keys])).size, 10_000);
});

test('a listening text over 3 MB is refused', () => {
  assert.throws(() => parseListening('d'.repeat(LISTENING_LENGTH_MAX + 1)), INVALID);
});

test('changed keys are told with literal %02 and %01, encoded as Java does, and one line end', () => {
  assert.equal(encodeListenerAnswer([key('d')]).body, 'd%02g%01\n');
  const many = encodeListenerAnswer([{ dataId: 'a:b.c-d_e*', group: 'G G', namespaceId: 'n' }, key("配~!'()")]);
  assert.equal(many.body, 'a%3Ab.c-d_e*%02G+G%02n%01%E9%85%8D%7E%21%27%28%29%02g%01\n');
  assert.deepEqual(many.headers, {
    'content-type': 'application/json;charset=UTF-8',
    pragma: 'no-cache',
    expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
    'cache-control': 'no-cache,no-store',
  });
});

test('nothing changed is zero bytes without cache headers', () => {
  assert.equal(encodeListenerAnswer([]), NOTHING_CHANGED);
  assert.equal(NOTHING_CHANGED.body, '');
  assert.deepEqual(NOTHING_CHANGED.headers, { 'content-type': 'application/json;charset=UTF-8' });
});

test('what is listened to and what is told survive the way, whatever the names', () => {
  const part = fc.string({ unit: 'grapheme' }).filter((text) => !/[\u0001\u0002]/.test(text));
  const keyOf = fc.record({ dataId: part, group: part, namespaceId: part }, { noNullPrototype: true });
  const entries = fc.uniqueArray(fc.tuple(keyOf, fc.stringMatching(/^[0-9a-f]{0,32}$/)), {
    selector: ([of]) => groupKey(of),
    minLength: 1,
  });
  fc.assert(
    fc.property(entries, (listening) => {
      const read = parseListening(encodeURIComponent(writeListening(listening)));
      assert.deepEqual([...read], [...listening.map(([of, md5]) => [groupKey(of), md5])]);
      const keys = listening.map(([of]) => of);
      assert.deepEqual(parseChanged(`${encodeChanged(keys)}\n`), keys);
    }),
  );
});

test('any text is read or refused, never worse', () => {
  const noise = fc.string({ unit: fc.constantFrom('d', W, L, '%', '0', '2', '+', '\n', '\ud800') });
  fc.assert(
    fc.property(noise, (text) => {
      try {
        for (const [of, md5] of parseListening(text)) assert.equal(typeof of + typeof md5, 'stringstring');
      } catch (error) {
        assert.equal((error as Error).message, INVALID.message);
      }
    }),
  );
});

test('the time held is the asked one less 500 ms, at least 10 s', () => {
  const table = [
    ['30000', 29_500],
    ['10000', 10_000],
    ['0', 10_000],
    ['-1', 10_000],
    ['10501', 10_001],
    ['999999999999', 600_000],
  ] as const;
  for (const [asked, holdMs] of table) {
    const mode = decodeListenerMode({ 'long-pulling-timeout': asked });
    assert.deepEqual(mode, { kind: 'long', holdMs, hangUp: true });
  }
});

test('the switches move the end of a hold, and put a fixed time in the place of comparing', () => {
  const asked = { 'long-pulling-timeout': '30000', 'long-pulling-timeout-no-hangup': 'true' };
  const later = decodeListenerMode(asked, { ...LISTENER_SWITCHES, holdEarlierMs: 2_000 });
  assert.deepEqual(later, { kind: 'long', holdMs: 28_000, hangUp: false });
  for (const [fixedPollingMs, holdMs] of [
    [15_000, 15_000],
    [1, 10_000],
    [999_999_999, 600_000],
  ] as const) {
    const fixed = decodeListenerMode(asked, { isFixedPolling: true, fixedPollingMs, holdEarlierMs: 500 });
    assert.deepEqual(fixed, { kind: 'fixed', holdMs });
  }
  const short = decodeListenerMode({}, { ...LISTENER_SWITCHES, isFixedPolling: true });
  assert.equal(short.kind, 'short');
});

test('a time that is no number is refused', () => {
  for (const asked of ['abc', '1.5', '1e4', '30 000', '0x10']) {
    const message = `caused: For input string: "${asked}";`;
    assert.throws(() => decodeListenerMode({ 'long-pulling-timeout': asked }), { status: 400, message });
  }
});

test('no-hangup is true in any case, anything else hangs up', () => {
  for (const [value, hangUp] of [
    ['true', false],
    ['TRUE', false],
    ['false', true],
    ['1', true],
  ] as const) {
    const headers = { 'long-pulling-timeout': '30000', 'long-pulling-timeout-no-hangup': value };
    assert.deepEqual(decodeListenerMode(headers), { kind: 'long', holdMs: 29_500, hangUp });
  }
});

test('without the header it is a short poll, answered in headers to versions below 2.0.4', () => {
  for (const [version, inHeaders] of [
    [undefined, true],
    ['1.4.2', true],
    ['2.0.3', true],
    ['2.0.4', false],
    ['3.0.0', false],
    ['Java.2.0.4', false],
  ] as const) {
    assert.deepEqual(decodeListenerMode({ 'client-version': version }), { kind: 'short', inHeaders });
  }
});

test('a short poll tells the changed keys in two headers that nothing can break out of', () => {
  const answer = encodeShortAnswer([key('d'), key('x\r\nset-cookie: a'), { ...key('e'), namespaceId: 'n' }], true);
  assert.equal(answer.body, '');
  assert.equal(answer.headers?.['probe-modify-response'], 'd:g;e:g;');
  assert.equal(answer.headers?.['probe-modify-response-new'], 'd%02g%01x%0D%0Aset-cookie%3A+a%02g%01e%02g%02n%01');
  assert.equal(answer.headers?.['cache-control'], 'no-cache,no-store');
  assert.equal(encodeShortAnswer([key('d')], false).headers?.['probe-modify-response'], undefined);
  const many = encodeShortAnswer(
    Array.from({ length: 10_000 }, (_, i) => key(`d${i}`)),
    true,
  );
  assert.ok((many.headers?.['probe-modify-response-new']?.length ?? 0) <= 8_192);
});

function key(dataId: string): ConfigKey {
  return { dataId, group: 'g', namespaceId: '' };
}
