import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpHandler, HttpRequest } from '@nacos-kube/core/host/host.ts';
import { text } from '@nacos-kube/core/http/answers.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { redactQuery, TARGET_CHARS_MAX } from './access-line.ts';
import { AccessLog, PENDING_BYTES_MAX } from './access-log.ts';

const FILE = '/logs/access.log';

function start(handler: HttpHandler = () => text('ok'), fileBytesMax?: number) {
  const host = new FakeHost();
  const options = { to: FILE, clientIp: () => '10.0.0.9', ...(fileBytesMax !== undefined && { fileBytesMax }) };
  const log = new AccessLog(host, options);
  log.start();
  const handle = log.around(handler);
  const ask = (target: string, headers: HttpRequest['headers'] = {}) => {
    const [path = '', query = ''] = target.split('?');
    return handle({
      ...{ method: 'GET', path, query, headers, body: new Uint8Array(), remote: { address: '10.0.0.1', port: 1 } },
      onGone() {},
    });
  };
  const lines = () => (host.disk.files.get(FILE) ?? '').split('\n').slice(0, -1);
  return { host, log, ask, lines };
}

test('each answer has its line, in the order of the answers, with who asked, what, and how long it took', async () => {
  const held = Promise.withResolvers<void>();
  const { host, ask, lines } = start(({ path }) =>
    path === '/held' ? held.promise.then(() => text('ü')) : text('ok'),
  );
  const time = new Date(host.clock.now()).toISOString();
  void ask('/held');
  void ask('/a?b=c', { 'user-agent': 'Nacos-Java-Client:v1.4.2', referer: 'http://x/' });
  await host.advance(150);
  held.resolve();
  await host.advance(200);
  assert.deepEqual(lines(), [
    `10.0.0.9 - - [${time}] "GET /a?b=c HTTP/1.1" 200 2 "http://x/" "Nacos-Java-Client:v1.4.2" 0.0`,
    `10.0.0.9 - - [${time}] "GET /held HTTP/1.1" 200 2 "-" "-" 150.0`,
  ]);
});

test('nothing that callers send can forge a line or fill the disk', async () => {
  const { host, ask, lines } = start();
  void ask(`/a"b\\?x=${'y'.repeat(10_000)}`, { 'user-agent': 'a\r\nb" \u001b[2J\u202e' });
  await host.advance(200);
  const [line, ...others] = lines();
  assert.equal(others.length, 0);
  assert.match(
    line!,
    /^10\.0\.0\.9 - - \[[^\]]+\] "GET \/a\\x22b\\x5c\?x=y+\.\.\. HTTP\/1\.1" 200 2 "-" "a\\x0d\\x0ab\\x22 \\x1b\[2J\\x202e" \d\.\d$/,
  );
  assert.equal(line!.length < TARGET_CHARS_MAX + 500, true);
});

for (const [query, shown] of [
  ['accessToken=abc&dataId=x', 'accessToken=***&dataId=x'],
  ['dataId=x&PASSWORD=abc', 'dataId=x&PASSWORD=***'],
  ['newPassword=a=b', 'newPassword=***'],
  ['client_secret=1&x', 'client_secret=***&x'],
  ['%61ccessToken=abc', '%61ccessToken=***'],
  ['%zz=abc', '%zz=***'],
  ['clusterName=c&healthChecker=%7B%22type%22:%22MYSQL%22,%22pwd%22:%22abc%22%7D', 'clusterName=c&healthChecker=***'],
  ['dataId=x&content=password%3Dabc&group=g', 'dataId=x&content=***&group=g'],
  ['dataId=password.yaml', 'dataId=password.yaml'],
  ['serviceName=a%26accessToken%3D', 'serviceName=a%26accessToken%3D'],
] as const) {
  test(`secrets are blanked out: ${query}`, () => assert.equal(redactQuery(query), shown));
}

test('a full file is put aside, and the one before it is gone', async () => {
  const { host, ask } = start(undefined, 100);
  for (const path of ['/one', '/two', '/three']) {
    void ask(`${path}?${'x'.repeat(100)}`);
    await host.advance(200);
  }
  assert.match(host.disk.files.get(FILE)!, /^[^\n]*\/three[^\n]*\n$/);
  assert.match(host.disk.files.get(`${FILE}.1`)!, /^[^\n]*\/two[^\n]*\n$/);
});

test('what an earlier run wrote counts too', async () => {
  const { host, ask } = start(undefined, 100);
  host.disk.put(FILE, 'x'.repeat(100));
  void ask('/new');
  await host.advance(200);
  assert.equal(host.disk.files.get(`${FILE}.1`)!.length, 100);
});

test('a disk that is full costs lines, is told of once, and is used again when there is room', async () => {
  const { host, log, ask, lines } = start();
  host.disk.fault = 'full';
  for (let i = 0; i < 3; i++) {
    void ask('/lost');
    await host.advance(200);
  }
  assert.equal(log.dropped, 3);
  assert.equal(host.log.lines.filter((line) => line.includes('cannot be written')).length, 1);
  host.disk.fault = undefined;
  void ask('/kept');
  await host.advance(200);
  assert.equal(lines().length, 1);
});

test('a disk that hangs never holds an answer, and what waits for it has a bound', async () => {
  const { host, log, ask } = start();
  const hanging = Promise.withResolvers<void>();
  host.disk.append = async () => ({ write: () => hanging.promise, sync: async () => {}, close: async () => {} });
  void ask('/first');
  await host.advance(200);
  const long = `/a?${'x'.repeat(TARGET_CHARS_MAX)}`;
  const fitting = Math.ceil(PENDING_BYTES_MAX / TARGET_CHARS_MAX);
  for (let i = 0; i < fitting + 100; i++) assert.equal((ask(long) as { status: number }).status, 200);
  assert.equal(log.dropped > 100, true);
  hanging.resolve();
});

test('what was not written yet is written at the end', async () => {
  const { log, ask, lines } = start();
  void ask('/last');
  await log.stop();
  assert.equal(lines().length, 1);
});
