/**
 * Promises P1, P3, P4 and P11 by real processes in network namespaces, while links are cut and nodes stopped and killed;
 * `PARTITION_SECONDS` says how long the whole partition lasts, 25 unless told.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { ownerAmong } from '../../server/src/members/owner.ts';
import { delay, identify, isAlive, until } from '../kubernetes/processes.ts';
import { requireOrFail } from '../kubernetes/require.ts';
import { missingForNamespaces } from './namespaces.ts';
import type { Named, Watch, Work } from './partitions/client.ts';
import { nowMs, type PartitionClient, PartitionCluster, type PartitionNode, PEER_PORT } from './partitions/cluster.ts';
import { type Event, type Failure, type Fault, findMisses } from './partitions/history.ts';

const skip = requireOrFail('nodes in network namespaces', missingForNamespaces());

const PARTITION_MS = Number(process.env.PARTITION_SECONDS ?? 25) * 1_000;
const ONE_WAY_MS = 12_000;
const BRIDGE_MS = 12_000;
const LOSS_MS = 10_000;
const STOPPED_MS = 20_000;
/** After a node was woken its beats, its sleep and its judgements meet. */
const AWAKE_MS = 8_000;
const LOSS = 0.2;
/** P1, P11. */
const EQUAL_MS_MAX = 15_000;
const PUSH_MS_MAX = 5_000;
/** A peer that is silent is DOWN after three calls of 1.5 s. */
const SEEN_MS_MAX = 12_000;
/** P4: what an instance asks for, and ten seconds. */
const SHORT = { interval: 2_000, timeout: 6_000, delete: 12_000 };
const UNHEALTHY_MS_MAX = SHORT.timeout + 10_000;
const GONE_MS_MAX = SHORT.delete + 10_000;

const SERVICES_OF_EACH = 2;
const PER_SERVICE = 2;
const USUAL = { beatMs: 5_000, metadata: {} };
const PARTLY_SEEN = 'nacos_kube_members_partly_seen';
const WATCH_MS = 200;
/** Each list has been looked at. */
const LOOKED_MS = 1_000;
const SHOWN_MAX = 20;

