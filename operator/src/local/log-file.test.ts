import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { LOG_BYTES_MAX, LOG_LINES_WAITING_MAX, LogFile } from './log-file.ts';

test('lines are kept in order', async () => {
  const host = new FakeHost();
  const log = new LogFile(host, '/logs/a.log');
  log.add('one');
  log.add('two');
  await log.close();
  assert.equal(host.disk.files.get('/logs/a.log'), 'one\ntwo\n');
});

test('a full log makes room: the last one stays as .1', async () => {
  const host = new FakeHost();
  host.disk.put('/logs/a.log', 'x'.repeat(LOG_BYTES_MAX - 1));
  const log = new LogFile(host, '/logs/a.log');
  log.add('last');
  await host.advance(0);
  log.add('first');
  await log.close();
  assert.equal(host.disk.files.get('/logs/a.log'), 'first\n');
  assert.ok(host.disk.files.get('/logs/a.log.1')?.endsWith('last\n'));
});

test('lines that come faster than the disk takes them are counted', async () => {
  const host = new FakeHost();
  const log = new LogFile(host, '/logs/a.log');
  for (let line = 0; line < LOG_LINES_WAITING_MAX + 5; line++) log.add('x');
  await log.close();
  assert.match(host.disk.files.get('/logs/a.log') ?? '', /x\n\(5 lines were dropped\)\n$/);
});

test('a full disk costs lines and nothing else', async () => {
  const host = new FakeHost();
  const log = new LogFile(host, '/logs/a.log');
  host.disk.fault = 'full';
  log.add('one');
  await host.advance(0);
  host.disk.fault = undefined;
  log.add('two');
  await log.close();
  assert.equal(host.disk.files.get('/logs/a.log'), 'two\n(1 lines were dropped)\n');
});
