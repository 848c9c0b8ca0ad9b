import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { FakeMachine, FILE, manifest } from './fake-machine.ts';
import { SILENT_LOOKS_MAX } from './watch.ts';

/** Of a connection to the VIP the ports that it leads to. */
function connectsOf(machine: FakeMachine): () => Promise<readonly number[]> {
  const targets = new Set<number>();
  machine.host.network.accept = ({ port }) => {
    targets.add(port);
    throw new NetworkError('refused', 'enough for this test');
  };
  return async () => {
    const stream = { remote: { address: '127.0.0.1', port: 1 }, join: async () => {}, close() {} };
    targets.clear();
    machine.host.network.listeners.get(8848)?.(stream);
    await machine.host.advance(0);
    return [...targets].toSorted();
  };
}

test('members and sidecars are started from the manifest, with files for ConfigMap and Secret', async () => {
  const machine = new FakeMachine();
  await machine.start();
  assert.deepEqual(machine.running('server'), [8850, 8860, 8870]);
  assert.deepEqual(machine.running('sidecar'), [9100, 9101, 9102]);
  assert.deepEqual(
    machine.children.slice(0, 3).map(({ job }) => job),
    ['sidecar', 'sidecar', 'sidecar'],
  );
  const { files, modes } = machine.host.disk;
  assert.deepEqual(machine.list(), {
    kind: 'sealed',
    generation: 1,
    members: ['127.0.0.1:8850', '127.0.0.1:8860', '127.0.0.1:8870'],
  });
  assert.match(files.get('/data/demo/cluster-key') ?? '', /^[\w-]{43}\n$/);
  assert.equal(modes.get('/data/demo/cluster-key'), 0o600);
  assert.equal(machine.output.match(/all members are up/g)?.length, 1);
  assert.match(machine.output, /demo-2 127\.0\.0\.1:8870 UP, ready/);
  assert.match(machine.output, /3 of 3 members ready/);
});

test('the VIP leads to ready members, and a dead one leaves it at once', async () => {
  const machine = new FakeMachine();
  await machine.start();
  const connect = connectsOf(machine);
  assert.deepEqual(await connect(), [8850, 8860, 8870]);
  machine.child(8860).exit(null, 'SIGKILL');
  await machine.host.advance(0);
  assert.deepEqual(await connect(), [8850, 8870]);
  assert.match(machine.output, /demo-1 node was ended by SIGKILL, starting it again in 0\.5 s/);
  await machine.host.advance(2_000);
  assert.deepEqual(await connect(), [8850, 8860, 8870]);
  assert.match(machine.output, /demo-1 127\.0\.0\.1:8860 UP, ready, pid \d+, restarts 1/);
});

test('a member that is slow to answer stays behind the VIP, one that hangs or says that it is not ready does not', async () => {
  const machine = new FakeMachine();
  await machine.start();
  const connect = connectsOf(machine);
  for (const port of [8850, 8860, 8870]) machine.silent.add(port);
  await machine.host.advance((SILENT_LOOKS_MAX - 1) * 500);
  assert.deepEqual(await connect(), [8850, 8860, 8870]);
  machine.silent.delete(8850);
  machine.silent.delete(8870);
  machine.sick.add(8870);
  await machine.host.advance(500);
  assert.deepEqual(await connect(), [8850]);
  machine.silent.delete(8860);
  machine.sick.clear();
  await machine.host.advance(500);
  assert.deepEqual(await connect(), [8850, 8860, 8870]);
});

test('the last words of a program that fails are shown, all of them are in its log', async () => {
  const machine = new FakeMachine();
  await machine.start();
  machine.child(8850).say('first');
  machine.child(8850).say('store.sqlite is not a database');
  machine.child(8850).exit(1);
  await machine.host.advance(0);
  assert.match(machine.output, /demo-0 node ended with code 1 \(its last words: store\.sqlite is not a database\)/);
  assert.equal(machine.host.disk.files.get('/data/demo/logs/demo-0.log'), 'first\nstore.sqlite is not a database\n');
});

test('a program that cannot be started is told and tried again', async () => {
  const machine = new FakeMachine(manifest(1));
  machine.cannotStart = true;
  await machine.start();
  assert.match(machine.output, /demo-0 sidecar cannot be started: cannot start node: no such file/);
  machine.cannotStart = false;
  await machine.host.advance(30_000);
  assert.deepEqual(machine.running('server'), [8850]);
});

test('stopping ends all, and gives the ports and the lock back', async () => {
  const machine = new FakeMachine();
  await machine.start();
  machine.cluster.stop();
  await machine.host.advance(1_000);
  await machine.cluster.whenOver();
  assert.deepEqual(machine.running('server'), []);
  assert.deepEqual(machine.running('sidecar'), []);
  assert.ok(!machine.host.disk.files.has('/data/demo/up.lock'));
  assert.equal(machine.host.network.listeners.size, 0);
  assert.match(machine.output, /stopped, no process is left\n$/);
});

