import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { onLines } from './lines.ts';

test('a line ends with a newline and with nothing else, whatever pieces it comes in', () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  onLines(stream, (line) => lines.push(line));
  const bytes = Buffer.from('"a\u2028b\u2029"\n"北京 🙂\r"\n"unfinished');
  for (const byte of bytes) stream.write(Buffer.of(byte));
  assert.deepEqual(lines, ['"a\u2028b\u2029"', '"北京 🙂\r"']);
});
