import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemberList } from '@nacos-kube/core/model/member-list.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import type { NacosCluster, NacosClusterSpec } from './generated/nacos-cluster.ts';
import { KubeError } from './kube/api.ts';
import type { ConfigMap, KubeObject, Lease, Secret, StatefulSet } from './kube/objects.ts';
import {
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  EVENTS,
  LEASES,
  NACOS_CLUSTERS,
  NETWORK_POLICIES,
  PODS,
  SECRETS,
  SERVICES,
  STATEFUL_SETS,
} from './kube/resource-types.ts';
import type { OperatorOptions } from './operator.ts';
import { createOperator } from './operator.ts';
import { FakeKube } from './testing/fake-kube.ts';
import { FakeWorkloads } from './testing/fake-workloads.ts';
import { aCluster, DEFAULTS } from './testing/fixtures.ts';

const LOGIN = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db-login', namespace: 'shop' },
  data: { user: 'bmFjb3M=', password: 'c2VjcmV0' },
} as Secret;

function world(options: Partial<OperatorOptions> = {}) {
  const host = new FakeHost();
  const kube = new FakeKube();
  const workloads = new FakeWorkloads(host, kube);
  const operator = (rest: Partial<OperatorOptions> = {}) =>
    createOperator(host, kube, {
      identity: 'operator-1',
      listen: '127.0.0.1',
      metricsPort: 9101,
      watchNamespaces: [],
      registration: false,
      podDefaults: DEFAULTS,
      lease: undefined,
      onLost: () => {},
      ...options,
      ...rest,
    });
  kube.put(SECRETS, LOGIN);
  const spec = (change: Partial<NacosClusterSpec>) => {
    const is = kube.read<NacosCluster>(NACOS_CLUSTERS, 'shop/demo') ?? aCluster();
    const next: NacosCluster = { ...is, spec: { ...is.spec, ...change } };
    kube.put(NACOS_CLUSTERS, next);
  };
  const cluster = () => kube.read<NacosCluster>(NACOS_CLUSTERS, 'shop/demo') as NacosCluster;
  const reason = () => cluster().status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
  const list = () => {
    const map = kube.read<ConfigMap>(CONFIG_MAPS, 'shop/demo-members');
    const parsed = parseMemberList(map?.data?.['cluster.conf'] ?? '');
    assert.equal(parsed.kind, 'sealed');
    return parsed.kind === 'sealed' ? `${parsed.generation}: ${parsed.members.length}` : '';
  };
  return { host, kube, workloads, operator, spec, cluster, reason, list };
}

test('a manifest becomes a cluster that is Ready, and then nothing is written any more', async () => {
  const { kube, workloads, operator, spec, reason, cluster } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(reason(), 'AllMembersReady');
  assert.equal(cluster().status?.readyReplicas, 3);
  assert.equal(
    cluster().status?.members?.every((member) => member.listAgrees),
    true,
  );
  assert.ok(kube.read(SERVICES, 'shop/demo') && kube.read(SERVICES, 'shop/demo-headless'));
  assert.ok(kube.read(DISRUPTION_BUDGETS, 'shop/demo'));

  await workloads.run(30_000);
  const writes = () => kube.calls.filter((call) => /^(apply|create|update|delete)/.test(call)).length;
  const before = writes();
  await workloads.run(600_000);
  assert.equal(writes(), before);
  await running.stop();
});

test('several replicas that name no store get an etcd, in order, and then nothing is written any more', async () => {
  const { kube, workloads, operator, reason, cluster, spec } = world();
  const running = operator();
  await running.start();
  const { storage: _none, ...unnamed } = aCluster({ replicas: 3 }).spec;
  kube.put(NACOS_CLUSTERS, { ...aCluster(), spec: unnamed } as NacosCluster);
  const guardedAtFirstNode: boolean[] = [];
  kube.onWrite = (type, object) => {
    if (type === STATEFUL_SETS && object.metadata.name === 'demo') guardedAtFirstNode.push(workloads.etcd.isGuarded);
  };
  await workloads.run(30_000);
  assert.equal(reason(), 'AllMembersReady');
  assert.equal(guardedAtFirstNode[0], true, 'nodes come when etcd asks for its login');
  assert.deepEqual(
    cluster().status?.storage?.members?.map(({ name, state }) => `${name} ${state}`),
    ['demo-etcd-0 UP', 'demo-etcd-1 UP', 'demo-etcd-2 UP'],
  );
  assert.ok(kube.read(NETWORK_POLICIES, 'shop/demo-etcd') && kube.read(DISRUPTION_BUDGETS, 'shop/demo-etcd'));
  assert.equal(kube.read<Secret>(SECRETS, 'shop/demo-etcd-login')?.metadata.name, 'demo-etcd-login');

  await workloads.run(30_000);
  const writes = () => kube.calls.filter((call) => /^(apply|create|update|delete)/.test(call)).length;
  const before = writes();
  await workloads.run(600_000);
  assert.equal(writes(), before);

  spec({ replicas: 1 });
  await workloads.run(30_000);
  assert.equal(cluster().status?.storage?.kind, 'etcd');
  assert.equal(workloads.pods().length, 4);
  await running.stop();
});

