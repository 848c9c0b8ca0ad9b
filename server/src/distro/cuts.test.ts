import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '@nacos-kube/core/sim/world.ts';
import { PUBLIC_PORT, SimulatedCluster } from '../simulation/cluster.ts';
import { FORWARD_TIMEOUT_MS } from './forward.ts';

const KEY = '10.1.0.1:80:DEFAULT';
const EQUAL_MS_MAX = 15_000;

/** Three members, one who asks them, and a service that s2 owns while all is well. */
async function start(seed = 3) {
  const world = new World({ seed });
  const cluster = new SimulatedCluster(world, 3);
  const client = world.process('client', { address: '10.0.1.1' });
  cluster.startAll();
  assert.ok(await world.until(() => cluster.isWhole, 30_000));
  const naming = (member: string) => cluster.node(member)!.server.naming;
  const names = Array.from({ length: 50 }, (_, n) => `demo-${n}`);
  const service = names.find((name) => naming('s2').isOwn(`public##DEFAULT_GROUP@@${name}`))!;
  const id = `public##DEFAULT_GROUP@@${service}`;
  const send = (member: string, method: string, path: string, more = '') => {
    const query = `serviceName=${service}&ip=10.1.0.1&port=80${more}`;
    const call = {
      address: member,
      port: PUBLIC_PORT,
      method,
      path: `/nacos/v1/ns/${path}?${query}`,
      timeoutMs: 5_000,
    };
    return client.network.request(call).then(({ status, body }) => `${status} ${new TextDecoder().decode(body)}`);
  };
  const ask = (member: string, method: string, path: string, more?: string) =>
    world.finish(send(member, method, path, more));
  const beat = async (member: string) => {
    const { code } = JSON.parse((await ask(member, 'PUT', 'instance/beat')).slice(4)) as { code: number };
    return code;
  };
  const isListed = (member: string) => naming(member).registry.find(id, KEY, true) !== undefined;
  const weightAt = (member: string) => naming(member).registry.find(id, KEY, true)?.weight;
  const epochAt = (member: string) => naming(member).registry.datumsOfInstance(id, KEY)[0]?.stamp.epoch ?? 0;
  const digests = () => cluster.names.map((name) => naming(name).registry.digest(id));
  const areEqual = () => new Set(digests()).size === 1 && cluster.names.every(isListed);
  return { world, cluster, naming, id, ask, beat, isListed, weightAt, epochAt, areEqual };
}

test('a write whose owner can be told but not answer is accepted here after two seconds, under a new epoch', async () => {
  const { world, ask, cluster, weightAt, epochAt, areEqual } = await start();
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  // What s1 sends arrives, so the owner carries the write out as well; its answer is lost.
  world.cut('s2', 's1');
  const startMs = world.nowMs;
  assert.equal(await ask('s1', 'POST', 'instance', '&weight=2'), '200 ok');
  const tookMs = world.nowMs - startMs;
  assert.ok(tookMs >= FORWARD_TIMEOUT_MS && tookMs < FORWARD_TIMEOUT_MS + 500, `${tookMs} ms`);
  assert.deepEqual([weightAt('s1'), weightAt('s2')], [2, 2]);
  const epoch = epochAt('s1');
  assert.equal(epoch, epochAt('s2') + 1);
  assert.ok(await world.until(() => epochAt('s3') === epoch, 2_000));
  world.heal();
  assert.ok(await world.until(areEqual, EQUAL_MS_MAX));
  assert.deepEqual(cluster.names.map(weightAt), [2, 2, 2]);
  assert.ok(epochAt('s2') >= epoch);
});

test('a deregistration that the owner took without an answer does not come back', async () => {
  const { world, ask, isListed, areEqual, cluster } = await start();
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  world.cut('s2', 's1');
  assert.equal(await ask('s1', 'DELETE', 'instance'), '200 ok');
  world.heal();
  await world.advance(EQUAL_MS_MAX);
  assert.deepEqual(cluster.names.filter(isListed), []);
});

