import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { logSegment } from '../testing/etcd-log.ts';
import { foundedClusterId } from './founding.ts';
import { type MemberPlace, prepareMember } from './prepare.ts';

const LOG = '/data/etcd/member/wal/0000000000000000-0000000000000000.wal';
const CLUSTER = 77n;

function place(ordinal: number): MemberPlace {
  const name = `e-${ordinal}`;
  return { name, peerUrl: `http://${name}:2380`, client: { address: name, port: 2379 } };
}

/** What `e-1` meets: the others answer with these members, and so to what they are asked to do. */
class Others {
  readonly host = new FakeHost();
  readonly orders: { readonly path: string; readonly body: object }[] = [];
  members: { ID: string; name: string; peerURLs: string[]; clientURLs: string[]; isLearner?: boolean }[] = [0, 2].map(
    (ordinal) => ({ ID: `${ordinal}`, name: `e-${ordinal}`, peerURLs: [place(ordinal).peerUrl], clientURLs: ['x'] }),
  );
  refusal: string | undefined;

  constructor() {
    this.host.network.answer = ({ path, address, body }: OutboundRequest) => {
      if (address !== 'e-0') throw new NetworkError('refused', 'nobody listens');
      switch (path) {
        case '/v3/auth/authenticate':
          return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
        case '/v3/kv/range':
        case '/v3/cluster/member/list':
          return httpAnswer({ header: { cluster_id: String(CLUSTER) }, members: this.members });
        default:
          this.orders.push({ path, body: JSON.parse(String(body)) });
          if (this.refusal !== undefined) return httpAnswer({ error: this.refusal, code: 9 }, 400);
          this.members.push({ ID: '9', name: '', peerURLs: [place(1).peerUrl], clientURLs: [], isLearner: true });
          return httpAnswer({});
      }
    };
  }

  /** Whether it may start within so long. */
  async prepare(withinMs: number, wanted = [0, 1, 2], isFormed = true): Promise<boolean> {
    let isOver = false;
    const preparing = prepareMember(
      this.host,
      {
        self: place(1),
        wanted: wanted.map(place),
        isFormed,
        login: { user: 'root', password: 'p' },
        dataDirectory: '/data/etcd',
        configFile: '/run/etcd.json',
        config: { token: 't', listen: '0.0.0.0', peerPort: 2380, clientPort: 2379, metricsPort: 2381, quotaBytes: 1 },
      },
      () => isOver,
    );
    await this.host.clock.advance(withinMs);
    isOver = true;
    await this.host.clock.advance(2_000);
    return await preparing;
  }

  /** The disk of tests holds texts, which a log is not. */
  putLog(memberId: bigint, clusterId: bigint): void {
    const { disk } = this.host;
    const read = disk.read.bind(disk);
    disk.put(LOG, 'log');
    disk.read = async (path) => (path === LOG ? logSegment(memberId, clusterId) : await read(path));
  }

  /** What etcd is started with; empty before that. */
  get config(): Readonly<Record<string, unknown>> {
    return JSON.parse(this.host.disk.files.get('/run/etcd.json') ?? '{}');
  }
}

test('a member joins as a learner: the quorum of the others is the same whether it starts or not', async () => {
  const others = new Others();
  assert.equal(await others.prepare(5_000), true);
  const body = { peerURLs: ['http://e-1:2380'], isLearner: true };
  assert.deepEqual(others.orders, [{ path: '/v3/cluster/member/add', body }]);
  assert.equal(others.config['snapshot-count'], 1_000, 'what 3.4 wrote is soon behind a snapshot, for 3.6');
  assert.equal(others.config['pre-vote'], true);
  assert.equal(others.config['initial-cluster'], 'e-0=http://e-0:2380,e-2=http://e-2:2380,e-1=http://e-1:2380');
});

