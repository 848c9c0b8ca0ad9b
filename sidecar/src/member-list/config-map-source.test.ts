import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { FakeSecure } from '@nacos-kube/core/testing/fake-secure.ts';
import { API_PATIENCE_MS, ConfigMapListSource } from './config-map-source.ts';

const MOUNTED = '/etc/members/cluster.conf';

function sourcing() {
  const host = new FakeHost();
  const secure = new FakeSecure();
  const offered: string[] = [];
  const source = new ConfigMapListSource(
    host,
    secure,
    {
      kind: 'configmap',
      address: '10.96.0.1',
      port: 443,
      kubeNamespace: 'shop',
      name: 'demo-members',
      authorityFile: '/ca.crt',
      tokenFile: '/token',
      fallbackFile: MOUNTED,
    },
    (text, from) => offered.push(`${text} from ${from}`),
  );
  return { host, secure, offered, source };
}

const configMap = (data: unknown) => httpAnswer({ metadata: { resourceVersion: '1' }, data });

test('the API comes first, the mounted file only after it', async () => {
  const { host, secure, offered, source } = sourcing();
  host.disk.put(MOUNTED, 'old');
  secure.answer = () => configMap({ 'cluster.conf': 'new' });
  source.start();
  await host.advance(0);
  assert.deepEqual(offered, ['new from the API', 'old from the mounted file']);
  await source.stop();
});

test('an API that cannot be reached is waited for five seconds, then the mounted file counts and is followed', async () => {
  const { host, offered, source } = sourcing();
  host.disk.put(MOUNTED, 'one');
  source.start();
  await host.advance(API_PATIENCE_MS - 1);
  assert.deepEqual(offered, []);
  await host.advance(1);
  host.disk.put(MOUNTED, 'two');
  await host.advance(0);
  assert.deepEqual(offered, ['one from the mounted file', 'two from the mounted file']);
  await source.stop();
});

test('the mounted file is followed too when the API is lost later', async () => {
  const { host, secure, offered, source } = sourcing();
  secure.answer = () => configMap({ 'cluster.conf': 'one' });
  source.start();
  await host.advance(0);
  secure.answer = () => httpAnswer('', 503);
  secure.stream.cut();
  await host.advance(60_000);
  host.disk.put(MOUNTED, 'two');
  await host.advance(0);
  assert.deepEqual(offered, ['one from the API', 'two from the mounted file']);
  await source.stop();
});

test('a ConfigMap without a list, or none at all, offers nothing', async () => {
  const { host, secure, offered, source } = sourcing();
  secure.answer = () => configMap({ other: 'x' });
  source.start();
  await host.advance(0);
  secure.stream.say({ type: 'DELETED', object: { metadata: { resourceVersion: '2' } } });
  await host.advance(0);
  assert.deepEqual(offered, []);
  assert.match(host.log.lines.join('\n'), /no member list/);
  await source.stop();
});
