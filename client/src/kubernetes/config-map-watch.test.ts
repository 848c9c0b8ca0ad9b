import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeSecure } from '@nacos-kube/core/testing/fake-secure.ts';
import { ConfigMapWatch } from './config-map-watch.ts';

const configMap = (resourceVersion: string, text: string) => ({
  kind: 'ConfigMap',
  metadata: { name: 'demo-members', resourceVersion },
  data: { 'cluster.conf': text },
});

function following() {
  const host = new FakeHost();
  const secure = new FakeSecure();
  const seen: (string | undefined)[] = [];
  const place = {
    address: '10.96.0.1',
    port: 443,
    kubeNamespace: 'shop',
    name: 'demo-members',
    authorityFile: '/ca.crt',
    tokenFile: '/token',
  };
  const watch = new ConfigMapWatch(host, secure, place, (data) => seen.push(data?.get('cluster.conf')));
  return { host, secure, seen, watch };
}

test('what is there is told at once, a change when it comes', async () => {
  const { host, secure, seen, watch } = following();
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  watch.start();
  await host.advance(0);
  assert.equal(secure.gets[0]?.path, '/api/v1/namespaces/shop/configmaps/demo-members');
  const query = new URLSearchParams(secure.stream.request.path.split('?')[1]);
  assert.equal(query.get('fieldSelector'), 'metadata.name=demo-members');
  assert.equal(query.get('resourceVersion'), '5');
  assert.equal(query.get('allowWatchBookmarks'), 'true');
  secure.stream.say({ type: 'MODIFIED', object: configMap('6', 'two') });
  assert.deepEqual(seen, ['one', 'two']);
  await watch.stop();
  assert.ok(secure.stream.isClosed);
});

test('a watch that ends in good order goes on from the last version, bookmarks counted', async () => {
  const { host, secure, watch } = following();
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  watch.start();
  await host.advance(0);
  secure.stream.say({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '90' } } });
  await host.advance(300_000);
  secure.stream.end();
  await host.advance(0);
  assert.equal(secure.gets.length, 1, 'nothing is read anew');
  assert.match(secure.stream.request.path, /resourceVersion=90&/);
  await watch.stop();
});

test('a version that is too old leads to a whole read, told as an error line or as a status', async () => {
  const { host, secure, seen, watch } = following();
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  watch.start();
  await host.advance(0);
  secure.answer = () => httpAnswer(configMap('50', 'two'));
  secure.stream.say({ type: 'ERROR', object: { code: 410, message: 'too old resource version' } });
  await host.advance(2_000);
  assert.deepEqual(seen, ['one', 'two']);
  secure.answer = () => httpAnswer(configMap('60', 'three'));
  secure.stream.end(410);
  await host.advance(4_000);
  assert.deepEqual(seen, ['one', 'two', 'three']);
  await watch.stop();
});

test('it never gives up, and tries at most once in half a minute', async () => {
  const { host, secure, seen, watch } = following();
  watch.start();
  await host.advance(3_600_000);
  const hourly = secure.gets.length;
  assert.ok(hourly >= 100 && hourly <= 160, `${hourly} attempts in an hour`);
  assert.equal(host.log.lines.length, 1, 'and says so once');
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  await host.advance(40_000);
  assert.deepEqual(seen, ['one']);
  await watch.stop();
});

test('watches that end at once are not repeated without a pause', async () => {
  const { host, secure, watch } = following();
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  const lines = secure.lines.bind(secure);
  secure.lines = (request, onLine) => {
    const stream = lines(request, onLine);
    secure.stream.end();
    return stream;
  };
  watch.start();
  await host.advance(60_000);
  assert.ok(secure.streams.length < 15, `${secure.streams.length} watches in a minute`);
  await watch.stop();
});

test('a deleted or missing ConfigMap is told as undefined', async () => {
  const { host, secure, seen, watch } = following();
  secure.answer = () => httpAnswer({}, 404);
  watch.start();
  await host.advance(0);
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  await host.advance(2_000);
  secure.stream.say({ type: 'DELETED', object: configMap('6', 'one') });
  assert.deepEqual(seen, [undefined, 'one', undefined]);
  await watch.stop();
});

test('what is no ConfigMap changes nothing and is read again', async () => {
  const { host, secure, seen, watch } = following();
  secure.answer = () => httpAnswer('<html>a proxy</html>');
  watch.start();
  await host.advance(0);
  secure.answer = () => httpAnswer(configMap('5', 'one'));
  await host.advance(2_000);
  secure.stream.say('{"type":"MODIFIED","object":{}}');
  await host.advance(2_000);
  assert.deepEqual(seen, ['one', 'one']);
  await watch.stop();
});

test('stopping while a read is under way ends it without another attempt', async () => {
  const { host, secure, watch } = following();
  let fail: (error: Error) => void = () => {};
  secure.answer = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  watch.start();
  await host.advance(0);
  const stopped = watch.stop();
  fail(new NetworkError('timeout', 'late'));
  await stopped;
  assert.equal(secure.gets.length, 1);
});
