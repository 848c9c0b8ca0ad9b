/**
 * Promises P1, P3, P4 and P11 by real processes in network namespaces, while links are cut and nodes stopped and killed;
 * `PARTITION_SECONDS` says how long the whole partition lasts, 25 unless told; from 60 on the Java client lives through it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { missingForJava } from '../clients/java/build.ts';
import { delay, identify, isAlive, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { type Command, missingForNamespaces } from './namespaces.ts';
import type { Named, Work } from './partitions/client.ts';
import { nowMs, type PartitionClient, type PartitionNode, PEER_PORT } from './partitions/cluster.ts';
import { EQUAL_MS_MAX, PARTLY_SEEN, type PartitionStage, SEEN_MS_MAX, staged, USUAL } from './partitions/stage.ts';
import { BusyClient } from './rolling-clients.ts';

const skip = requireOrFail('nodes in network namespaces', missingForNamespaces());
const withoutJava = requireOrFail('the Java client', missingForJava());

const PARTITION_MS = Number(process.env.PARTITION_SECONDS ?? 25) * 1_000;
const JAVA_FROM_MS = 60_000;
const ONE_WAY_MS = 10_000;
const BRIDGE_MS = 10_000;
const LOSS_MS = 8_000;
/** Longer than a time-out. */
const STOPPED_MS = 17_000;
/** After a node was woken its beats, its sleep and its judgements meet. */
const AWAKE_MS = 8_000;
const LOSS = 0.2;
const PUSH_MS_MAX = 5_000;
/** P4: what an instance asks for, and ten seconds. */
const SHORT = { interval: 2_000, timeout: 6_000, delete: 12_000 };
const UNHEALTHY_MS_MAX = SHORT.timeout + 10_000;
const GONE_MS_MAX = SHORT.delete + 10_000;
/** Each list has been looked at. */
const LOOKED_MS = 1_000;
/** They mostly wait, so clusters of their own wait side by side. */
const CLUSTERS_AT_ONCE = 3;

