import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { isIpLiteral } from './ip-literal.ts';

test('addresses are told from names and from sloppy spellings', () => {
  const good = [
    '10.0.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    '1:2:3:4:5:6:7:8',
    '1::8',
    '::ffff:10.0.0.1',
  ];
  for (const text of [...good, '1:2:3:4:5:6:1.2.3.4', 'ABCD::', '1:2:3:4:5:6:7::']) assert(isIpLiteral(text), text);
  const bad = [
    '',
    'localhost',
    '10.0.0',
    '10.0.0.1.',
    '10.0.0.256',
    '010.0.0.1',
    '0x7f.1',
    '10.0.0.1:80',
    '[::1]',
    'fe80::1%eth0',
  ];
  const badV6 = [
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    '1.2.3.4::',
    ':1::',
  ];
  for (const text of [...bad, ...badV6, '::1.2.3', '1:2:3:4:5:6:7:1.2.3.4', '10.0.0.1\n'])
    assert(!isIpLiteral(text), text);
});

test('the answer is the one of the platform', () => {
  const group = fc.constantFrom('', '0', '1', 'ff', 'abcd', '12345', 'g', '1.2.3.4', '256', '10');
  const separator = fc.constantFrom(':', '::', '.');
  const text = fc.array(fc.tuple(group, separator), { maxLength: 9 }).map((parts) => parts.flat().join(''));
  const trimmed = text.map((whole) => whole.slice(0, -1));
  for (const any of [text, trimmed, fc.ipV4(), fc.ipV6(), fc.string()]) {
    fc.assert(fc.property(any, (address) => isIpLiteral(address) === (isIP(address) !== 0)));
  }
});
