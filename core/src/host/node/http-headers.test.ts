import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstOfEach, headersOf } from './http-headers.ts';

test('of what Node has read already only the first of each header is taken, as of the raw ones', () => {
  const name = fc.constantFrom('Host', 'host', 'X-A', 'x-a', 'Cookie', 'Set-Cookie', '__proto__', 'constructor', 'Age');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.constantFrom('', 'a', 'b')), { maxLength: 6 }), (lines) => {
      const raw = lines.flat();
      const incoming = new IncomingMessage(new Socket()) as IncomingMessage & {
        _addHeaderLines(raw: string[], count: number): void;
      };
      incoming._addHeaderLines(raw, raw.length);
      const expected = headersOf(raw);
      const given = firstOfEach(incoming.headers, incoming.rawHeaders);
      for (const one of Object.keys(expected)) assert.equal(given[one], expected[one], one);
      for (const one of Object.keys(given)) assert.ok(one in expected, one);
    }),
  );
});
