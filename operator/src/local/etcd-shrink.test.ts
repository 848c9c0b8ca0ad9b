import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { EtcdGateway } from '../etcd/gateway.ts';
import { shrinkEtcd } from './etcd-shrink.ts';

const LOGIN = { user: 'root', password: 'p' };
const place = (ordinal: number) => ({
  ordinal,
  name: `e-${ordinal}`,
  peerUrl: `http://127.0.0.1:${ordinal + 100}`,
  client: { address: '127.0.0.1', port: ordinal },
});

/** Members 0, 1 and 2 of an etcd, each on the port of its number. */
class ThreeMembers {
  readonly host = new FakeHost();
  readonly orders: string[] = [];
  readonly members = new Set([0, 1, 2]);
  readonly down = new Set<number>();
  readonly learners = new Set<number>();
  leader = 2;
  refusals = 0;

  constructor() {
    this.host.network.answer = ({ port, path, body }: OutboundRequest) => {
      if (!this.members.has(port) || this.down.has(port)) throw new NetworkError('refused', 'nobody listens');
      return this.#answer(port, path, JSON.parse(String(body)) as Record<string, string>);
    };
  }

  async shrink(wanted: number, withinMs: number) {
    const removed: number[] = [];
    let isOver = false;
    const shrinking = shrinkEtcd(this.host, {
      ...{ gateway: new EtcdGateway(this.host), login: LOGIN, places: [0, 1, 2, 3, 4].map(place), wanted },
      isOver: () => isOver,
      onRemoved: async (ordinal) => void (removed.includes(ordinal) || removed.push(ordinal)),
    });
    await this.host.clock.advance(withinMs);
    isOver = true;
    await this.host.clock.advance(1_000);
    return { why: await shrinking, removed: removed.filter((ordinal) => ordinal < 3) };
  }

  #answer(port: number, path: string, body: Record<string, string>) {
    switch (path) {
      case '/v3/auth/authenticate':
        return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
      case '/v3/maintenance/status':
        return httpAnswer({ header: { member_id: `${port + 50}` }, leader: `${this.leader + 50}` });
      case '/v3/kv/range':
        return this.learners.has(port)
          ? httpAnswer({ error: 'not supported for learner', code: 14 }, 503)
          : httpAnswer({});
      case '/v3/cluster/member/list': {
        const members = [...this.members].map((ordinal) => ({
          ...{ ID: `${ordinal + 50}`, name: `e-${ordinal}`, peerURLs: [place(ordinal).peerUrl], clientURLs: ['x'] },
          isLearner: this.learners.has(ordinal),
        }));
        return httpAnswer({ members });
      }
      default:
        return this.#obey(port, path.slice('/v3/'.length), Number(body['ID'] ?? body['targetID']) - 50);
    }
  }

  #obey(port: number, what: string, ordinal: number) {
    this.orders.push(`${port}: ${what} ${ordinal}`);
    if (this.refusals-- > 0) return httpAnswer({ error: 'etcdserver: unhealthy cluster', code: 14 }, 503);
    if (what === 'cluster/member/remove') this.members.delete(ordinal);
    else this.leader = ordinal;
    return httpAnswer({});
  }
}

test('members leave one at a time, the highest first, and none while it leads', async () => {
  const etcd = new ThreeMembers();
  etcd.refusals = 2;
  assert.deepEqual(await etcd.shrink(1, 20_000), { why: undefined, removed: [2, 1] });
  const [handOver, remove] = ['2: maintenance/transfer-leadership 0', '0: cluster/member/remove 2'];
  assert.deepEqual(etcd.orders, [handOver, handOver, handOver, remove, '0: cluster/member/remove 1']);
});

test('nobody leaves while one that stays has nothing yet, or the rest would be too few', async () => {
  const joining = new ThreeMembers();
  joining.learners.add(0);
  assert.deepEqual(await joining.shrink(1, 5_000), { why: 'e-0 has to copy what the others have first', removed: [] });

  const away = new ThreeMembers();
  away.down.add(0);
  const { why, removed } = await away.shrink(1, 70_000);
  assert.deepEqual([why, removed], ['without e-2 no member that stays has the data', []]);
  assert.deepEqual([joining.orders, away.orders], [[], []]);

  const silent = new ThreeMembers();
  for (const ordinal of [0, 1, 2]) silent.down.add(ordinal);
  assert.equal((await silent.shrink(1, 5_000)).why, 'no member answers with a quorum');
});