for (const seed of [3, 4, 5]) {
  test(`a beat right after a cut is taken, though its owner has not heard of the instance yet, seed ${seed}`, async () => {
    const { world, ask, beat, isListed, naming, id } = await start(seed);
    world.partition(['s1'], ['s2', 's3']);
    assert.ok(await world.until(() => naming('s1').isOwn(id), 30_000));
    assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
    world.heal();
    assert.ok(await world.until(() => !naming('s1').isOwn(id), 30_000));
    assert.ok(!isListed('s2'), 'the digests were quicker');
    assert.equal(await beat('s1'), 10_200);
    assert.ok(isListed('s2'));
  });
}

for (const [method, lastWeight] of [
  ['POST', 7],
  ['PATCH', 7],
  ['DELETE', undefined],
] as const) {
  test(`a ${method} right after a cut stands, though its owner knows an older state`, async () => {
    const { world, cluster, ask, naming, id, weightAt, epochAt } = await start(4);
    assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
    await world.advance(1_000);
    world.partition(['s1'], ['s2', 's3']);
    assert.ok(await world.until(() => naming('s1').isOwn(id), 30_000));
    assert.equal(await ask('s1', 'POST', 'instance', '&weight=2'), '200 ok');
    world.heal();
    assert.ok(await world.until(() => !naming('s1').isOwn(id), 30_000));
    assert.ok(epochAt('s2') < epochAt('s1'), 'the digests were quicker');
    assert.equal(await ask('s1', method, 'instance', '&weight=7'), '200 ok');
    await world.advance(EQUAL_MS_MAX);
    assert.deepEqual(
      cluster.names.map(weightAt),
      cluster.names.map(() => lastWeight),
    );
  });
}

test('a deregistration right after a cut stands, though its owner has not heard of the instance yet', async () => {
  const { world, cluster, ask, naming, id, isListed } = await start(5);
  world.partition(['s1'], ['s2', 's3']);
  assert.ok(await world.until(() => naming('s1').isOwn(id), 30_000));
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  world.heal();
  assert.ok(await world.until(() => !naming('s1').isOwn(id), 30_000));
  assert.ok(!isListed('s2'), 'the digests were quicker');
  assert.equal(await ask('s1', 'DELETE', 'instance'), '200 ok');
  await world.advance(EQUAL_MS_MAX);
  assert.deepEqual(cluster.names.filter(isListed), []);
});

test('a registration right after a cut stands, though its owner has not heard yet that the instance had left', async () => {
  const { world, cluster, ask, naming, id, isListed } = await start(4);
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  await world.advance(1_000);
  world.partition(['s1'], ['s2', 's3']);
  assert.ok(await world.until(() => naming('s1').isOwn(id), 30_000));
  assert.equal(await ask('s1', 'DELETE', 'instance'), '200 ok');
  world.heal();
  assert.ok(await world.until(() => !naming('s1').isOwn(id), 30_000));
  assert.ok(isListed('s2'), 'the digests were quicker');
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  await world.advance(EQUAL_MS_MAX);
  assert.deepEqual(cluster.names.filter(isListed), cluster.names);
});

