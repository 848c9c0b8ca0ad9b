import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { isGzip } from './gzip.ts';
import { ACK_BYTES_MAX, decodePush, decodePushAck, encodePush, encodePushAck, PUSH_GZIP_BYTES } from './push.ts';

test('a push carries the list as a text', () => {
  const packet = encodePush('{"name":"G@@S"}', 1700000000000001);
  assert.equal(
    Buffer.from(packet).toString(),
    '{"type":"dom","data":"{\\"name\\":\\"G@@S\\"}","lastRefTime":1700000000000001}',
  );
});

test('a push of 1024 bytes is compressed, one of 1023 is not', () => {
  const overhead = encodePush('', 1).length;
  const short = encodePush('x'.repeat(PUSH_GZIP_BYTES - overhead - 1), 1);
  assert.equal(short.length, PUSH_GZIP_BYTES - 1);
  assert(!isGzip(short));
  const long = encodePush('x'.repeat(PUSH_GZIP_BYTES - overhead), 1);
  assert(isGzip(long));
  assert.equal(gunzipSync(long).length, PUSH_GZIP_BYTES);
});

test('a client reads what a node sends, compressed or not', () => {
  const anySequence = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1000 }), anySequence, (data, sequence) => {
      assert.deepEqual(decodePush(encodePush(data, sequence)), { data, sequence });
      assert.equal(decodePushAck(encodePushAck(sequence)), sequence);
    }),
  );
});

test('an ack is understood as each client spells it', () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ['{"type": "push-ack", "lastRefTime":"1700000000000001", "data":""}', 1700000000000001],
    ['{"type":"push-ack","lastRefTime":1700000000000001,"data":""}', 1700000000000001],
    ['{"type":"dump-ack","lastRefTime":"5","data":"{\\"a\\":1}"}', 5],
    ['{"type":"unknown-ack","lastRefTime":"5"}', 5],
    ['{"type":"unknow-ack","lastRefTime":5}', 5],
    ['{"type":"dom","lastRefTime":5}', undefined],
    ['{"lastRefTime":5}', undefined],
    ['{"type":"push-ack"}', undefined],
    ['{"type":"push-ack","lastRefTime":"-5"}', undefined],
    ['{"type":"push-ack","lastRefTime":-5}', undefined],
    ['{"type":"push-ack","lastRefTime":"5x"}', undefined],
    ['{"type":"push-ack","lastRefTime":1.5}', undefined],
    ['{"type":"push-ack","lastRefTime":"9007199254740993"}', undefined],
    ['{"type":"push-ack","lastRefTime":1e400}', undefined],
    ['{"type":"push-ack","lastRefTime":null}', undefined],
    ['{"type":["push-ack"],"lastRefTime":5}', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['"push-ack"', undefined],
    ['', undefined],
    ['{"type":"push-ack","lastRefTime":5', undefined],
  ];
  for (const [text, sequence] of table) assert.equal(decodePushAck(Buffer.from(text)), sequence, text);
  const tooLong = `{"type":"push-ack","lastRefTime":5,"data":"${'x'.repeat(ACK_BYTES_MAX)}"}`;
  assert.equal(decodePushAck(Buffer.from(tooLong)), undefined);
});

test('a packet that is no push of a list is told from one', () => {
  assert.equal(decodePush(Buffer.from('{"type":"dump","data":"","lastRefTime":1}')), undefined);
  assert.equal(decodePush(Buffer.from('{"type":"dom","data":{},"lastRefTime":1}')), undefined);
  assert.deepEqual(decodePush(Buffer.from(' {"type":"service","data":"x","lastRefTime":"7"}\n')), {
    data: 'x',
    sequence: 7,
  });
  const whole = gzipSync(Buffer.from('{"type":"dom","data":"x","lastRefTime":1}'));
  assert.equal(decodePush(whole.subarray(0, whole.length - 9)), undefined);
});

test('a bomb is not inflated beyond the bound', () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  assert(bomb.length < 65_507 + 10_000);
  assert.equal(decodePush(bomb), undefined);
});

test('no datagram does harm', () => {
  const json = fc.json().map((text) => Buffer.from(text));
  const gzipped = fc.tuple(fc.uint8Array(), fc.nat({ max: 40 })).map(([bytes, cut]) => {
    const packed = gzipSync(bytes);
    return packed.subarray(0, Math.max(2, packed.length - cut));
  });
  const fields = fc.record({
    type: fc.constantFrom('push-ack', 'dom', 1),
    lastRefTime: fc.anything(),
    data: fc.anything(),
  });
  const nearly = fields.map((value) => {
    try {
      return Buffer.from(JSON.stringify(value));
    } catch {
      return Buffer.alloc(0);
    }
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), json, gzipped, nearly), (bytes) => {
      const sequence = decodePushAck(bytes);
      assert(sequence === undefined || Number.isSafeInteger(sequence));
      decodePush(bytes);
    }),
    { numRuns: 2000 },
  );
});
