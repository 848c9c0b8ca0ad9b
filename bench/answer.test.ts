import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyOf, type Check, frameOf, isChunkedWhole, wrongIn } from './answer.ts';

const listed: Check = { text: '"hosts":[{', full: { kind: 'hosts', count: 2 } };

test('the length of an answer is head and body, however the header is spelt', () => {
  for (const name of ['Content-Length: 2', 'content-length:2']) {
    const answer = Buffer.from(`HTTP/1.1 200 OK\r\nA: b\r\n${name}\r\n\r\nok`);
    assert.deepEqual(frameOf(answer), {
      status: 200,
      bodyStart: answer.length - 2,
      length: answer.length,
      isLast: false,
    });
  }
});

test('a head that is not whole is no frame yet', () => {
  assert.equal(frameOf(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n')), undefined);
});

test('a server that closes says so', () => {
  const answer = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  assert.equal(frameOf(answer)?.isLast, true);
});

test('an answer without length or chunks cannot be measured', () => {
  assert.throws(() => frameOf(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), /without length/);
});

test('chunks are put together, and the answer is whole only with the last of them', () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const whole = Buffer.from(`${head}3\r\n{"h\r\ne\r\nosts":[{},{}]}\r\n0\r\n\r\n`);
  const frame = frameOf(whole)!;
  assert.equal(frame.length, undefined);
  assert.equal(bodyOf(whole, frame).toString(), '{"hosts":[{},{}]}');
  assert.equal(isChunkedWhole(whole, frame), true);
  assert.equal(isChunkedWhole(whole.subarray(0, -2), frame), false);
  assert.equal(isChunkedWhole(Buffer.from(`${head}0\r\n\r\n`), frame), true);
});

test('an answer is wrong by its status, its text, or what a full look finds', () => {
  assert.equal(complaintOf(200, '{"hosts":[{},{}]}', listed), undefined);
  assert.match(complaintOf(200, '{"hosts":[{}]}', listed)!, /^1 hosts, not 2/);
  assert.match(complaintOf(200, '{"hosts":[]}', listed)!, /^without "\\"hosts\\":\[\{"/);
  assert.match(complaintOf(503, '{"hosts":[{},{}]}', listed)!, /^status 503/);
  const ok: Check = { text: 'ok', full: { kind: 'body', equals: 'ok' } };
  assert.match(complaintOf(200, 'not ok', ok)!, /^another body/);
  const beaten: Check = { text: '10200', full: { kind: 'code', equals: 10_200 } };
  assert.equal(complaintOf(200, '{"code":10200}', beaten), undefined);
  assert.match(complaintOf(200, '{"code":20404,"x":10200}', beaten)!, /^another code/);
});

test('of cleaning any status will do', () => {
  assert.equal(complaintOf(400, 'gone', { text: '', full: { kind: 'text' }, isAnyStatus: true }), undefined);
});

function complaintOf(status: number, body: string, check: Check): string | undefined {
  const answer = Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  return wrongIn(answer, frameOf(answer)!, check);
}
