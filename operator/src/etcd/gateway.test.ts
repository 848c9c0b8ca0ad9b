import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { EtcdGateway } from './gateway.ts';

const LOGIN = { user: 'root', password: 'p' };
const [ONE, OTHER] = ['10.0.0.1', '10.0.0.2'].map((address) => ({ address, port: 2379 }));

/** An etcd that takes the token it gave last; `late` get no answer. */
function guarded() {
  const host = new FakeHost();
  const late = new Set<string>();
  let logins = 0;
  host.network.answer = ({ address, path, headers }: OutboundRequest) => {
    if (path === '/v3/auth/authenticate') return httpAnswer({ token: `token ${++logins}` });
    const token = headers?.['authorization'] ?? '';
    if (late.has(address) || late.has(token)) throw new NetworkError('timeout', 'no answer in 2000 ms');
    if (token !== `token ${logins}`) return httpAnswer({ error: 'etcdserver: invalid auth token', code: 16 }, 401);
    return httpAnswer({ leader: '7', version: '3.6.5' });
  };
  const gateway = new EtcdGateway(host);
  const ask = (at = ONE!) =>
    gateway.status(at, LOGIN).then(
      ({ leaderId }) => leaderId,
      (error: Error) => error.message,
    );
  return { host, late, ask, logins: () => logins, forgetAll: () => void logins++ };
}

test('one login serves for all calls, and another one when it is refused', async () => {
  const { ask, logins, forgetAll } = guarded();
  assert.deepEqual([await ask(), await ask(OTHER), logins()], ['7', '7', 1]);
  forgetAll();
  assert.deepEqual([await ask(), logins()], ['7', 3]);
});

test('a token that an etcd made anew keeps waiting for is given up, for nobody would ever refuse it', async () => {
  const { host, late, ask, logins } = guarded();
  await ask();
  late.add('token 1');
  assert.deepEqual([await ask(), logins()], ['no answer in 2000 ms', 1], 'it may be slow');
  await host.advance(5_000);
  assert.deepEqual([await ask(), logins()], ['no answer in 2000 ms', 1]);
  assert.deepEqual([await ask(), logins()], ['7', 2]);
});

test('a member that hangs costs no login while another one takes the token', async () => {
  const { host, late, ask, logins } = guarded();
  late.add(ONE!.address);
  for (let look = 0; look < 5; look++) {
    await Promise.all([ask(), ask(OTHER)]);
    await host.advance(4_000);
  }
  assert.equal(await ask(OTHER), '7');
  assert.ok(logins() <= 2, `${logins()} logins`);
});