describe('three nodes in network namespaces', { skip, concurrency: CLUSTERS_AT_ONCE }, () => {
  describe('one of which is cut off', { concurrency: 1 }, () => {
    const stage = staged();

    test('a change is pushed by UDP to a subscriber on another host, by every node', async (context) => {
      const { eye, nodes, clients } = stage().cluster;
      const service = 'pushed';
      for (const [index, { program, ip }] of clients.entries())
        await program.call('subscribe', { node: nodes[index]!.address, service, ip });
      const startMs = nowMs();
      const alone: Work = { servers: [nodes[0]!.address], services: [service], perService: 1, ip: eye.ip, ...USUAL };
      await eye.program.call('work', { ...alone });
      const isTold = ({ program }: PartitionClient) =>
        program.reportsOf('push').some(({ packet }) => packet.includes(`"ip":"${eye.ip}"`));
      const areTold = async () => clients.every(isTold);
      await until('each node has pushed the instance', areTold, { timeoutMs: PUSH_MS_MAX, everyMs: 5 });
      context.diagnostic(
        `the last of the pushes had come ${Math.round(nowMs() - startMs)} ms after the start of the call`,
      );
      for (const node of nodes) assert.equal(await stage().cluster.figure(node, 'nacos_kube_push_refused_total'), 0);
      await eye.program.call('rest');
    });

    test(`a partition of ${PARTITION_MS / 1_000} s: both sides serve, and then all agree`, async (context) => {
      const [one, two, three] = stage().nodes;
      await using java = await javaBeside(stage(), one);
      await stage().churn(true);
      await stage().cluster.network.part([one.host, 'c1'], [two.host, three.host, 'c2', 'c3']);
      stage().cluster.note({ between: [one.address, two.address] }, { between: [one.address, three.address] });
      await delay(PARTITION_MS);
      assert.deepEqual(await stage().statesAt(one), ['UP', 'DOWN', 'DOWN']);
      assert.deepEqual(await stage().statesAt(two), ['DOWN', 'UP', 'UP']);
      await stage().churn(false);
      await stage().cluster.heal();
      await stage().judge(context, { byDigests: true });
      if (java === undefined) return;
      await java.stop();
      context.diagnostic(java.describe());
      assert.ok(java.calls > 50);
      assert.deepEqual(java.failures, []);
    });
  });

  describe('whose links fail', { concurrency: 1 }, () => {
    const stage = staged();

    test('calls that get lost one way: lists stay whole, and the one-sided sight is shown', async (context) => {
      const [one, two] = stage().nodes;
      await stage().churn(true);
      const cutMs = nowMs();
      await stage().cluster.network.cut([{ from: one.host, to: two.host, port: PEER_PORT }]);
      stage().cluster.note({ between: [one.address, two.address] });
      await until(
        `${one.address} does not reach ${two.address}`,
        async () => (await stage().seenBy(one, two)).state === 'DOWN',
        {
          timeoutMs: SEEN_MS_MAX,
        },
      );
      await until(`${two.address} knows`, async () => (await stage().seenBy(two, one)).extendInfo.seesMe === false, {
        timeoutMs: SEEN_MS_MAX,
      });
      context.diagnostic(`shown ${Math.round(nowMs() - cutMs)} ms after the cut`);
      assert.equal((await stage().seenBy(two, one)).state, 'UP');
      for (const node of [one, two]) assert.equal(await stage().cluster.figure(node, PARTLY_SEEN), 1, node.address);
      await delay(Math.max(0, cutMs + ONE_WAY_MS - nowMs()));
      await stage().churn(false);
      await stage().cluster.heal();
      await stage().judge(context);
      await stage().isSightWhole();
    });

    test('two that only a third one hears: lists stay whole, and it is shown', async (context) => {
      const [one, two, three] = stage().nodes;
      await stage().churn(true);
      // First only packets of one way are lost, which leaves no connection whole either.
      await stage().cluster.network.cut([{ from: one.host, to: two.host }]);
      stage().cluster.note({ between: [one.address, two.address] });
      await delay(ONE_WAY_MS / 2);
      await stage().cluster.network.part([one.host], [two.host]);
      await delay(BRIDGE_MS);
      assert.deepEqual(await stage().statesAt(one), ['UP', 'DOWN', 'UP']);
      assert.deepEqual(await stage().statesAt(two), ['DOWN', 'UP', 'UP']);
      assert.deepEqual(await stage().statesAt(three), ['UP', 'UP', 'UP']);
      for (const node of [one, two]) assert.equal(await stage().cluster.figure(node, PARTLY_SEEN), 1, node.address);
      await stage().churn(false);
      await stage().cluster.heal();
      await stage().judge(context, { byDigests: true });
      await stage().isSightWhole();
    });

    test(`${LOSS * 100} % of the packets between nodes lost: lists stay whole`, async (context) => {
      await stage().churn(true);
      await stage().cluster.network.lose(
        LOSS,
        stage().cluster.nodes.map(({ host }) => host),
      );
      await delay(LOSS_MS);
      await stage().churn(false);
      const lost = await stage().cluster.network.lost();
      assert.ok(lost > 0);
      context.diagnostic(`${lost} packets lost`);
      await stage().cluster.heal();
      await stage().judge(context);
    });
  });

  describe('one of which stops', { concurrency: 1 }, () => {
    const stage = staged();

    test(`a node stopped for ${STOPPED_MS / 1_000} s: no list shrinks, and it evicts nobody when it wakes`, async (context) => {
      const [one, two, three] = stage().nodes;
      await stage().cluster.clients[0]!.program.call('turn', { servers: [two.address, three.address] });
      // It may only be blamed for what it was seen to know.
      await delay(LOOKED_MS);
      process.kill(one.process().pid, 'SIGSTOP');
      const stoppedMs = nowMs();
      stage().cluster.note({ stopped: one.address });
      try {
        await delay(STOPPED_MS);
        assert.equal((await stage().seenBy(two, one)).state, 'DOWN');
      } finally {
        process.kill(one.process().pid, 'SIGCONT');
        stage().cluster.whole();
      }
      const awakeMs = nowMs();
      await delay(AWAKE_MS);
      await stage().judge(context, {
        isExcused: ({ node, startMs, endMs }) => node === one.address && startMs < awakeMs && endMs > stoppedMs,
      });
      await stage().cluster.clients[0]!.program.call('turn', { servers: [one.address] });
    });

    test('kill -9 of a node with its clients: the dead go in time, the living stay', async (context) => {
      const [one, two, three] = stage().nodes;
      const client = stage().cluster.clients[2]!;
      await client.program.call('rest');
      const { interval, timeout, delete: deleted } = SHORT;
      await stage().work(2, {
        beatMs: interval,
        metadata: {
          'preserved.heart.beat.interval': `${interval}`,
          'preserved.heart.beat.timeout': `${timeout}`,
          'preserved.ip.delete.timeout': `${deleted}`,
        },
      });
      const dead = new Set((await client.program.call<Named[]>('alive')).map(({ instance }) => instance));
      await stage().cluster.agree(await stage().cluster.alive(), {
        services: stage().services,
        withinMs: EQUAL_MS_MAX,
      });
      await stage().watch([one, two]);
      const killedMs = nowMs();
      await Promise.all([three.process().kill9(), client.program.kill()]);
      stage().cluster.startClient(2);
      const living = await stage().cluster.alive();
      await stage().cluster.agree(living, {
        services: stage().services,
        nodes: [one, two],
        withinMs: GONE_MS_MAX - (nowMs() - killedMs),
      });
      context.diagnostic(
        `the dead were gone ${Math.round(nowMs() - killedMs)} ms after, with a delete time-out of ${deleted} ms`,
      );
      await three.start();
      await stage().watch(stage().cluster.nodes);
      const events = await stage().judge(context, { byDigests: true });
      const asHealthy = events.filter((event) => event.kind === 'look' && event.healthy.some((one) => dead.has(one)));
      const healthyMs = Math.max(...asHealthy.map(({ startMs }) => startMs)) - killedMs;
      context.diagnostic(
        `a list had one as healthy ${Math.round(healthyMs)} ms after, with a time-out of ${timeout} ms`,
      );
      assert.ok(healthyMs < UNHEALTHY_MS_MAX);
    });
  });
});

