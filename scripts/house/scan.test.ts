import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, lineAt, scan } from './scan.ts';

/** What is left of a line of code once comments and literals are taken out, with blanks shortened. */
function codeOf(source: string): string {
  return scan(source).code.replace(/ +/g, ' ').trim();
}

test('comments, strings, templates and regexes are taken out, code stays', () => {
  const cases: readonly [string, string][] = [
    ['a; // Date', 'a;'],
    ['a /* Date\n Date */ b', 'a \n b'],
    ['#!/usr/bin/env node\na', 'a'],
    ["f('Date', \"Da'te\")", 'f(\' \', " ")'],
    [String.raw`f('a\'Date', b)`, "f(' ', b)"],
    ['f(`Date ${Date} Date`)', 'f(` ${Date} `)'],
    ['f(`a ${`b ${c} d`} e ${{ f: g }} h`)', 'f(` ${` ${c} `} ${{ f: g }} `)'],
    ['f(`$ $$ {x} $`)', 'f(` `)'],
    ["x = /Date'/g; y", 'x = / /g; y'],
    ['x = /[/\'"]Date/; y', 'x = / /; y'],
    ['return /Date/.test(x)', 'return / /.test(x)'],
    ["a / b / 'Date'", "a / b / ' '"],
    ["(a) / b; '/'; c", "(a) / b; ' '; c"],
    ['f(/"/, Date)', 'f(/ /, Date)'],
    ["'never closed\nDate", "' \nDate"],
  ];
  for (const [source, code] of cases) assert.equal(codeOf(source), code, source);
});

test('what is taken out leaves every place where it was', () => {
  const source = "// one\nconst a = 'two'; /* three\n */ Date";
  const { code, comments, strings } = scan(source);
  assert.equal(code.length, source.length);
  assert.equal(code.indexOf('Date'), source.indexOf('Date'));
  assert.equal(lineAt(source, code.indexOf('Date')), 3);
  assert.deepEqual(
    comments.map(({ text }) => text),
    ['// one', '/* three\n */'],
  );
  assert.deepEqual(
    strings.map(({ text }) => text),
    ['two'],
  );
});

test('imports are found in each of their forms and nowhere else', () => {
  const source = `
    import 'a';
    import b from 'b';
    import { c,
      type d } from "c";
    import type { E } from 'e';
    export * from 'f';
    export { g } from 'g';
    const h = await import('h');
    const i = "import x from 'y'"; // import z from 'z'
    const from = 'j'; list.from('k'); f('l');`;
  assert.deepEqual(
    importsOf(scan(source)).map(({ from, clause, isTypeOnly }) => [from, clause.replace(/\s+/g, ' '), isTypeOnly]),
    [
      ['a', '', false],
      ['b', 'b', false],
      ['c', '{ c, type d }', false],
      ['e', 'type { E }', true],
      ['f', '*', false],
      ['g', '{ g }', false],
      ['h', '', false],
    ],
  );
});
