import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, type OutboundRequest } from '@nacos-kube/core/host/host.ts';
import { FakeHost, httpAnswer } from '@nacos-kube/core/testing/fake-host.ts';
import { type MemberPlace, prepareMember } from './prepare.ts';

const NOTE = '/data/etcd.joining';

function place(ordinal: number): MemberPlace {
  const name = `e-${ordinal}`;
  return { name, peerUrl: `http://${name}:2380`, client: { address: name, port: 2379 } };
}

/** `e-1` with an empty volume, beside others that answer an `add` so; whether it may start by itself then. */
async function joining(answerToAdd: () => ReturnType<typeof httpAnswer>) {
  const host = new FakeHost();
  const start = { looks: 0 };
  let isSilent = false;
  host.network.answer = ({ path, address }: OutboundRequest) => {
    if (isSilent) throw new NetworkError('refused', 'nobody listens');
    if (address !== 'e-0') throw new NetworkError('refused', 'nobody listens');
    if (path === '/v3/auth/authenticate')
      return httpAnswer({ error: 'etcdserver: authentication is not enabled', code: 9 }, 412);
    if (path === '/v3/cluster/member/add') {
      isSilent = true;
      return answerToAdd();
    }
    const members = [0, 2].map((ordinal) => ({
      ID: String(ordinal),
      name: `e-${ordinal}`,
      peerURLs: [place(ordinal).peerUrl],
      clientURLs: ['x'],
    }));
    return httpAnswer({ members });
  };
  const preparing = prepareMember(
    host,
    {
      self: place(1),
      wanted: [0, 1, 2].map(place),
      isFormed: true,
      login: { user: 'root', password: 'p' },
      dataDirectory: '/data/etcd',
      configFile: '/run/etcd.json',
      config: { token: 't', listen: '0.0.0.0', peerPort: 2380, clientPort: 2379, metricsPort: 2381, quotaBytes: 1 },
    },
    () => start.looks++ > 3,
  );
  await host.clock.advance(10_000);
  return { hasStarted: await preparing, note: host.disk.files.get(NOTE) };
}

test('a member that was refused waits for its turn when nobody answers after that', async () => {
  for (const error of [
    'etcdserver: unhealthy cluster',
    'etcdserver: re-configuration failed due to not enough started members',
  ]) {
    const { hasStarted, note } = await joining(() => httpAnswer({ error, code: 14 }, 503));
    assert.deepEqual([hasStarted, note], [false, undefined], error);
  }
});

test('a member that may have been added starts when nobody answers after that: it may be the quorum that is missing', async () => {
  const added = await joining(() => httpAnswer({}));
  assert.equal(added.hasStarted, true);
  const unheard = await joining(() => {
    throw new NetworkError('timeout', 'no answer');
  });
  assert.equal(unheard.hasStarted, true);
});