describe('three nodes in network namespaces', { skip }, () => {
  let cluster: PartitionCluster;
  let services: readonly string[];

  before(async () => {
    cluster = await PartitionCluster.start();
    services = evenServices(cluster.nodes);
    await Promise.all(cluster.clients.map((_, index) => work(index)));
    await cluster.agree(await cluster.alive(), { services, withinMs: EQUAL_MS_MAX });
    await watch(cluster.nodes);
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await cluster.history();
  });

  /** A client registers with the node beside it, or with these, and beats. */
  async function work(index: number, changes: Partial<Work> = {}): Promise<void> {
    const { program, ip } = cluster.clients[index]!;
    const servers = [cluster.nodes[index]!.address];
    const usual: Work = { servers, services, perService: PER_SERVICE, ip, ...USUAL };
    await program.call('work', { ...usual, ...changes });
  }

  async function churn(isOn: boolean): Promise<void> {
    await Promise.all(cluster.clients.map(({ program }) => program.call('churn', { isOn })));
  }

  async function watch(nodes: readonly PartitionNode[]): Promise<void> {
    const watched: Watch = { nodes: nodes.map(({ address }) => address), services, everyMs: WATCH_MS };
    await cluster.eye.program.call('watch', { ...watched });
  }

  /** In the end all agree, no list missed an instance meanwhile, and no call failed but those that had to. */
  async function judge(context: TestContext, options: JudgeOptions = {}): Promise<readonly Event[]> {
    const { byDigests = false, isExcused = () => false } = options;
    const alive = await cluster.alive();
    const tookMs = await cluster
      .agree(alive, { services, withinMs: EQUAL_MS_MAX, byDigests })
      .catch((error: Error) => error);
    const events = await cluster.history();
    const signs = events.filter(({ kind }) => kind === 'sign').length;
    const looks = events.filter(({ kind }) => kind === 'look').length;
    const failures = events.filter((event) => event.kind === 'failure');
    const wrong = failures.filter((failure) => !isExcused(failure) && !isHealing(failure));
    const misses = findMisses(events, cluster.faults);
    const excused = failures.length > wrong.length ? `, ${failures.length - wrong.length} excused` : '';
    context.diagnostic(`${signs} registrations and beats, ${looks} lists: ${misses.length} misses`);
    context.diagnostic(`${wrong.length} calls failed${excused}`);
    const told = wrong.map(({ startMs, endMs, node, call, message }) => {
      return `at ${Math.round(startMs)} ms ${node} ${call}: ${message} (${Math.round(endMs - startMs)} ms)`;
    });
    const all = [...(typeof tookMs === 'number' ? [] : [tookMs.message]), ...misses, ...told];
    assert.ok(
      all.length === 0,
      [...all.slice(0, SHOWN_MAX), JSON.stringify(cluster.faults), cluster.describe()].join('\n'),
    );
    assert.ok(looks > 0 && signs > 0);
    const what = byDigests ? 'lists and digests' : 'lists';
    context.diagnostic(
      `${what} of ${alive.length} instances equal on all nodes ${Math.round(tookMs as number)} ms after`,
    );
    return events;
  }

  test('a change is pushed by UDP to a subscriber on another host, by every node', async (context) => {
    const { eye, nodes, clients } = cluster;
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
    for (const node of nodes) assert.equal(await cluster.figure(node, 'nacos_kube_push_refused_total'), 0);
    await eye.program.call('rest');
  });

  test(`a partition of ${PARTITION_MS / 1_000} s: both sides serve, and then all agree`, async (context) => {
    const [one, two, three] = cluster.nodes as Three;
    await churn(true);
    await cluster.network.part([one.host, 'c1'], [two.host, three.host, 'c2', 'c3']);
    cluster.note({ between: [one.address, two.address] }, { between: [one.address, three.address] });
    await delay(PARTITION_MS);
    assert.deepEqual(await statesAt(one), ['UP', 'DOWN', 'DOWN']);
    assert.deepEqual(await statesAt(two), ['DOWN', 'UP', 'UP']);
    await churn(false);
    await cluster.heal();
    await judge(context, { byDigests: true });
  });

  test('calls that get lost one way: lists stay whole, and the one-sided sight is shown', async (context) => {
    const [one, two] = cluster.nodes as Three;
    await churn(true);
    const cutMs = nowMs();
    await cluster.network.cut([{ from: one.host, to: two.host, port: PEER_PORT }]);
    cluster.note({ between: [one.address, two.address] });
    await until(`${one.address} does not reach ${two.address}`, async () => (await seenBy(one, two)).state === 'DOWN', {
      timeoutMs: SEEN_MS_MAX,
    });
    await until(`${two.address} knows`, async () => (await seenBy(two, one)).extendInfo.seesMe === false, {
      timeoutMs: SEEN_MS_MAX,
    });
    context.diagnostic(`shown ${Math.round(nowMs() - cutMs)} ms after the cut`);
    assert.equal((await seenBy(two, one)).state, 'UP');
    for (const node of [one, two]) assert.equal(await cluster.figure(node, PARTLY_SEEN), 1, node.address);
    await delay(cutMs + ONE_WAY_MS - nowMs());
    await churn(false);
    await cluster.heal();
    await judge(context);
    await isSightWhole();
  });

  test('two that only a third one hears: lists stay whole, and it is shown', async (context) => {
    const [one, two, three] = cluster.nodes as Three;
    await churn(true);
    // First only packets of one way are lost, which leaves no connection whole either.
    await cluster.network.cut([{ from: one.host, to: two.host }]);
    cluster.note({ between: [one.address, two.address] });
    await delay(ONE_WAY_MS / 2);
    await cluster.network.part([one.host], [two.host]);
    await delay(BRIDGE_MS);
    assert.deepEqual(await statesAt(one), ['UP', 'DOWN', 'UP']);
    assert.deepEqual(await statesAt(two), ['DOWN', 'UP', 'UP']);
    assert.deepEqual(await statesAt(three), ['UP', 'UP', 'UP']);
    for (const node of [one, two]) assert.equal(await cluster.figure(node, PARTLY_SEEN), 1, node.address);
    await churn(false);
    await cluster.heal();
    await judge(context, { byDigests: true });
    await isSightWhole();
  });

  test(`${LOSS * 100} % of the packets between nodes lost: lists stay whole`, async (context) => {
    await churn(true);
    await cluster.network.lose(
      LOSS,
      cluster.nodes.map(({ host }) => host),
    );
    await delay(LOSS_MS);
    await churn(false);
    const lost = await cluster.network.lost();
    assert.ok(lost > 0);
    context.diagnostic(`${lost} packets lost`);
    await cluster.heal();
    await judge(context);
  });

  test(`a node stopped for ${STOPPED_MS / 1_000} s: no list shrinks, and it evicts nobody when it wakes`, async (context) => {
    const [one, two, three] = cluster.nodes as Three;
    await cluster.clients[0]!.program.call('turn', { servers: [two.address, three.address] });
    // It may only be blamed for what it was seen to know.
    await delay(LOOKED_MS);
    process.kill(one.process().pid, 'SIGSTOP');
    const stoppedMs = nowMs();
    cluster.note({ stopped: one.address });
    try {
      await delay(STOPPED_MS);
      assert.equal((await seenBy(two, one)).state, 'DOWN');
    } finally {
      process.kill(one.process().pid, 'SIGCONT');
      cluster.whole();
    }
    const awakeMs = nowMs();
    await delay(AWAKE_MS);
    await judge(context, {
      isExcused: ({ node, startMs, endMs }) => node === one.address && startMs < awakeMs && endMs > stoppedMs,
    });
    await cluster.clients[0]!.program.call('turn', { servers: [one.address] });
  });

  test('kill -9 of a node with its clients: the dead go in time, the living stay', async (context) => {
    const [one, two, three] = cluster.nodes as Three;
    const client = cluster.clients[2]!;
    await client.program.call('rest');
    const { interval, timeout, delete: deleted } = SHORT;
    await work(2, {
      beatMs: interval,
      metadata: {
        'preserved.heart.beat.interval': `${interval}`,
        'preserved.heart.beat.timeout': `${timeout}`,
        'preserved.ip.delete.timeout': `${deleted}`,
      },
    });
    const dead = new Set((await client.program.call<Named[]>('alive')).map(({ instance }) => instance));
    await cluster.agree(await cluster.alive(), { services, withinMs: EQUAL_MS_MAX });
    await watch([one, two]);
    const killedMs = nowMs();
    await Promise.all([three.process().kill9(), client.program.kill()]);
    cluster.startClient(2);
    const living = await cluster.alive();
    await cluster.agree(living, { services, nodes: [one, two], withinMs: GONE_MS_MAX - (nowMs() - killedMs) });
    context.diagnostic(
      `the dead were gone ${Math.round(nowMs() - killedMs)} ms after, with a delete time-out of ${deleted} ms`,
    );
    await three.start();
    await watch(cluster.nodes);
    const events = await judge(context, { byDigests: true });
    const asHealthy = events.filter((event) => event.kind === 'look' && event.healthy.some((one) => dead.has(one)));
    const healthyMs = Math.max(...asHealthy.map(({ startMs }) => startMs)) - killedMs;
    context.diagnostic(`a list had one as healthy ${Math.round(healthyMs)} ms after, with a time-out of ${timeout} ms`);
    assert.ok(healthyMs < UNHEALTHY_MS_MAX);
  });

  /** An owner that was cut off may not have heard of an instance yet when its beat comes; the client registers again. */
  function isHealing({ message, startMs }: Failure): boolean {
    const isAfter = ({ kind, untilMs }: Fault) => {
      return kind === 'cut' && startMs > untilMs && startMs < untilMs + EQUAL_MS_MAX;
    };
    return message.includes('"code":20404') && cluster.faults.some(isAfter);
  }

  async function seenBy(node: PartitionNode, other: PartitionNode) {
    return (await cluster.members(node)).find(({ address }) => address === other.address)!;
  }

  async function statesAt(node: PartitionNode): Promise<string[]> {
    return (await cluster.members(node)).map(({ state }) => state);
  }

  async function isSightWhole(): Promise<void> {
    const seen = async () => (await Promise.all(cluster.nodes.map((node) => cluster.figure(node, PARTLY_SEEN)))).join();
    await until('all are seen by both sides', async () => (await seen()) === '0,0,0', { timeoutMs: SEEN_MS_MAX });
  }
});

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

interface JudgeOptions {
  readonly byDigests?: boolean;
  readonly isExcused?: (failure: Failure) => boolean;
}

type Three = readonly [PartitionNode, PartitionNode, PartitionNode];

/** Each node owns as many of them as every other one while all are well. */
function evenServices(nodes: readonly PartitionNode[]): string[] {
  const members = nodes.map(({ address }) => address).sort();
  const owned = new Map(members.map((member) => [member, [] as string[]]));
  for (let i = 0; [...owned.values()].some(({ length }) => length < SERVICES_OF_EACH); i += 1) {
    const name = `parted-${i}`;
    const ofOwner = owned.get(ownerAmong(members, `public##DEFAULT_GROUP@@${name}`))!;
    if (ofOwner.length < SERVICES_OF_EACH) ofOwner.push(name);
  }
  return [...owned.values()].flat();
}
