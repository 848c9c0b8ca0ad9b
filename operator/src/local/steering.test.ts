import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlError, findCluster } from './control-client.ts';
import { FakeMachine, FILE, manifest } from './fake-machine.ts';

const CONTROL = '/data/demo/up.control';
const WHERE = { data: '/data', name: undefined };
const LONG = 120_000;

function membersOf(machine: FakeMachine): number {
  const list = machine.list();
  return 'members' in list ? list.members.length : 0;
}

/** The other commands of `up`, on the same fake machine: what they send reaches the control port of the first. */
async function steered(replicas = 3) {
  const machine = new FakeMachine(manifest(replicas));
  const { network, disk } = machine.host;
  const members = network.answer;
  let isCut = false;
  network.answer = async (request) => {
    if (request.port !== 0 || isCut) return members(request);
    const headers = { ...request.headers };
    const body = typeof request.body === 'string' ? { body: request.body } : {};
    const answer = await network.ask(0, request.path, request.method, { headers, ...body });
    const bytes = typeof answer.body === 'string' ? new TextEncoder().encode(answer.body) : answer.body;
    return { status: answer.status, headers: {}, body: bytes };
  };
  for (let i = 0; i < 9; i++) disk.put(`/data/demo/demo-${i}/sidecar-token`, 'token\n');
  await machine.start();
  // Compared with all, and up in the eyes of all.
  await machine.host.advance(2_000);
  const client = await findCluster(machine.host, WHERE);
  const lines: string[] = [];
  /** The outcome, once the machine was given as much time. */
  const follow = async (asked: Promise<number>, ms = LONG): Promise<boolean | undefined> => {
    let outcome: boolean | undefined;
    const following = asked.then((id) => client.follow(id, (line) => void lines.push(line)));
    following.then(
      (isWell) => {
        outcome = isWell;
      },
      () => {},
    );
    await machine.host.advance(ms);
    return outcome;
  };
  const cut = () => {
    isCut = true;
  };
  return { machine, client, follow, lines, cut };
}

test('the status has all that is known of each member', async () => {
  const { client, machine } = await steered();
  const { members, ...status } = await client.status();
  assert.deepEqual(status, {
    name: 'demo',
    manifest: FILE,
    pid: 1,
    vip: { url: 'http://127.0.0.1:8848/nacos', members: 3, connections: 0 },
    data: '/data/demo',
    logs: '/data/demo/logs',
    operation: null,
    isReady: true,
  });
  assert.deepEqual(members[1], {
    name: 'demo-1',
    address: '127.0.0.1:8860',
    state: 'UP',
    isReady: true,
    pid: members[1]?.pid,
    restarts: 0,
    uptimeSeconds: 4,
    generation: 1,
    lagSeconds: 0.1,
    lagEntries: 2,
    sidecar: 'running',
  });
  machine.sick.add(8870);
  await machine.host.advance(1_000);
  const sick = await client.status();
  assert.equal(sick.isReady, false);
  assert.deepEqual([sick.members[2]?.isReady, sick.members[2]?.generation], [false, null]);
});

test('a restart takes one member at a time, drained and out of the VIP before its process is told to end', async () => {
  const { machine, client, follow, lines } = await steered();
  const before = [8850, 8860, 8870].map((port) => machine.child(port));
  const missing: number[] = [];
  const watching = machine.host.clock.every(50, () => missing.push(3 - machine.running('server').length));
  assert.equal(await follow(client.restart({ members: [], timeoutMs: LONG })), true);
  watching.cancel();
  assert.deepEqual(
    before.map(({ signals }) => signals),
    [['SIGTERM'], ['SIGTERM'], ['SIGTERM']],
  );
  assert.equal(Math.max(...missing), 1);
  assert.deepEqual(
    lines.filter((line) => /back after/.test(line)).map((line) => line.split(':')[0]),
    ['[1/3] demo-2', '[2/3] demo-1', '[3/3] demo-0'],
  );
  assert.equal(lines.at(-1), 'restarted 3 members, all are up');
  const { members } = await client.status();
  assert.deepEqual(
    members.map(({ restarts }) => restarts),
    [1, 1, 1],
  );
  const order = machine.host.network.requests.filter(({ path }) => path === '/sidecar/v1/drain');
  assert.deepEqual(
    order.map(({ port, headers }) => [port, headers?.['authorization']]),
    [7870, 7860, 7850].map((port) => [port, 'Bearer token']),
  );
});