test('a new image goes through nodes, then the followers of etcd, then its leader when it has handed over', async () => {
  const { kube, workloads, operator, reason } = world();
  const running = operator();
  await running.start();
  const { storage: _none, ...unnamed } = aCluster({ replicas: 3 }).spec;
  kube.put(NACOS_CLUSTERS, { ...aCluster(), spec: unnamed } as NacosCluster);
  await workloads.run(60_000);
  kube.calls.length = 0;
  kube.put(NACOS_CLUSTERS, {
    ...(kube.read(NACOS_CLUSTERS, 'shop/demo') as NacosCluster),
    spec: { ...unnamed, image: { tag: '0.2.0' } },
  } as NacosCluster);
  await workloads.run(200_000);
  const replaced = kube.calls.flatMap((call) => /^delete pods shop\/(.*)/.exec(call)?.[1] ?? []);
  assert.deepEqual(replaced, ['demo-2', 'demo-1', 'demo-0', 'demo-etcd-2', 'demo-etcd-1', 'demo-etcd-0']);
  assert.deepEqual(workloads.etcd.orders.at(-1), '/v3/maintenance/transfer-leadership');
  assert.equal(reason(), 'AllMembersReady');
  await running.stop();
});

test('scaling 3 > 5 > 3 restarts none of the others, and each list has its generation', async () => {
  const { workloads, operator, spec, reason, list } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(list(), '1: 3');
  spec({ replicas: 5 });
  await workloads.run(20_000);
  assert.equal(list(), '2: 5');
  assert.equal(reason(), 'AllMembersReady');
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(list(), '3: 3');
  assert.equal(reason(), 'AllMembersReady');
  assert.equal(workloads.pods().length, 3);
  assert.deepEqual(
    ['demo-0', 'demo-1', 'demo-2'].map((name) => workloads.starts.get(name)),
    [1, 1, 1],
  );
  await running.stop();
});

test('leaving members are out of the list before their pods go', async () => {
  const { kube, workloads, operator, spec, list } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 5 });
  await workloads.run(20_000);
  kube.onWrite = (type, object) => {
    if (type === STATEFUL_SETS && (object as StatefulSet).spec.replicas === 3) assert.equal(list(), '2: 3');
  };
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(kube.read<StatefulSet>(STATEFUL_SETS, 'shop/demo')?.spec.replicas, 3);
  await running.stop();
});

test('a new image is rolled out one member at a time, and never are two away', async () => {
  const { workloads, operator, spec, reason, kube } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(30_000);
  spec({ image: { tag: '0.2.0' } });
  let fewest = 3;
  await workloads.run(90_000, () => {
    fewest = Math.min(fewest, workloads.pods().filter((pod) => pod.status?.conditions).length);
  });
  assert.equal(fewest, 2);
  assert.equal(reason(), 'AllMembersReady');
  assert.deepEqual([...workloads.starts.values()], [2, 2, 2]);
  const reasons = kube.readAll<KubeObject & { reason: string }>(EVENTS).map((event) => event.reason);
  assert.ok(reasons.includes('RollingUpdateStarted') && reasons.includes('RollingUpdateFinished'));
  await running.stop();
});

test('an image that does not start holds the rollout, and a corrected one goes on', async () => {
  const { workloads, operator, spec, reason, kube } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(30_000);
  workloads.broken.add('demo-2');
  spec({ image: { tag: 'tpyo' } });
  await workloads.run(120_000);
  assert.equal(reason(), 'RollingUpdate');
  assert.deepEqual([...workloads.starts.values()], [1, 1, 2]);
  workloads.broken.clear();
  spec({ image: { tag: '0.2.0' } });
  await workloads.run(120_000);
  assert.equal(reason(), 'AllMembersReady');
  assert.ok(kube.read(PODS, 'shop/demo-0'));
  await running.stop();
});

test('an operator that restarts in the middle of a scale-in ends it', async () => {
  const { workloads, operator, spec, list, reason } = world();
  const first = operator();
  await first.start();
  spec({ replicas: 5 });
  await workloads.run(20_000);
  spec({ replicas: 3 });
  await workloads.run(500);
  await first.stop();
  const second = operator();
  await second.start();
  await workloads.run(40_000);
  assert.equal(list(), '2: 3');
  assert.equal(reason(), 'AllMembersReady');
  await second.stop();
});

test('while the API server fails half of all calls nothing shrinks, and all is well afterwards', async () => {
  const { host, kube, workloads, operator, spec, list, reason } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(30_000);
  kube.failWith = () => (host.random.float() < 0.5 ? new KubeError(503, '', 'etcd leader changed') : undefined);
  await workloads.run(300_000, () => assert.equal(workloads.pods().length, 3));
  kube.failWith = undefined;
  kube.endWatches();
  await workloads.run(400_000);
  assert.equal(list(), '1: 3');
  assert.equal(reason(), 'AllMembersReady');
  assert.deepEqual([...workloads.starts.values()], [1, 1, 1]);
  await running.stop();
});