/** The real client on the host of the smaller side, in a campaign; each push of CI has it behind the VIP (rolling.e2e.ts). */
async function javaBeside({ cluster }: PartitionStage, node: PartitionNode): Promise<BusyClient | undefined> {
  if (PARTITION_MS < JAVA_FROM_MS || withoutJava !== false) return undefined;
  const { host, ip } = cluster.clients[0]!;
  const runner = (command: Command) => cluster.network.command(host, command);
  const target = { name: node.address, servers: [node.address], contextPath: '/nacos', ownIp: ip, runner };
  return await BusyClient.start('java', target, ip);
}

test('nothing is left of a network whose process is killed', { skip }, async () => {
  const program = `
    const { Network } = await import(${JSON.stringify(new URL('namespaces.ts', import.meta.url).href)});
    const network = await Network.start(['one', 'two']);
    const [command, ...args] = network.command('one', ['sleep', '600']);
    const { pid } = spawn(command, args, { detached: true, stdio: 'ignore' });
    while (readFileSync('/proc/' + pid + '/comm', 'utf8') !== 'sleep\\n') await new Promise(setImmediate);
    process.kill(pid, 'SIGSTOP');
    console.log(JSON.stringify({ pids: [...network.pids, pid], folder: network.folder }));
    setInterval(() => {}, 1_000);`;
  const imports = `import { spawn } from 'node:child_process'; import { readFileSync } from 'node:fs';`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', `${imports}${program}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const { pids, folder } = JSON.parse(line.toString()) as { pids: number[]; folder: string };
  const ids = pids.map((pid) => identify(pid)!);
  assert.ok(ids.length === 4 && ids.every(isAlive) && existsSync(folder));
  owner.kill('SIGKILL');
  const isGone = async () => !ids.some(isAlive) && !existsSync(folder);
  await until('its processes and its folder are gone', isGone, { timeoutMs: GONE_MS_MAX });
});
