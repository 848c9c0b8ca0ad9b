import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { EtcdGateway } from './gateway.ts';
import { promoteWhenInSync } from './promote.ts';

const place = (ordinal: number) => ({
  name: `e-${ordinal}`,
  peerUrl: `http://e-${ordinal}:2380`,
  client: { address: `e-${ordinal}`, port: 2379 },
});

/** `e-1` joins as a learner beside `e-0`; `e-2` is away. */
async function promoting(self: { hasStarted: boolean; isInSync: boolean; isLearner: boolean }, count = 3) {
  const host = new FakeHost();
  let promotions = 0;
  host.network.answer = ({ path, address }: OutboundRequest) => {
    if (address !== 'e-0') throw new NetworkError('refused', 'nobody listens');
    if (path === '/v3/auth/authenticate') {
      return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
    }
    if (path !== '/v3/cluster/member/promote') {
      const urls = { peerURLs: [place(1).peerUrl], clientURLs: self.hasStarted ? ['x'] : [] };
      return httpAnswer({ members: [{ ID: '9', name: '', ...urls, isLearner: self.isLearner }] });
    }
    promotions++;
    if (!self.isInSync) {
      const error = 'etcdserver: can only promote a learner member which is in sync with leader';
      return httpAnswer({ error, code: 9 }, 400);
    }
    self.isLearner = false;
    return httpAnswer({});
  };
  let isOver = false;
  const all = Array.from({ length: count }, (_, ordinal) => place(ordinal));
  const login = { user: 'root', password: 'p' };
  const done = promoteWhenInSync(host, new EtcdGateway(host), { self: place(1), all, login }, () => isOver);
  await host.clock.advance(6_000);
  isOver = true;
  await host.clock.advance(3_000);
  await done;
  return promotions;
}

test('a learner is promoted once, when it has started and caught up, and who has its vote is let alone', async () => {
  assert.equal(await promoting({ hasStarted: true, isInSync: true, isLearner: true }), 1);
  assert.ok((await promoting({ hasStarted: true, isInSync: false, isLearner: true })) > 1, 'asked again until then');
  assert.equal(await promoting({ hasStarted: false, isInSync: true, isLearner: true }), 0);
  assert.equal(await promoting({ hasStarted: true, isInSync: true, isLearner: false }), 0);
});