test('what somebody changed or deleted by hand is put back', async () => {
  const { kube, workloads, operator, spec, list } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(30_000);
  const service = kube.read(SERVICES, 'shop/demo') as KubeObject & { spec: object };
  kube.put(SERVICES, { ...service, spec: { ...service.spec, selector: { app: 'other' } } } as KubeObject);
  kube.remove(DISRUPTION_BUDGETS, 'shop/demo');
  kube.remove(CONFIG_MAPS, 'shop/demo-members');
  await workloads.run(5_000);
  const after = kube.read(SERVICES, 'shop/demo') as KubeObject & { spec: { selector: Record<string, string> } };
  assert.equal(after.spec.selector['app.kubernetes.io/instance'], 'demo');
  assert.ok(kube.read(DISRUPTION_BUDGETS, 'shop/demo'));
  assert.equal(list(), '2: 3');
  await running.stop();
});

test('the cluster key is made once and stands nowhere else', async () => {
  const { host, kube, workloads, operator, spec } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(20_000);
  const secret = kube.read(SECRETS, 'shop/demo-cluster-key') as KubeObject & { stringData: { key: string } };
  assert.match(secret.stringData.key, /^[\w-]{43}$/);
  await workloads.run(120_000);
  assert.deepEqual(kube.read(SECRETS, 'shop/demo-cluster-key'), secret);
  assert.ok(!host.log.lines.join('\n').includes(secret.stringData.key));
  await running.stop();
});

test('a login that is missing is told, and coming later it heals', async () => {
  const { kube, workloads, operator, spec, cluster, reason } = world();
  kube.remove(SECRETS, 'shop/db-login');
  for (const name of ['demo-0', 'demo-1', 'demo-2']) workloads.broken.add(name);
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(reason(), 'DatabaseSecretInvalid');
  assert.match(JSON.stringify(cluster().status?.conditions), /make it with the keys user and password/);
  kube.put(SECRETS, LOGIN);
  workloads.broken.clear();
  await workloads.run(60_000);
  assert.equal(reason(), 'AllMembersReady');
  await running.stop();
});

test('a refusal of the API server stands in the status', async () => {
  const { kube, workloads, operator, spec, cluster, reason } = world();
  kube.failWith = (call) =>
    call === 'apply statefulsets shop/demo'
      ? new KubeError(422, 'Invalid', 'spec.template: invalid quantity')
      : undefined;
  const running = operator();
  await running.start();
  spec({ replicas: 3 });
  await workloads.run(10_000);
  assert.equal(reason(), 'SpecInvalid');
  assert.match(JSON.stringify(cluster().status?.conditions), /invalid quantity/);
  kube.failWith = undefined;
  await workloads.run(60_000);
  assert.equal(reason(), 'AllMembersReady');
  await running.stop();
});

test('of two operators one acts; the other takes over when it ends, and readiness does not depend on it', async () => {
  const lease = { kubeNamespace: 'system', name: 'operator', leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };
  const { host, kube, workloads, operator, spec, reason } = world({ lease });
  const first = operator();
  const second = operator({ identity: 'operator-2', metricsPort: 9102 });
  await first.start();
  await second.start();
  spec({ replicas: 3 });
  await workloads.run(20_000);
  assert.equal(reason(), 'AllMembersReady');
  const holder = () => kube.read<Lease>(LEASES, 'system/operator')?.spec?.holderIdentity ?? '';
  assert.match(holder(), /^operator-1_/);
  assert.equal((await host.network.ask(9102, '/readyz')).status, 200);
  assert.match(String((await host.network.ask(9101, '/metrics')).body), /nacos_kube_operator_leader 1/);
  assert.match(String((await host.network.ask(9102, '/metrics')).body), /nacos_kube_operator_leader 0/);
  await first.stop();
  await workloads.run(5_000);
  assert.match(holder(), /^operator-2_/);
  spec({ replicas: 5 });
  await workloads.run(20_000);
  assert.equal(workloads.pods().length, 5);
  await second.stop();
});

test('metrics count turns and tell that everything is listed', async () => {
  const { host, workloads, operator, spec } = world();
  const running = operator();
  await running.start();
  spec({ replicas: 1, storage: { embedded: { size: '1Gi' } } });
  await workloads.run(10_000);
  const body = String((await host.network.ask(9101, '/metrics')).body);
  assert.match(body, /nacos_kube_operator_synced 1/);
  assert.match(body, /nacos_kube_operator_clusters 1/);
  assert.match(body, /nacos_kube_operator_reconcile_total\{queue="clusters",result="ok"\} [1-9]/);
  assert.match(body, /nacos_kube_operator_queue_depth\{queue="registration"\} 0/);
  assert.equal((await host.network.ask(9101, '/healthz')).status, 200);
  assert.equal((await host.network.ask(9101, '/nothing')).status, 404);
  await running.stop();
});
