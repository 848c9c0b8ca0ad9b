/** `nacos-kube up` as people meet it: it starts, says what to try, survives a death, and ends without a trace. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { delay, findProgram, run, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { KeepAliveCaller } from './keep-alive.ts';
import { type LocalCluster, startLocalCluster } from './local-cluster.ts';
import { freePort, freePortRow } from './ports.ts';
import { NacosKubeProcess } from './program.ts';

const INSTANCES = 5;
const BEAT_PERIOD_MS = 1_000;
const LOOK_PERIOD_MS = 20;
const FRESH_READERS = 8;
const FRESH_PAUSE_MS = 5;
/** Members that go are given time for their clients to move, before they leave the list. */
const LIST_MS_MAX = 15_000;
const REFUSED_MS_MAX = 15_000;

describe('a cluster on this machine', () => {
  let cluster: LocalCluster;
  before(async () => {
    cluster = await startLocalCluster(3, { membersMax: 4, args: ['--hints'] });
  });
  after(async () => {
    await cluster?.stop();
  });

  const withoutCurl = requireOrFail('the printed commands', findProgram('curl') ? [] : ['curl']);
  test('the commands that it prints work through the VIP', { skip: withoutCurl }, async () => {
    const commands = await until('it prints them', async () => {
      const lines = cluster.log.split('\n').filter((line) => line.startsWith('  curl '));
      return lines.length === 3 && lines;
    });
    assert.ok(commands.every((command) => command.includes(`http://${cluster.vip}/nacos/`)));
    const perform = (command: string) => run('bash', ['-c', command.replaceAll('curl ', 'curl -sS ')]);
    assert.equal(await perform(commands[0]!), 'ok');
    await until('the list has it', async () => JSON.parse(await perform(commands[1]!)).hosts.length === 1);
    // The member that is asked may be another than the one that was told, and hears of it a moment later.
    await until('what was published is read', async () => (await perform(commands[2]!)) === 'truehello', {
      timeoutMs: 5_000,
    });
  });

  test('a node that is killed empties no list, fails no read that begins at the VIP, and comes back', async () => {
    await using watched = await watchList(cluster);
    const readers = new FreshReaders(cluster.vip);
    const { back } = cluster.kill9Member(1);
    await back();
    const { reads, failures } = await readers.stop();
    assert.deepEqual(failures, []);
    assert.ok(reads > 50, `only ${reads} reads`);
    await until('the lines of the cluster show it', async () => {
      const line = cluster.log.split('\n').findLast((one) => one.includes(` ${cluster.members[1]!.name} `));
      return /UP, ready, pid \d+, restarts 1$/.test(line ?? '');
    });
    // Whatever the one that came back still has to learn, or wrongly forgets, shows within a heart-beat time-out.
    await delay(16_000);
    assert.deepEqual(watched.short, []);
    assert.ok(watched.looks > 100, `only ${watched.looks} looks`);
    assert.ok(watched.looksByVip > 100, `only ${watched.looksByVip} looks by the VIP`);
  });

  test('a change of replicas adds and takes away members, and restarts nobody', async () => {
    const pids = cluster.members.map(({ name }) => cluster.pidOf(name));
    await cluster.scale(4);
    const isTold = async () => (await membersTold(cluster, 3)).every((members) => members.length === 4);
    await until('the members have the list of four', isTold, { timeoutMs: LIST_MS_MAX });
    await cluster.ready();
    await cluster.scale(3);
    const isLess = async () => (await membersTold(cluster, 3)).every((members) => members.length === 3);
    await until('the members have the list of three', isLess, { timeoutMs: LIST_MS_MAX });
    await cluster.ready();
    await until('the fourth is gone', async () => cluster.pids().length === 7);
    assert.match(cluster.log, / scaling from 3 to 4 members\n/);
    assert.match(cluster.log, / scaling from 4 to 3 members\n/);
    assert.deepEqual(
      cluster.members.map(({ name }) => cluster.pidOf(name)),
      pids,
    );
  });

  test('the status tells all of each member, for people and for programs', async () => {
    const { code, output } = await cluster.statusWhenReady();
    assert.equal(code, 0, output);
    assert.match(output, /^e2e: 3 of 3 members ready, run by process \d+ from .*cluster\.yaml\nVIP http:/);
    for (const { name, address } of cluster.members) {
      const pid = cluster.pidOf(name);
      assert.match(
        output,
        new RegExp(`^${name} +${address} +UP +yes +${pid} +\\d+ +\\w+ +\\d+ +0\\.0s, 0 changes$`, 'm'),
      );
    }
    const json = await cluster.command(['status', '--json']);
    const { isReady, vip, members } = JSON.parse(json.output) as { isReady: boolean; vip: object; members: object[] };
    assert.equal(isReady, true);
    assert.partialDeepStrictEqual(vip, { url: `http://${cluster.vip}/nacos`, members: 3 });
    assert.partialDeepStrictEqual(
      members,
      cluster.members.map(({ name, address }) => ({ name, address, state: 'UP', isReady: true, lagEntries: 0 })),
    );
  });

  test('scale changes the manifest and waits until it is so; a number against the rules changes nothing', async () => {
    const file = join(cluster.folder, 'cluster.yaml');
    const before = await readFile(file, 'utf8');
    const more = await cluster.command(['scale', '4']);
    assert.equal(more.code, 0, more.output);
    assert.match(more.output, /\ne2e-3: UP, ready\n4 members are up\n$/);
    assert.equal(await readFile(file, 'utf8'), before.replace('replicas: 3', 'replicas: 4'));
    const refused = await cluster.command(['scale', '12']);
    assert.equal(refused.code, 1);
    assert.match(refused.output, /spec\.replicas must be from 1 to 9/);
    const less = await cluster.command(['scale', '3']);
    assert.equal(less.code, 0, less.output);
    assert.match(less.output, /\ndraining e2e-3\n.*\n3 members are up\n$/s);
    assert.equal(await readFile(file, 'utf8'), before);
    assert.equal(cluster.pids().length, 7);
  });

  test('a restart of one member leaves the others alone', async () => {
    const pids = cluster.members.map(({ name }) => cluster.pidOf(name));
    const { code, output } = await cluster.command(['restart', 'e2e-1']);
    assert.equal(code, 0, output);
    const changed = cluster.members.map(({ name }, i) => cluster.pidOf(name) !== pids[i]);
    assert.deepEqual(changed, [false, true, false]);
    const unknown = await cluster.command(['restart', 'e2e-8']);
    assert.deepEqual(
      [unknown.code, unknown.output],
      [1, 'nacos-kube up: there is no member e2e-8: there are e2e-0, e2e-1, e2e-2\n'],
    );
  });

  test('a manifest that gets bad changes nothing and says why', async () => {
    const file = join(cluster.folder, 'cluster.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('replicas: 3', 'replicas: 0'));
    await until('it says so', async () => cluster.log.includes('spec.replicas must be from 1 to 9'));
    assert.match(cluster.log, /\n {2}the cluster stays as it is\n/);
    await writeFile(file, text);
    await cluster.ready();
  });

  test('a second one on the same data is refused and harms nobody', async () => {
    const said = await refusal(cluster, cluster.folder, { 'vip-port': await freePort() });
    assert.match(said, new RegExp(`this cluster is run already by process ${cluster.pids()[0]}: stop that one, or`));
    await cluster.ready();
  });

  test('a port that somebody has is named, with whose it would be and the flag that moves it', async () => {
    const data = await mkdtemp(join(tmpdir(), 'nacos-kube-up-'));
    const said = await refusal(cluster, data, { 'vip-port': Number(cluster.vip.split(':')[1]) });
    const port = cluster.vip.split(':')[1];
    assert.match(said, new RegExp(`port ${port} for the VIP is in use: stop what listens there, or .* --vip-port\n$`));
    await rm(data, { recursive: true });
  });

  test('Ctrl-C leaves no process', async () => {
    const pids = cluster.pids();
    assert.equal(pids.length, 7, 'itself, three nodes and three sidecars');
    await cluster.stop();
    assert.match(cluster.log, /stopped, no process is left\n$/);
    assert.deepEqual(pids.filter(isThere), []);
    const { code, output } = await cluster.command(['status']);
    assert.equal(code, 1);
    assert.match(output, /^nacos-kube up: no cluster runs in .*: start one with nacos-kube up -f FILE --data /);
  });
});

test('nothing outlives a cluster that is killed without a chance to clean up', async () => {
  const cluster = await startLocalCluster(1);
  const pids = cluster.pids();
  assert.equal(pids.length, 3);
  await cluster.kill9();
  await until('all processes are gone', async () => !pids.some(isThere), { timeoutMs: 40_000 });
});

/** What cluster.conf of the first members names. */
async function membersTold(cluster: LocalCluster, count: number): Promise<readonly string[][]> {
  const files = cluster.members.slice(0, count).map(({ name }) => join(cluster.folder, 'e2e', name, 'cluster.conf'));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return texts.map((text) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
}

/** What `up` says that does not start, on the manifest of a running cluster and ports of its own unless told. */
async function refusal(cluster: LocalCluster, data: string, ports: Readonly<Record<string, number>>): Promise<string> {
  const row = await freePortRow(5, 10);
  const flags = { file: join(cluster.folder, 'cluster.yaml'), data, 'base-port': row, 'metrics-base-port': row + 41 };
  const second = new NacosKubeProcess([
    'up',
    ...Object.entries({ ...flags, ...ports }).flatMap(([name, value]) => [`--${name}`, `${value}`]),
  ]);
  try {
    const isOver = async () => second.ended !== undefined;
    await until('it ends by itself', isOver, { timeoutMs: REFUSED_MS_MAX });
    assert.equal(second.ended, 'code 1');
    return second.log;
  } finally {
    await second.kill9();
  }
}

/** Registers instances, beats for them, and looks at their list on every address, until it is disposed of. */
async function watchList(cluster: LocalCluster) {
  const servers = [...cluster.members.map(({ address }) => address), cluster.vip].map(
    (at) => `http://${at}/nacos/v1/ns`,
  );
  const ports = Array.from({ length: INSTANCES }, (_, i) => 8001 + i);
  const vip = servers.at(-1)!;
  for (const port of ports) await ask(`${vip}/instance?serviceName=watched&ip=10.9.0.1&port=${port}`, 'POST');
  const sizeAt = async (server: string) => {
    const { hosts } = JSON.parse(await ask(`${server}/instance/list?serviceName=watched`));
    return (hosts as { healthy: boolean }[]).filter(({ healthy }) => healthy).length;
  };
  for (const server of servers) await until(`${server} lists all`, async () => (await sizeAt(server)) === INSTANCES);

  const short: string[] = [];
  let looks = 0;
  let looksByVip = 0;
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      for (const server of servers) {
        // A node that is dead or not ready answers nothing or refuses; what it must not do is answer with less.
        const size = await sizeAt(server).catch(() => undefined);
        if (size !== undefined) looks += 1;
        if (size !== undefined && server === vip) looksByVip += 1;
        if (size !== undefined && size < INSTANCES) short.push(`${new Date().toISOString()} ${server}: ${size}`);
      }
      await delay(LOOK_PERIOD_MS);
    }
  })();
  const beating = (async () => {
    while (!isOver) {
      for (const port of ports) {
        const beat = JSON.stringify({
          ip: '10.9.0.1',
          port,
          serviceName: 'DEFAULT_GROUP@@watched',
          cluster: 'DEFAULT',
        });
        const parameters = new URLSearchParams({ serviceName: 'DEFAULT_GROUP@@watched', beat });
        // As clients do: the next one when the first does not answer.
        for (const server of [vip, ...servers]) {
          const isTaken = await ask(`${server}/instance/beat?${parameters}`, 'PUT').catch(() => undefined);
          if (isTaken !== undefined) break;
        }
      }
      await delay(BEAT_PERIOD_MS);
    }
  })();
  return {
    short,
    get looks() {
      return looks;
    },
    get looksByVip() {
      return looksByVip;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all([looking, beating]);
    },
  };
}

/** Lists that are asked for on connections of their own, as by scripts and by clients that begin. */
class FreshReaders {
  readonly #failures: string[] = [];
  readonly #running: Promise<void>[];
  #reads = 0;
  #isOver = false;

  constructor(server: string) {
    this.#running = Array.from({ length: FRESH_READERS }, () => this.#run(server));
  }

  async stop() {
    this.#isOver = true;
    await Promise.all(this.#running);
    return { reads: this.#reads, failures: this.#failures };
  }

  async #run(server: string): Promise<void> {
    while (!this.#isOver) {
      const caller = new KeepAliveCaller(server);
      try {
        const { status, text } = await caller.call('GET', '/nacos/v1/ns/instance/list?serviceName=watched');
        if (status !== 200) this.#failures.push(`${new Date().toISOString()} ${status} ${text}`);
        this.#reads += 1;
      } catch (error) {
        this.#failures.push(`${new Date().toISOString()} ${(error as Error).message}`);
      }
      caller.close();
      await delay(FRESH_PAUSE_MS);
    }
  }
}

async function ask(url: string, method = 'GET'): Promise<string> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(5_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