test('stopping twice kills what hangs', async () => {
  const machine = new FakeMachine();
  await machine.start();
  const hanging = machine.child(8870);
  machine.hanging.add(8870);
  machine.cluster.stop();
  machine.cluster.stop();
  await machine.host.advance(5_000);
  assert.deepEqual(machine.running('server'), [8870], 'the same signal twice is one');
  machine.cluster.stop();
  await machine.cluster.whenOver();
  assert.deepEqual(hanging.signals, ['SIGTERM', 'SIGKILL']);
  assert.deepEqual(machine.running('sidecar'), []);
});

test('a changed number of replicas is obeyed: the list first, the others left alone', async () => {
  const machine = new FakeMachine();
  await machine.start();
  machine.host.disk.put(FILE, manifest(5));
  await machine.host.advance(3_000);
  assert.deepEqual(machine.running('server'), [8850, 8860, 8870, 8880, 8890]);
  assert.equal(machine.children.length, 10);
  assert.partialDeepStrictEqual(machine.list(), { generation: 2 });
  machine.host.disk.put(FILE, manifest(3));
  await machine.host.advance(3_000);
  assert.deepEqual(machine.running('server'), [8850, 8860, 8870]);
  assert.deepEqual(machine.running('sidecar'), [9100, 9101, 9102]);
  assert.equal(machine.children.length, 10, 'nobody was restarted');
  assert.partialDeepStrictEqual(machine.list(), { generation: 3 });
});

test('a manifest that gets bad, or changes in more than replicas, changes nothing and is told once', async () => {
  const machine = new FakeMachine();
  await machine.start();
  machine.host.disk.put(FILE, manifest('many'));
  machine.host.disk.put(FILE, manifest('many'));
  await machine.host.advance(1_000);
  assert.equal(machine.output.match(/spec\.replicas: must be a whole number/g)?.length, 1);
  machine.host.disk.put(FILE, manifest(3, '  settings: { NACOS_KUBE_LOG_LEVEL: debug }\n'));
  await machine.host.advance(1_000);
  assert.match(machine.output, /changed in more than spec\.replicas/);
  assert.equal(machine.children.length, 6);
});

test('the same members keep their generation over a restart, others get a higher one', async () => {
  const machine = new FakeMachine();
  await machine.start();
  machine.cluster.stop();
  await machine.host.advance(1_000);
  for (const [replicas, generation] of [
    [3, 1],
    [1, 2],
  ] as const) {
    const next = new FakeMachine(manifest(replicas));
    for (const [file, text] of machine.host.disk.files) if (file !== FILE) next.host.disk.put(file, text);
    await next.start();
    assert.partialDeepStrictEqual(next.list(), { generation });
    assert.equal(next.running('server').length, replicas);
  }
});

test('ports that somebody else has are told before anything is started', async () => {
  const machine = new FakeMachine();
  machine.host.network.taken.add(8848).add(7860);
  await assert.rejects(machine.cluster.start(), (error: Error) => {
    assert.match(error.message, /port 8848 for the VIP is in use: .* --vip-port/);
    assert.match(error.message, /port 7860 for peers of demo-1 is in use: .* --base-port/);
    return true;
  });
  assert.equal(machine.children.length, 0);
  assert.ok(!machine.host.disk.files.has('/data/demo/up.lock'), 'the lock is given back');
});

test('a second one on the same data is refused', async () => {
  const machine = new FakeMachine();
  machine.host.disk.put('/data/demo/up.lock', '99\n');
  await assert.rejects(machine.cluster.start(), /run already by process 99/);
  assert.equal(machine.host.disk.files.get('/data/demo/up.lock'), '99\n');
});

test('the login of a database lies in files for their owner alone', async () => {
  const machine = new FakeMachine(
    `${manifest(1, '  storage: { mysql: { host: 127.0.0.1, secretName: login } }\n')}---\napiVersion: v1\nkind: Secret\nmetadata: { name: login }\nstringData: { user: nacos, password: secret }\n`,
  );
  await machine.start();
  assert.equal(machine.host.disk.files.get('/data/demo/database/password'), 'secret\n');
  assert.equal(machine.host.disk.modes.get('/data/demo/database/password'), 0o600);
  assert.ok(machine.children.every(({ args }) => !args.includes('secret')));
});

test('a manifest that asks for an etcd says which package is missing, and leaves nothing behind', async () => {
  const machine = new FakeMachine(manifest(1, '  storage: { etcd: { managed: { members: 1 } } }\n'));
  machine.cannotStart = true;
  await assert.rejects(machine.cluster.start(), /needs the program etcd, .*apt-get install etcd-server/);
  assert.ok(!machine.host.disk.files.has('/data/demo/up.lock'), 'the lock is given back');
});