test('a member that drains gets no connection of the VIP', async () => {
  const { machine, client } = await steered();
  const { network } = machine.host;
  const answer = network.answer;
  const drained = Promise.withResolvers<void>();
  network.answer = async (request) => {
    if (request.path === '/sidecar/v1/drain') await drained.promise;
    return answer(request);
  };
  await client.restart({ members: ['demo-1'], timeoutMs: LONG });
  await machine.host.advance(5_000);
  assert.deepEqual(machine.running('server'), [8850, 8860, 8870], 'it runs, and says itself that it is ready');
  assert.equal((await client.status()).vip.members, 2);
  drained.resolve();
  await machine.host.advance(5_000);
  assert.equal((await client.status()).vip.members, 3);
});

test('the first member that does not come back ends a restart', async () => {
  const { machine, client, follow, lines } = await steered();
  machine.host.clock.every(100, () => {
    if (!machine.running('server').includes(8870)) machine.sick.add(8870);
  });
  assert.equal(await follow(client.restart({ members: [], timeoutMs: 30_000 })), false);
  assert.equal(lines.at(-1), 'demo-2 has not come back in 30.0 s: demo-2 is not up; demo-1, demo-0 left alone');
  assert.equal(machine.children.length, 8, 'a node and a sidecar more, for demo-2 alone');
});

test('what there is not cannot be restarted', async () => {
  const { client } = await steered();
  await assert.rejects(client.restart({ members: ['demo-7', 'demo-1'], timeoutMs: LONG }), {
    name: 'ControlError',
    message: 'there is no member demo-7: there are demo-0, demo-1, demo-2',
  });
});

test('scaling edits the manifest, and is done when all are up', async () => {
  const { machine, client, follow, lines } = await steered();
  assert.equal(await follow(client.scale({ replicas: 5, timeoutMs: LONG })), true);
  assert.equal(machine.host.disk.files.get(FILE), manifest(5));
  assert.deepEqual(machine.running('server'), [8850, 8860, 8870, 8880, 8890]);
  assert.equal(lines[0], `replicas: 5 in ${FILE}`);
  assert.ok(lines.includes('demo-4: UP, ready'));
  assert.equal(lines.at(-1), '5 members are up');
});

test('members that go drain while they still are in the list', async () => {
  const { machine, client, follow, lines } = await steered();
  const { network } = machine.host;
  const answer = network.answer;
  const listed: number[] = [];
  network.answer = (request) => {
    if (request.path === '/sidecar/v1/drain') listed.push(membersOf(machine));
    return answer(request);
  };
  assert.equal(await follow(client.scale({ replicas: 1, timeoutMs: LONG })), true);
  assert.deepEqual(listed, [3, 3]);
  assert.equal(membersOf(machine), 1);
  assert.deepEqual(machine.running('server'), [8850]);
  assert.deepEqual(lines.slice(1), ['draining demo-1, demo-2', 'demo-0: UP, ready', 'the member is up']);
});

test('a number that the rules refuse changes nothing, and the rule is told', async () => {
  const { machine, client } = await steered();
  for (const replicas of [0, 10]) {
    await assert.rejects(client.scale({ replicas, timeoutMs: LONG }), (error: Error) => {
      assert.ok(error instanceof ControlError);
      assert.match(error.message, /spec\.replicas must be from 1 to 9/);
      return true;
    });
  }
  assert.equal(machine.host.disk.files.get(FILE), manifest(3));
  assert.equal((await client.status()).operation, null);
});

test('a manifest in which the number cannot be changed safely is left to its owner', async () => {
  const { machine, client } = await steered();
  const text = manifest('&n 3', '  resources: {}\n').replace('  resources: {}\n', '');
  machine.host.disk.put(FILE, text);
  await assert.rejects(client.scale({ replicas: 5, timeoutMs: LONG }), /set spec\.replicas to 5 in .* by hand/);
  assert.equal(machine.host.disk.files.get(FILE), text);
});

