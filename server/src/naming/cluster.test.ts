import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '@nacos-kube/core/sim/world.ts';
import { PUBLIC_PORT, SimulatedCluster } from '../simulation/cluster.ts';

const DEMO = 'public##DEFAULT_GROUP@@demo';
const encode = (value: unknown) => encodeURIComponent(JSON.stringify(value));
const WITHIN_MS = 10_000;

/** Three members that share a store, and somebody who asks any of them. */
async function start() {
  const world = new World({ seed: 7 });
  const cluster = new SimulatedCluster(world, 3);
  const client = world.process('client', { address: '10.0.1.1' });
  cluster.startAll();
  assert.ok(await world.until(() => cluster.isWhole, 30_000));
  const ask = async (member: string, method: string, path: string) => {
    const { status, body } = await world.finish(
      client.network.request({
        address: member,
        port: PUBLIC_PORT,
        method,
        path: `/nacos/v1/ns${path}`,
        timeoutMs: 5_000,
      }),
    );
    return `${status} ${new TextDecoder().decode(body)}`;
  };
  const instances = (member: string) => cluster.node(member)!.server.naming.registry.view(DEMO)?.instances ?? [];
  /** What all members show of each instance, once they agree that it is this. */
  const allShow = async (shown: (one: ReturnType<typeof instances>[number]) => unknown, wanted: readonly unknown[]) => {
    const of = (member: string) => JSON.stringify(instances(member).map(shown).sort());
    const agree = () => cluster.names.every((name) => of(name) === JSON.stringify(wanted));
    assert.ok(await world.until(agree, WITHIN_MS), `${cluster.names.map((name) => `${name} ${of(name)}`)}`);
  };
  return { world, cluster, ask, instances, allShow };
}

const at = (n: number) => `serviceName=demo&ip=10.1.0.${n}&port=80`;

test('an edit through any member reaches all, whoever owns the service', async () => {
  const { cluster, ask, allShow } = await start();
  for (const n of [1, 2]) await ask('s1', 'POST', `/instance?${at(n)}&ephemeral=${n === 1}`);
  await allShow((one) => one.ip, ['10.1.0.1', '10.1.0.2']);
  for (const [n, member] of cluster.names.entries()) {
    assert.equal(await ask(member, 'PATCH', `/instance?${at(1)}&weight=${n + 2}&healthy=${n === 1}`), '200 ok');
    assert.equal(await ask(member, 'PATCH', `/instance?${at(2)}&weight=${n + 2}&healthy=${n === 1}`), '200 ok');
    await allShow(({ weight, healthy }) => [weight, healthy], Array(2).fill([n + 2, n === 1]));
    const { updated } = JSON.parse(
      (
        await ask(
          member,
          'PUT',
          `/instance/metadata/batch?serviceName=demo&metadata=by=${member}&consistencyType=ephemeral`,
        )
      ).slice(4),
    );
    assert.equal(updated.length, 1);
    await allShow(({ metadata }) => metadata.get('by') ?? '', [member, ''].sort());
  }
});

test('health that is told by hand reaches all, of both kinds', async () => {
  const { cluster, ask, allShow } = await start();
  for (const n of [1, 2]) await ask('s1', 'POST', `/instance?${at(n)}&ephemeral=${n === 1}`);
  await allShow((one) => one.ip, ['10.1.0.1', '10.1.0.2']);
  const checker = `clusterName=DEFAULT&checkPort=80&useInstancePort4Check=true&healthChecker=${encode({ type: 'NONE' })}`;
  assert.equal(await ask('s2', 'PUT', `/cluster?serviceName=demo&${checker}`), '200 ok');
  for (const [n, member] of cluster.names.entries()) {
    const isKnown = async () => (await ask(member, 'GET', '/service?serviceName=demo')).includes('NONE');
    for (let tries = 0; !(await isKnown()); tries++) assert.ok(tries < 1_000);
    for (const one of [1, 2]) {
      assert.equal(await ask(member, 'PUT', `/health/instance?${at(one)}&healthy=${n === 1}`), '200 ok');
    }
    await allShow(({ healthy }) => healthy, [n === 1, n === 1]);
  }
});

test('an instance that went and came again at once is one instance to all, whoever saw it go', async () => {
  const { world, cluster, ask, allShow } = await start();
  await ask('s1', 'POST', `/instance?${at(1)}&ephemeral=false`);
  await allShow((one) => one.ip, ['10.1.0.1']);
  const checker = `clusterName=DEFAULT&checkPort=80&useInstancePort4Check=true&healthChecker=${encode({ type: 'NONE' })}`;
  await ask('s2', 'PUT', `/cluster?serviceName=demo&${checker}`);
  const digests = () => new Set(cluster.names.map((name) => cluster.node(name)!.server.naming.registry.digest(DEMO)));
  for (const member of cluster.names) {
    const isKnown = async () => (await ask(member, 'GET', '/service?serviceName=demo')).includes('NONE');
    for (let tries = 0; !(await isKnown()); tries++) assert.ok(tries < 1_000);
    await ask(member, 'PUT', `/health/instance?${at(1)}&healthy=false`);
    await allShow(({ healthy }) => healthy, [false]);
    await ask(member, 'DELETE', `/instance?${at(1)}&ephemeral=false`);
    await ask(member, 'POST', `/instance?${at(1)}&ephemeral=false`);
    await world.advance(15_000);
    await allShow(({ healthy }) => healthy, [true]);
    assert.equal(digests().size, 1, `through ${member}`);
  }
});

test('a service that is deleted loses its instances on all members, and they do not come back', async () => {
  const { world, cluster, ask, allShow, instances } = await start();
  await ask('s1', 'POST', '/service?serviceName=demo&metadata=a=1');
  for (const n of [1, 2, 3]) await ask('s2', 'POST', `/instance?${at(n)}&ephemeral=${n !== 3}`);
  await allShow((one) => one.ip, ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  assert.equal(await ask('s3', 'DELETE', '/service?serviceName=demo'), '200 ok');
  await allShow((one) => one.ip, []);
  await world.advance(15_000);
  assert.deepEqual(cluster.names.flatMap(instances), []);
  for (const name of cluster.names) assert.match(await ask(name, 'GET', '/service?serviceName=demo'), /^404/);
});

test('a service that stays empty is forgotten by all, one that does not is kept', async () => {
  const { world, cluster, ask } = await start();
  await ask('s1', 'POST', '/service?serviceName=empty');
  await ask('s2', 'POST', '/service?serviceName=demo&metadata=a=1');
  await ask('s3', 'POST', `/instance?${at(1)}&ephemeral=false`);
  await world.advance(200_000);
  for (const name of cluster.names) {
    assert.match(await ask(name, 'GET', '/service?serviceName=empty'), /^404/, name);
    assert.match(await ask(name, 'GET', '/service?serviceName=demo'), /"a":"1"/, name);
  }
});
