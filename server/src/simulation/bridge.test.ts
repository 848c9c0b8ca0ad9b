import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '@nacos-kube/core/sim/world.ts';
import { SimulatedClient } from './client.ts';
import { SimulatedCluster } from './cluster.ts';

const SERVICES = 12;
const SEEDS = [1, 2, 3];

/** Three members of which s1 and s2 do not hear each other, and s3 hears both: who owns what differs by who is asked. */
async function bridged(seed: number) {
  const world = new World({ seed });
  const cluster = new SimulatedCluster(world, 3);
  const hosts = new Map(
    ['s1', 's2', 's3'].map((name, n) => [name, world.process(`c-${name}`, { address: `10.0.1.${n}` })]),
  );
  cluster.startAll();
  assert.ok(await world.until(() => cluster.isWhole, 30_000));
  let clients = 0;
  /** One client of each service, which reaches one member only. */
  const register = (server: string, service = 'demo'): string[] =>
    Array.from({ length: SERVICES }, (_, n) => {
      const ip = `10.1.0.${++clients}`;
      new SimulatedClient(hosts.get(server)!, [server], `${service}-${n}`, ip, () => world.nowMs).start();
      return ip;
    });
  return { world, cluster, register, cut: () => world.partition(['s1'], ['s2']) };
}

function healthyOn(cluster: SimulatedCluster, name: string): ReadonlySet<string> {
  const views = [...cluster.node(name)!.server.naming.registry.views()];
  return new Set(views.flatMap((view) => view.instances.filter((one) => one.healthy).map((one) => one.ip)));
}

for (const seed of SEEDS) {
  test(`with a bridge between two that are cut, no list loses an instance that beats (P3), seed ${seed}`, async () => {
    const { world, cluster, register, cut } = await bridged(seed);
    const all = cluster.names.flatMap((name) => register(name));
    await world.advance(10_000);
    cut();
    for (let seconds = 0; seconds < 120; seconds++) {
      await world.advance(1_000);
      for (const name of cluster.names) {
        const listed = healthyOn(cluster, name);
        assert.deepEqual(
          all.filter((ip) => !listed.has(ip)),
          [],
          `${name} after ${seconds} s`,
        );
      }
    }
  });

  test(`what is registered on one side of a bridge is listed on the other within 10 s (P1), seed ${seed}`, async () => {
    const { world, cluster, register, cut } = await bridged(seed);
    cut();
    await world.advance(20_000);
    const all = cluster.names.flatMap((name) => register(name, `only-${name}`));
    await world.advance(10_000);
    for (const name of cluster.names) {
      const listed = healthyOn(cluster, name);
      assert.deepEqual(
        all.filter((ip) => !listed.has(ip)),
        [],
        name,
      );
    }
  });
}