test('a scale that takes too long says what is missing, and goes on', async () => {
  const { machine, client, follow, lines } = await steered();
  machine.sick.add(8880);
  assert.equal(await follow(client.scale({ replicas: 4, timeoutMs: 10_000 })), false);
  assert.equal(lines.at(-1), 'not done in 10 s (demo-3 not up), it goes on');
  machine.sick.clear();
  await machine.host.advance(2_000);
  assert.equal((await client.status()).isReady, true);
});

test('ports of new members that somebody has are told, and nobody is started', async () => {
  const { machine, client, follow, lines } = await steered();
  machine.host.network.taken.add(8880);
  assert.equal(await follow(client.scale({ replicas: 4, timeoutMs: LONG })), false);
  assert.match(lines.at(-1) ?? '', /port 8880 for member demo-3 is in use/);
  assert.equal(machine.running('server').length, 3);
});

test('one thing at a time, and nothing once the cluster is being stopped', async () => {
  const { machine, client } = await steered();
  machine.hanging.add(8870);
  await client.restart({ members: [], timeoutMs: LONG });
  await machine.host.advance(1_000);
  await assert.rejects(
    client.scale({ replicas: 4, timeoutMs: LONG }),
    /^ControlError: restart of demo-2, demo-1, demo-0 is under way: wait until it is over$/,
  );
  assert.match((await client.status()).operation ?? '', /^restart of/);
  machine.cluster.stop();
  await machine.host.advance(1_000);
  await assert.rejects(client.scale({ replicas: 4, timeoutMs: LONG }), /the cluster is being stopped/);
  await machine.host.advance(60_000);
  await machine.cluster.whenOver();
  assert.ok(!machine.host.disk.files.has(CONTROL));
});

test('nobody without the token is answered, and its file is for its owner alone', async () => {
  const { machine } = await steered();
  assert.equal(machine.host.disk.modes.get(CONTROL), 0o600);
  for (const headers of [{}, { authorization: 'Bearer x' }] as const) {
    for (const [method, path] of [
      ['GET', '/v1/status'],
      ['POST', '/v1/restart'],
      ['POST', '/v1/scale'],
    ] as const) {
      const { status } = await machine.host.network.ask(0, path, method, { headers, body: '{}' });
      assert.equal(status, 401, `${method} ${path}`);
    }
  }
});

test('what is asked for wrongly is refused', async () => {
  const { machine } = await steered();
  const { token } = JSON.parse(machine.host.disk.files.get(CONTROL) ?? '') as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  for (const [path, body] of [
    ['/v1/restart', ''],
    ['/v1/restart', 'null'],
    ['/v1/restart', '{"members":"demo-1","timeoutMs":1}'],
    ['/v1/restart', '{"members":[]}'],
    ['/v1/scale', '{"replicas":"5","timeoutMs":1}'],
    ['/v1/scale', '{"replicas":5,"timeoutMs":99999999}'],
  ] as const) {
    const { status } = await machine.host.network.ask(0, path, 'POST', { headers, body });
    assert.equal(status, 400, body);
  }
  const { status } = await machine.host.network.ask(0, '/v1/operation?id=7', 'GET', { headers });
  assert.equal(status, 404);
});

test('where nothing runs that is said, also when the last one was killed', async () => {
  const { machine, client, cut } = await steered();
  const nothing = /^ControlError: no cluster runs in \/data: start one with nacos-kube up -f FILE --data \/data$/;
  await assert.rejects(findCluster(machine.host, { data: '/data', name: 'other' }), /no cluster other runs in \/data/);
  cut();
  await assert.rejects(client.status(), nothing);
  await machine.host.disk.remove(CONTROL);
  await assert.rejects(findCluster(machine.host, WHERE), nothing);
});

test('of several clusters in a directory one is to be chosen, those that were killed do not count', async () => {
  const { machine } = await steered();
  const { disk } = machine.host;
  disk.put('/data/dead/up.control', '{"pid":5,"port":5,"token":"x"}\n');
  assert.equal((await (await findCluster(machine.host, WHERE)).status()).name, 'demo');
  disk.put('/data/twin/up.control', disk.files.get(CONTROL) ?? '');
  await assert.rejects(
    findCluster(machine.host, WHERE),
    /2 clusters run in \/data: choose with --name one of demo, twin/,
  );
  assert.equal((await (await findCluster(machine.host, { data: '/data', name: 'demo' })).status()).name, 'demo');
});
