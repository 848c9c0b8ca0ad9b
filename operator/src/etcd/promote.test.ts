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

interface Learner {
  readonly hasStarted: boolean;
  readonly isInSync: boolean;
  isLearner: boolean;
  readonly answers?: boolean;
}

/** `e-1` joins as a learner beside `e-0` and `e-2`, of which one leads; says who was asked to promote it. */
async function promoting(self: Learner, leader = 0): Promise<readonly string[]> {
  const host = new FakeHost();
  const asked: string[] = [];
  host.network.answer = ({ path, address }: OutboundRequest) => {
    if (address === 'e-1' && self.answers === false) throw new NetworkError('refused', 'nobody listens');
    switch (path) {
      case '/v3/auth/authenticate':
        return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
      case '/v3/maintenance/status':
        return httpAnswer({ header: { member_id: address.replace('e-', '10') }, leader: `10${leader}` });
      case '/v3/cluster/member/promote': {
        asked.push(address);
        if (self.isInSync) {
          self.isLearner = false;
          return httpAnswer({});
        }
        const error = 'etcdserver: can only promote a learner member which is in sync with leader';
        return httpAnswer({ error, code: 9 }, 400);
      }
      default: {
        const member = (ordinal: number) => ({ ID: `10${ordinal}`, peerURLs: [place(ordinal).peerUrl] });
        const own = { ...member(1), clientURLs: self.hasStarted ? ['x'] : [], isLearner: self.isLearner };
        return httpAnswer({ members: [member(0), own, member(2)] });
      }
    }
  };
  let isOver = false;
  const all = [0, 1, 2].map(place);
  const login = { user: 'root', password: 'p' };
  const done = promoteWhenInSync(host, new EtcdGateway(host), { self: place(1), all, login }, () => isOver);
  await host.clock.advance(6_000);
  isOver = true;
  await host.clock.advance(3_000);
  await done;
  return asked;
}

test('a learner is promoted once, when it has started and caught up, and who has its vote is let alone', async () => {
  assert.deepEqual(await promoting({ hasStarted: true, isInSync: true, isLearner: true }), ['e-0']);
  const early = await promoting({ hasStarted: true, isInSync: false, isLearner: true });
  assert.ok(early.length > 1, 'asked again until then');
  assert.deepEqual(await promoting({ hasStarted: false, isInSync: true, isLearner: true }), []);
  assert.deepEqual(await promoting({ hasStarted: true, isInSync: true, isLearner: false }), []);
});

test('it is the leader that is asked, and nobody while the learner itself does not answer', async () => {
  const early = await promoting({ hasStarted: true, isInSync: false, isLearner: true }, 2);
  assert.deepEqual([...new Set(early)], ['e-2']);
  assert.deepEqual(await promoting({ hasStarted: true, isInSync: true, isLearner: true, answers: false }), []);
});