test('a beat does not bring back what its client took away at another member', async () => {
  const { world, ask, beat, naming, id, cluster, isListed, areEqual } = await start();
  assert.equal(await ask('s1', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  world.cut('s2', 's1');
  world.cut('s3', 's1');
  assert.equal(await ask('s2', 'DELETE', 'instance'), '200 ok');
  assert.ok(isListed('s1'));
  world.heal();
  assert.ok(!naming('s1').isOwn(id));
  assert.equal(await beat('s1'), 20_404);
  assert.deepEqual(cluster.names.filter(isListed), []);
});

test('a beat that the owner took is of an instance that is listed here, though no delta of the owner came', async () => {
  const { world, ask, beat, isListed } = await start();
  world.cut('s2', 's1');
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  assert.ok(!isListed('s1'));
  world.heal();
  assert.equal(await beat('s1'), 10_200);
  assert.ok(isListed('s1'));
});

test('a beat that the owner took undoes the verdict of a member that was alone, though it is the newer one', async () => {
  const { world, ask, beat, isListed, naming, id, epochAt } = await start();
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  await world.advance(1_000);
  world.partition(['s1'], ['s2', 's3']);
  for (let i = 0; i < 12; i++) {
    assert.equal(await beat('s2'), 10_200);
    await world.advance(5_000);
  }
  assert.ok(!isListed('s1') && epochAt('s1') > epochAt('s2'), 'it has judged alone');
  world.heal();
  assert.ok(await world.until(() => !naming('s1').isOwn(id), 30_000));
  assert.ok(!isListed('s1'), 'the digests were quicker');
  assert.equal(await beat('s1'), 10_200);
  assert.ok(await world.until(() => isListed('s1'), 100));
});

test('a member that slept refuses lists until it was told what it missed', async () => {
  const { world, ask, isListed, areEqual } = await start();
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  world.pause('s1', 20_000);
  assert.equal(await ask('s2', 'DELETE', 'instance'), '200 ok');
  await world.advance(19_000);
  assert.ok(isListed('s1'));
  const answers: string[] = [];
  while (!answers.some((answer) => answer.startsWith('200'))) answers.push(await ask('s1', 'GET', 'instance/list'));
  assert.match(answers[0]!, /^503 /);
  assert.match(answers.at(-1)!, /"hosts":\[\]/);
  assert.ok(world.nowMs < 30_000, `${world.nowMs} ms`);
});

test('a member that falls asleep again while it is told what it missed asks once more', async () => {
  const { world, ask, isListed, areEqual } = await start();
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  world.link({ delayMinMs: 1_000, delayMaxMs: 1_000 }, 's3', 's1');
  world.pause('s1', 20_000);
  await world.advance(20_200);
  // What s2 has is there by now, what s3 has is on its way.
  world.pause('s1', 20_000);
  assert.equal(await ask('s2', 'DELETE', 'instance'), '200 ok');
  await world.advance(19_000);
  assert.ok(isListed('s1'));
  const answers: string[] = [];
  while (!answers.some((answer) => answer.startsWith('200'))) answers.push(await ask('s1', 'GET', 'instance/list'));
  assert.match(answers[0]!, /^503 /);
  assert.match(answers.at(-1)!, /"hosts":\[\]/);
});

test('a short pause is none: lists are answered at once', async () => {
  const { world, ask, areEqual } = await start();
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  assert.ok(await world.until(areEqual, 5_000));
  world.pause('s1', 10_000);
  await world.advance(9_999);
  assert.match(await ask('s1', 'GET', 'instance/list'), /^200 .*10\.1\.0\.1/);
});

test('a peer that takes more than a second is counted as slow', async () => {
  const { world, cluster, ask } = await start();
  world.link({ delayMinMs: 1_100, delayMaxMs: 1_200 }, 's2', 's3');
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  await world.advance(5_000);
  assert.ok(cluster.node('s2')!.server.distro.slowCalls > 0);
  assert.equal(cluster.node('s1')!.server.distro.slowCalls, 0);
});

test('a member that drains is unready first, then owns nothing, and in the end has told all that it knows', async () => {
  const { world, cluster, naming, id, ask, beat, isListed } = await start();
  const { lifecycle } = cluster.node('s2')!.server;
  world.link({ delayMinMs: 300, delayMaxMs: 400 }, 's2', 's3');
  assert.equal(await ask('s2', 'POST', 'instance'), '200 ok');
  const drained = lifecycle.drain();
  assert.equal(lifecycle.isReady(), false);
  assert.ok(naming('s2').isOwn(id));
  assert.ok(!isListed('s3'));
  await world.finish(drained);
  assert.ok(isListed('s1') && isListed('s3'));
  assert.deepEqual([naming('s2').isOwn(id), naming('s1').isOwn(id) !== naming('s3').isOwn(id)], [false, true]);
  for (const member of cluster.names) assert.equal(await beat(member), 10_200, member);
});
