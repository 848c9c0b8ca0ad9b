import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MYSQL_IS_OFF, probeRefusal, targetRefusal } from './guard.ts';
import type { Check } from './target.ts';

test('only addresses of other machines are probed (S9)', () => {
  const guard = { forbidden: new Set(['10.0.0.7']), isLoopbackAllowed: false };
  for (const ip of ['10.0.0.1', '192.168.1.2', '2001:db8::1']) assert.equal(probeRefusal(ip, guard), undefined, ip);
  for (const ip of [
    'localhost',
    '10.0.0.1,10.0.0.2',
    '10.0.0.7',
    '::ffff:10.0.0.7',
    '127.0.0.1',
    '::1',
    '169.254.169.254',
    'fe80::1',
    '0.0.0.0',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ]) {
    assert.notEqual(probeRefusal(ip, guard), undefined, ip);
  }
  assert.equal(probeRefusal('127.0.0.1', { ...guard, isLoopbackAllowed: true }), undefined);
  const laptop = { forbidden: new Set(['127.0.0.1']), isLoopbackAllowed: true };
  assert.equal(probeRefusal('127.0.0.1', laptop), undefined, 'where the members are there too');
  assert.notEqual(probeRefusal('127.0.0.1', { ...laptop, isLoopbackAllowed: false }), undefined);
});

for (const [ip, why] of [
  ['::ffff:7f00:1', 'a loopback address'],
  ['::FFFF:127.0.0.1', 'a loopback address'],
  ['0:0:0:0:0:ffff:127.0.0.1', 'a loopback address'],
  ['::127.0.0.1', 'a loopback address'],
  ['64:ff9b::127.0.0.1', 'a loopback address'],
  ['0:0:0:0:0:0:0:1', 'a loopback address'],
  ['::0001', 'a loopback address'],
  ['::ffff:a9fe:a9fe', 'a link-local or metadata address'],
  ['FE80:0:0:0:0:0:0:1', 'a link-local or metadata address'],
  ['fd00:0ec2:0::0254', 'a link-local or metadata address'],
  ['::ffff:a00:7', 'an address of the cluster itself'],
  ['2001:db8:0:0::7', 'an address of the cluster itself'],
  ['2001:DB8::0007', 'an address of the cluster itself'],
  ['0:0::0', 'not the address of a machine'],
  ['::ffff:e000:1', 'not the address of a machine'],
  ['FF02:0::1', 'not the address of a machine'],
] as const) {
  test(`an address is the same in whatever way it is written (S9): ${ip}`, () => {
    const forbidden = new Set(['10.0.0.7', '2001:db8::7']);
    assert.equal(probeRefusal(ip, { forbidden, isLoopbackAllowed: false }), why);
  });
}

const guard = { forbidden: new Set(['10.0.0.7']), isLoopbackAllowed: false };
const refusal = (ip: string, check: Check, hasMysql = false) =>
  targetRefusal({ service: 's', key: 'k', ip, port: 80, check, healthy: true }, guard, hasMysql);
const http = (path: string, headers = ''): Check => ({ kind: 'HTTP', path, headers });
const mysql: Check = { kind: 'MYSQL', user: '', password: '', command: 'select 1' };

test('the guard is the same for all kinds of checks', () => {
  for (const check of [{ kind: 'TCP' } as const, http('/'), mysql]) {
    assert.equal(refusal('10.0.0.7', check, true), 'an address of the cluster itself');
    assert.equal(refusal('10.0.0.8', check, true), undefined);
  }
});

test('what would break out of a request is refused (S9)', () => {
  for (const path of ['/a\r\nHost: evil', '/a b', '/a\u0000', '/ä', `/${'x'.repeat(3_000)}`]) {
    assert.equal(refusal('10.0.0.1', http(path)), 'an HTTP path that is none', JSON.stringify(path));
  }
  for (const headers of ['X:1\r\nY: 2', 'X:1\n', 'X:\u0000', 'X:ä']) {
    assert.equal(refusal('10.0.0.1', http('/', headers)), 'HTTP headers that are none', JSON.stringify(headers));
  }
  assert.equal(refusal('10.0.0.1', http('', 'not a header|X: 1')), undefined);
});

test('databases are asked only where that is switched on (S9)', () => {
  assert.equal(refusal('10.0.0.1', mysql), MYSQL_IS_OFF);
  assert.equal(refusal('10.0.0.1', mysql, true), undefined);
});
