import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, parseOptions } from './options.ts';

test('rounds and seconds are small in a quick run and may be given all the same', () => {
  const { seconds, rounds } = parseOptions([]);
  const quick = parseOptions(['--quick']);
  assert.ok(quick.seconds < seconds && quick.rounds < rounds);
  assert.equal(parseOptions(['--quick', '--seconds', '2']).seconds, 2);
});

test('several rows may be named', () => {
  assert.deepEqual(parseOptions(['--only', 'push', '--only', 'register']).only, ['push', 'register']);
});

test('a target is an address with its context path, which may be none', () => {
  const target = (...args: readonly string[]) => parseOptions(['--target', ...args]).target;
  const withPath = { host: '10.0.0.7', port: 8848, contextPath: '/nacos', pid: null };
  assert.deepEqual(target('http://10.0.0.7:8848/nacos/'), withPath);
  assert.deepEqual(target('http://[::1]'), { host: '::1', port: 80, contextPath: '', pid: null });
  assert.equal(target('http://h:1', '--target-pid', '12')?.pid, 12);
});

test('what makes no sense is refused with a reason', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['--seconds=0', /--seconds must be/],
    ['--rounds=1.5', /--rounds must be a whole number/],
    ['--rounds=many', /--rounds must be/],
    ['--target=ftp://h', /must be like http/],
    ['--target=nowhere', /must be like http/],
    ['--target-pid=7', /needs that/],
    ['--wrong', /--wrong/],
    ['--readme --quick', /mean something/],
    ['--readme --target=http://h', /mean something/],
    ['--from=push --only=list', /not for one run/],
    ['--target=http://h --target-pid=me', /no pid/],
  ];
  for (const [line, reason] of refused) assert.throws(() => parseOptions(line.split(' ')), reason, line);
});

test('every flag is in the help', () => {
  const flags = '--seconds --rounds --only --from --list --quick --json --readme --target --target-pid --help'.split(
    ' ',
  );
  for (const flag of flags) assert.match(HELP, new RegExp(`^  ${flag}\\b`, 'm'));
});