test('a member that was refused waits for its turn', async () => {
  for (const refusal of [
    'etcdserver: unhealthy cluster',
    'etcdserver: re-configuration failed due to not enough started members',
    'membership: too many learner members in cluster',
  ]) {
    const others = new Others();
    others.refusal = refusal;
    assert.equal(await others.prepare(3_500), false, refusal);
    assert.equal(others.orders.length, 4, 'asked again each second');
    assert.equal(others.config['initial-cluster'], undefined);
  }
});

test('a member that was removed forgets its data and joins anew', async () => {
  const others = new Others();
  others.putLog(1n, CLUSTER);
  await others.host.disk.write('/data/etcd/member/snap/db', 'of the number that was removed');
  assert.equal(await others.prepare(5_000), true);
  assert.equal(others.orders.length, 1);
  assert.deepEqual(await others.host.disk.list('/data/etcd/member'), []);
});

test('a member with the data of another cluster keeps them', async () => {
  const others = new Others();
  others.putLog(1n, CLUSTER + 1n);
  assert.equal(await others.prepare(5_000), true);
  assert.deepEqual(others.orders, []);
  assert.ok(others.host.disk.files.has(LOG));
});

test('data of a cluster that never formed, under another token or with other members, give way to what begins now', async () => {
  const others = new Others();
  others.host.network.answer = () => {
    throw new NetworkError('refused', 'nobody listens');
  };
  const urls = [0, 1, 2].map((ordinal) => place(ordinal).peerUrl);
  others.putLog(1n, BigInt(foundedClusterId(urls, 't')));
  assert.equal(await others.prepare(5_000, [0, 1, 2], false), true);
  assert.ok(others.host.disk.files.has(LOG), 'it is what begins now');
  assert.equal(others.config['initial-cluster-state'], 'existing');

  others.putLog(1n, BigInt(foundedClusterId(urls, 'of a NacosCluster that is gone')));
  assert.equal(await others.prepare(5_000, [0, 1, 2], false), true);
  assert.ok(!others.host.disk.files.has(LOG));
  assert.equal(others.config['initial-cluster-state'], 'new');
});

test('who shall be no member ends after a while, so that it is told anew who shall be one', async () => {
  const others = new Others();
  assert.equal(await others.prepare(9_000, [0]), false);
  const before = others.host.clock.monotonic();
  assert.equal(await others.prepare(30_000, [0]), false);
  assert.ok(others.host.clock.monotonic() - before >= 30_000);
  assert.deepEqual(others.orders, []);
});

test('who waits for the others ends after a while too, so that it is told anew who they are', async () => {
  const others = new Others();
  others.members = [];
  others.host.network.answer = () => {
    throw new NetworkError('refused', 'nobody listens');
  };
  const ended = async (withinMs: number) => {
    const before = others.host.log.lines.length;
    assert.equal(await others.prepare(withinMs), false);
    return others.host.log.lines.slice(before).some((line) => JSON.stringify(line).includes('told anew'));
  };
  assert.equal(await ended(55_000), false);
  assert.equal(await ended(65_000), true);
});

test('a note of the version before, of one that was added with a vote, starts it when nobody answers, and goes with its data', async () => {
  const note = '/data/etcd.joining';
  const others = new Others();
  const { answer } = others.host.network;
  others.host.disk.put(note, 'e-0=http://e-0:2380,e-1=http://e-1:2380');
  others.host.network.answer = () => {
    throw new NetworkError('refused', 'nobody listens');
  };
  assert.equal(await others.prepare(5_000), true);
  assert.equal(others.config['initial-cluster'], 'e-0=http://e-0:2380,e-1=http://e-1:2380');
  assert.equal(others.config['initial-cluster-state'], 'existing');
  assert.ok(others.host.disk.files.has(note), 'its etcd may not have started yet');

  others.host.network.answer = answer;
  others.putLog(1n, CLUSTER + 1n);
  assert.equal(await others.prepare(5_000), true);
  assert.ok(!others.host.disk.files.has(note));

  const added = new Others();
  added.host.disk.put(note, 'an old list');
  assert.equal(await added.prepare(5_000), true);
  assert.ok(!added.host.disk.files.has(note), 'it has another number now');
});
