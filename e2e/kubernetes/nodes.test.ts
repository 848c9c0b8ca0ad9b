/** What can happen to nodes, which the suites on failures stand on: our own cluster with three of them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FIXTURES, importCheckImage } from './check-image.ts';
import { missingForCluster, OwnCluster, requireOrFail, until } from './cluster.ts';

const given = process.env.KUBECONFIG ? ['our own cluster: KUBECONFIG names another'] : [];
const skip = given[0] ?? requireOrFail('the cluster for the tests', missingForCluster());
/** One after the other, each on a node that has just come up. */
const PODS_MS_MAX = 120_000;
const NOTICED_TIMEOUT = { timeoutMs: 60_000, everyMs: 300 };

describe('our own cluster with three nodes', { skip }, () => {
  let cluster: OwnCluster;
  const kubectl = (...args: string[]) => cluster.kubectl(args);
  const nodeReady = async (index: number): Promise<string> => {
    const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    return await kubectl('get', 'node', `node${index}`, '-o', path);
  };
  const becomes = (index: number, status: string) =>
    until(`node${index} is Ready=${status}`, async () => (await nodeReady(index)) === status, NOTICED_TIMEOUT);
  const endpoints = async (): Promise<string[]> => {
    const { items } = await cluster.get('endpointslices', '-l', 'kubernetes.io/service-name=app');
    return items
      .flatMap((slice: { endpoints: Endpoint[] }) => slice.endpoints)
      .filter((endpoint: Endpoint) => endpoint.conditions.ready)
      .map((endpoint: Endpoint) => endpoint.targetRef.name)
      .sort();
  };
  const fetchFrom = (pod: string, url: string) =>
    kubectl(
      ...['exec', pod, '--', 'node', '-e'],
      `fetch('${url}', { signal: AbortSignal.timeout(2000) }).then(() => console.log('there'), () => console.log('no'))`,
    );

  const reaches = (pod: string, url: string) =>
    until(`${pod} reaches ${url}`, async () => (await fetchFrom(pod, url)) === 'there\n');

  before(async () => {
    cluster = await OwnCluster.start({ nodes: 3 }, (line) => console.log(line));
    await importCheckImage(cluster);
    await kubectl('apply', '-f', join(FIXTURES, 'app.yaml'));
    await cluster.kubectl(['rollout', 'status', 'statefulset/app', '--timeout=110s'], { timeoutMs: PODS_MS_MAX });
  });
  after(async () => {
    await cluster?.stop();
  });

  test('spreads pods, which reach each other across nodes', async () => {
    const { items } = await cluster.get('pods', '-l', 'app=app');
    const on = new Set(items.map((pod: { spec: { nodeName: string } }) => pod.spec.nodeName));
    assert.equal(on.size, 3);
    for (const { status } of items) await reaches('app-0', `http://${status.podIP}:8848/`);
  });

  test('a node that loses power leaves the VIP', async () => {
    // Node 1 also carries the hub's way to services, which must move.
    const { items } = await cluster.get('pods', '-l', 'app=app', '--field-selector=spec.nodeName=node1');
    const lost: string = items[0].metadata.name;
    const { port, close } = await cluster.forward({ service: 'app', port: 80 });
    await cluster.killNode(1);
    await becomes(1, 'Unknown');
    await until('its pod is out of the VIP', async () => !(await endpoints()).includes(lost), NOTICED_TIMEOUT);
    // The rules of the nodes follow the endpoints a little later.
    const host = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      return ((await response.json()) as { host: string }).host;
    };
    await until('three answers of others in a row', async () => {
      for (let i = 0; i < 3; i += 1) assert.notEqual(await host(), lost);
      return true;
    });
    await close();
  });

  test('its pods come back with it', async () => {
    await cluster.startNode(1);
    await becomes(1, 'True');
    await until('three pods are in the VIP', async () => (await endpoints()).length === 3, NOTICED_TIMEOUT);
  });

  test('a node that is cut off is alive, and all is well when the cut heals', async () => {
    const { items } = await cluster.get('pods', '-l', 'app=app', '--field-selector=spec.nodeName=node2');
    const address: string = items[0].status.podIP;
    const others = await cluster.get('pods', '-l', 'app=app', '--field-selector=spec.nodeName=node3');
    const other: string = others.items[0].metadata.name;
    await cluster.cutNode(2);
    assert.equal(await fetchFrom(other, `http://${address}:8848/`), 'no\n');
    const alive = `fetch('http://${address}:8848/').then(() => console.log('there'))`;
    assert.equal(await cluster.on('node2', process.execPath, ['-e', alive]), 'there\n');
    await becomes(2, 'Unknown');
    await cluster.healNode(2);
    await becomes(2, 'True');
    // Cut off for long enough its pod was given up, and comes back with another address.
    const name: string = items[0].metadata.name;
    await until(`${other} reaches ${name}`, async () => {
      const { status } = await cluster.get('pod', name);
      return (await fetchFrom(other, `http://${status.podIP}:8848/`)) === 'there\n';
    });
  });

  test('a kubelet that hangs is noticed, and goes on', async () => {
    cluster.freezeKubelet(3);
    await becomes(3, 'Unknown');
    cluster.thawKubelet(3);
    await becomes(3, 'True');
  });

  test('two pods are parted by a rule on a node', async () => {
    const pods = await until(
      'three pods are in the VIP, and none is about to go',
      async () => {
        const { items } = await cluster.get('pods', '-l', 'app=app');
        const isLasting = (items as Pod[]).every(({ metadata }) => metadata.deletionTimestamp === undefined);
        return isLasting && items.length === 3 && (await endpoints()).length === 3 && (items as Pod[]);
      },
      NOTICED_TIMEOUT,
    );
    const [one, two] = pods;
    assert.ok(one && two);
    const url = `http://${two.status.podIP}:8848/`;
    const node = one.spec.nodeName as 'node1';
    const rule = ['FORWARD', '-s', one.status.podIP, '-d', two.status.podIP, '-j', 'DROP'];
    await cluster.on(node, 'iptables', ['-I', ...rule], { namespaces: 'all' });
    assert.equal(await fetchFrom(one.metadata.name, url), 'no\n');
    await cluster.on(node, 'iptables', ['-D', ...rule], { namespaces: 'all' });
    await reaches(one.metadata.name, url);
  });
});

interface Endpoint {
  readonly conditions: { readonly ready: boolean };
  readonly targetRef: { readonly name: string };
}

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly podIP: string };
}
