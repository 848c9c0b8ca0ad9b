import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AGGREGATE_PATTERNS_MAX, fitsPattern, parseAggregates, parseSwitches } from './config-meta.ts';
import { LISTENER_SWITCHES } from './listener.ts';

test('switches are lines of key and value, what makes no sense counts as not said', () => {
  const said = parseSwitches(
    '# isFixedPolling=false\r\nisFixedPolling = TRUE\nfixedPollingInertval=20000\nfixedDelayTime=250',
  );
  assert.deepEqual(said, { isFixedPolling: true, fixedPollingMs: 20_000, holdEarlierMs: 250 });
  for (const text of [
    '',
    'x',
    '=',
    'isFixedPolling=yes',
    'fixedDelayTime=-1\nfixedPollingInertval=1e9',
    '\u0000=\u0000',
  ]) {
    assert.deepEqual(parseSwitches(text), LISTENER_SWITCHES, text);
  }
});

test('patterns stand for any text by a star and for one character by a question mark', () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['a.b', 'a.b', true],
    ['axb', 'a.b', false],
    ['axb', 'a?b', true],
    ['ab', 'a?b', false],
    ['', '*', true],
    ['abc', '*', true],
    ['abcabd', 'a*b?', true],
    ['abcabd', 'a*c', false],
    ['a[b', 'a[b', true],
    ['A', 'a', false],
  ];
  for (const [text, pattern, fits] of table) assert.equal(fitsPattern(text, pattern), fits, `${text} ${pattern}`);
});

test('a pattern fits as the regular expression would that it stands for', () => {
  const some = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 });
  fc.assert(
    fc.property(some, pattern, (text, given) => {
      const source = given.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
      assert.equal(fitsPattern(text, given), new RegExp(`^${source}$`).test(text));
    }),
  );
});

test('S14: a pattern that would keep a regular expression busy for ever is answered', () => {
  const text = 'a'.repeat(255);
  const pattern = `${'a*'.repeat(127)}b`;
  for (let i = 0; i < 100; i += 1) assert.equal(fitsPattern(text, pattern), false);
});

test('patterns are one a line, blank ones and too many of them do not count', () => {
  assert.deepEqual(parseAggregates(' a* \r\n\r\nb\nb\n'), ['a*', 'b']);
  const many = Array.from({ length: AGGREGATE_PATTERNS_MAX + 5 }, (_, i) => `p${i}`).join('\n');
  assert.equal(parseAggregates(many).length, AGGREGATE_PATTERNS_MAX);
});
