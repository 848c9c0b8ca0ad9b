import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aCluster } from '../testing/fixtures.ts';
import { layoutOf, portProblems, portsOf } from './layout.ts';

const OPTIONS = {
  data: 'data',
  basePort: 8850,
  metricsBasePort: 9100,
  etcdBasePort: 8950,
  vipPort: undefined,
  logLevel: 'info',
};
const EMBEDDED = { storage: { embedded: { size: '1Gi' } } };
const flagOf = (args: readonly string[], flag: string) => args[args.indexOf(flag) + 1];

test('members listen on ports of their own and share one store', () => {
  const { members, vipPort, directory } = layoutOf(aCluster({ replicas: 3, ...EMBEDDED }), OPTIONS);
  assert.equal(directory, 'data/demo');
  assert.equal(vipPort, 8848);
  assert.deepEqual(
    members.map(({ name, address, metricsPort }) => [name, address, metricsPort]),
    [
      ['demo-0', '127.0.0.1:8850', 9100],
      ['demo-1', '127.0.0.1:8860', 9101],
      ['demo-2', '127.0.0.1:8870', 9102],
    ],
  );
  for (const { node } of members) assert.equal(flagOf(node.args, '--sqlite-file'), 'data/demo/store.sqlite');
  assert.equal(new Set(members.map(({ node }) => flagOf(node.args, '--data'))).size, 3);
});

test('node and sidecar of a member are told of the same files', () => {
  const [member] = layoutOf(aCluster(EMBEDDED), OPTIONS).members;
  for (const flag of ['--member', '--member-list', '--sidecar-token-file']) {
    assert.equal(flagOf(member?.node.args ?? [], flag), flagOf(member?.sidecar.args ?? [], flag), flag);
  }
  assert.equal(flagOf(member?.sidecar.args ?? [], '--member-list-source'), 'data/demo/members.conf');
});

test('how many members there are changes nothing for each of them', () => {
  const [one] = layoutOf(aCluster({ replicas: 1, ...EMBEDDED }), OPTIONS).members;
  const [first] = layoutOf(aCluster({ replicas: 5, ...EMBEDDED }), OPTIONS).members;
  assert.deepEqual(one, first);
});

test('a database is passed on, its login in files', () => {
  const [member] = layoutOf(aCluster(), OPTIONS).members;
  const args = member?.node.args ?? [];
  assert.equal(flagOf(args, '--mysql-host'), 'db');
  assert.equal(flagOf(args, '--mysql-password-file'), 'data/demo/database/password');
});

test('settings of the manifest reach the nodes alone', () => {
  const settings = { NACOS_KUBE_LOG_LEVEL: 'debug' };
  const [member] = layoutOf(aCluster({ ...EMBEDDED, settings }), OPTIONS).members;
  assert.deepEqual(member?.node.env, settings);
  assert.ok(!member?.node.args.includes('--log-level'), 'which would win over it');
  assert.deepEqual(member?.sidecar.env, {});
});

test('ports that meet are told with the flag that moves them', () => {
  const cluster = aCluster({ replicas: 3, ...EMBEDDED });
  assert.deepEqual(portProblems(layoutOf(cluster, OPTIONS)), []);
  assert.equal(portsOf(layoutOf(cluster, OPTIONS)).length, 10);
  assert.deepEqual(portProblems(layoutOf(cluster, { ...OPTIONS, vipPort: 8860 })), [
    'port 8860 is for the VIP and for member demo-1: choose another with --base-port',
  ]);
  assert.match(portProblems(layoutOf(cluster, { ...OPTIONS, basePort: 65_530 }))[0] ?? '', /does not exist/);
});

test('a managed etcd has ports and folders of its own, and nodes reach it with its login', () => {
  const storage = {
    etcd: { managed: { members: 3, volume: { size: '4Gi' } }, prefix: '/n/', volume: { size: '1Gi' } },
  };
  const layout = layoutOf(aCluster({ replicas: 3, storage }), OPTIONS);
  const [member] = layout.members;
  const args = member?.node.args ?? [];
  assert.equal(flagOf(args, '--etcd-endpoints'), 'http://127.0.0.1:8950,http://127.0.0.1:8960,http://127.0.0.1:8970');
  assert.equal(flagOf(args, '--etcd-password-file'), 'data/demo/database/password');
  assert.deepEqual(
    layout.etcd.map(({ name, clientPort, peerPort, metricsPort }) => [name, clientPort, peerPort, metricsPort]),
    [
      ['demo-etcd-0', 8950, 8951, 8952],
      ['demo-etcd-1', 8960, 8961, 8962],
      ['demo-etcd-2', 8970, 8971, 8972],
    ],
  );
  assert.deepEqual(portProblems(layout), []);
});

test('an etcd and a Redis of others are passed on with their files', () => {
  const volume = { size: '1Gi' };
  const etcd = { endpoints: ['https://e:2379'], prefix: '/n/', secretName: 's', tlsSecretName: 't', volume };
  const ofEtcd = layoutOf(aCluster({ storage: { etcd } }), OPTIONS).members[0]?.node.args ?? [];
  assert.equal(flagOf(ofEtcd, '--etcd-ca-file'), 'data/demo/database/ca.crt');
  assert.equal(flagOf(ofEtcd, '--etcd-prefix'), '/n/');
  const redis = {
    mode: 'sentinel' as const,
    addresses: ['a:26379', 'b:26379'],
    master: 'm',
    database: 0,
    prefix: 'n:',
    tls: {},
    volume,
  };
  const ofRedis = layoutOf(aCluster({ storage: { redis } }), OPTIONS).members[0]?.node.args ?? [];
  assert.equal(flagOf(ofRedis, '--redis-addresses'), 'a:26379,b:26379');
  assert.equal(flagOf(ofRedis, '--redis-tls'), 'on');
  assert.ok(!ofRedis.includes('--redis-password-file'));
});
