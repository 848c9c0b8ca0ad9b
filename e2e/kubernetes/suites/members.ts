/** Members, the VIP, scaling and a lost pod. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { delay, until } from '../cluster.ts';
import { isReady, type PodObject, restartsOf } from './installation.ts';
import type { Registry } from './registry.ts';
import { membersIn, NAME, type Three } from './three.ts';

/** Within this every node has a new list, as promised. */
const LIST_MS_MAX = 5_000;
const CONVERGED_MS_MAX = 60_000;

export function members(stage: () => Three): void {
  describe('members', () => {
    test('kubectl shows that all three are ready, and each node sees all of them UP', async () => {
      const three = stage();
      const [, line = ''] = (await three.installation.kubectl('get', 'nc')).split('\n');
      assert.match(line, /^three\s+3\s+3\s+mysql\s+\S+\s+AllMembersReady\s/);
      await three.everyNode('three members are UP', async (node) => isUp(node, three.addresses(3)));
      await until('the status says so, too', async () => {
        const { status } = await three.installation.ready(NAME, 3);
        return status?.members.length === 3 && status.members.every((one) => one.state === 'UP' && one.listAgrees);
      });
    });

    test('what is written by the VIP is read from every node', async () => {
      const three = stage();
      await three.vip.register('orders', '10.9.1.1', 8080, { ephemeral: 'false' });
      await three.vip.register('carts', '10.9.1.2', 8080);
      await three.vip.publish('shop.json', '{"open":true}');
      await three.everyNode('all is read', async (node) => {
        const [orders, carts] = await Promise.all([node.instances('orders'), node.instances('carts')]);
        return orders.length === 1 && carts.length === 1 && (await node.read('shop.json')) === '{"open":true}';
      });
    });

    for (const [from, to] of [
      [3, 5],
      [5, 3],
    ] as const)
      test(`scaling from ${from} to ${to} gives every node the new list within 5 s and restarts none`, async (t) => {
        const three = stage();
        const before = await three.pods(3);
        const nodes = await three.nodes(3);
        const watch = watchInstances(nodes, 'steady');
        const startedMs = performance.now();
        await three.installation.kubectl('scale', 'nc', NAME, `--replicas=${to}`);
        const scaledMs = performance.now() - startedMs;
        const inFileMs = await whenEach(before, startedMs, async (pod) =>
          isSame(membersIn(await three.memberList(pod)), three.addresses(to)),
        );
        const obeyedMs = await whenEach(nodes, startedMs, async (node) =>
          isSame(await addressesOf(node), three.addresses(to)),
        );
        const { status } = await three.installation.ready(NAME, to);
        const readyMs = performance.now() - startedMs;
        t.diagnostic(`from the call of kubectl scale, which took ${Math.round(scaledMs)} ms:`);
        t.diagnostic(
          `in the files of the three after ${inFileMs.join(', ')} ms, in force after ${obeyedMs.join(', ')} ms`,
        );
        t.diagnostic(`Ready with ${to} after ${Math.round(readyMs)} ms`);
        assert.ok(Math.max(...inFileMs) < LIST_MS_MAX, `in the files after ${inFileMs.join(', ')} ms`);

        for (const pod of await three.pods(to))
          assert.deepEqual(membersIn(await three.memberList(pod)), three.addresses(to));
        const after = await three.pods(3);
        assert.deepEqual(after.map(identity), before.map(identity), 'uid and restarts of those that stay');
        assert.equal(status?.replicas, to);
        await until('the pods that leave are gone', async () => (await podNames(three)).length === to);
        await three.everyNode(`${to} members are UP`, (node) => isUp(node, three.addresses(to)), to);
        const looks = await watch.stop();
        t.diagnostic(`${looks} looks at a list meanwhile, none without its instances`);
      });

    test('a deleted pod comes back under its name with its data', async (t) => {
      const three = stage();
      const [before, claim] = [await three.pod(1), await three.installation.get('pvc', `data-${three.podName(1)}`)];
      const survivors = [await three.node(0), await three.node(2)];
      const watch = watchInstances(survivors, 'steady');
      const startedMs = performance.now();
      await three.installation.kubectl('delete', 'pod', three.podName(1));
      await until('another pod has its name', async () => {
        const pod = await three.pod(1);
        return pod.metadata.uid !== before.metadata.uid && isReady(pod);
      });
      t.diagnostic(`ready again ${Math.round(performance.now() - startedMs)} ms after the deletion was asked for`);
      const claimNow = await three.installation.get('pvc', `data-${three.podName(1)}`);
      assert.equal(claimNow.metadata.uid, claim.metadata.uid);
      const node = await three.node(1);
      assert.equal(await node.read('shop.json'), '{"open":true}');
      assert.deepEqual(
        (await node.instances('orders')).map(({ ip }) => ip),
        ['10.9.1.1'],
      );
      await three.installation.ready(NAME, 3);
      await three.everyNode('three members are UP', async (one) => isUp(one, three.addresses(3)));
      await watch.stop();
    });
  });
}

async function addressesOf(node: Registry): Promise<string[]> {
  return (await node.members()).map(({ address }) => address);
}

async function isUp(node: Registry, addresses: readonly string[]): Promise<boolean> {
  const all = await node.members();
  return (
    isSame(
      all.map(({ address }) => address),
      addresses,
    ) && all.every(({ state }) => state === 'UP')
  );
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return [...one].sort().join() === [...other].sort().join();
}

/** For each, the milliseconds since the start after which it was so. */
async function whenEach<T>(all: readonly T[], startedMs: number, ask: (one: T) => Promise<boolean>): Promise<number[]> {
  return await Promise.all(
    all.map(async (one) => {
      await until('it is so', () => ask(one), { timeoutMs: CONVERGED_MS_MAX, everyMs: 20 });
      return Math.round(performance.now() - startedMs);
    }),
  );
}

function identity(pod: PodObject): object {
  return { name: pod.metadata.name, uid: pod.metadata.uid, restarts: restartsOf(pod) };
}

async function podNames(three: Three): Promise<string[]> {
  const { items } = await three.installation.get<{ items: PodObject[] }>('pods', '-l', 'app.kubernetes.io/name=nacos');
  return items.map(({ metadata }) => metadata.name);
}

/** Two instances beat by these nodes in turn, and each node's list is looked at all the time: it must never lack one. */
function watchInstances(nodes: readonly Registry[], service: string) {
  const instances = [1, 2].map((last) => ({ ip: `10.9.2.${last}`, port: 8080 }));
  let isStopped = false;
  let looks = 0;
  const losses: string[] = [];
  const beating = (async () => {
    for (let turn = 0; !isStopped; turn++) {
      const node = nodes[turn % nodes.length] as Registry;
      await Promise.all(instances.map(({ ip, port }) => node.beat(service, ip, port)));
      await delay(1_000);
    }
  })();
  const looking = (async () => {
    await Promise.all(
      nodes.map((node) => until('it has both', async () => (await node.instances(service)).length === 2)),
    );
    while (!isStopped) {
      for (const [index, node] of nodes.entries()) {
        const found = await node.instances(service);
        looks++;
        if (found.length !== 2) losses.push(`node ${index} listed ${found.map(({ ip }) => ip).join() || 'none'}`);
      }
      await delay(100);
    }
  })();
  const all = Promise.all([beating, looking]);
  // Heard at stop; a failure before that is no unhandled one.
  all.catch(() => {});
  return {
    async stop(): Promise<number> {
      isStopped = true;
      await all;
      assert.deepEqual(losses, []);
      assert.ok(looks > 0, 'it was looked at');
      return looks;
    },
  };
}
