/** No acknowledged publish is lost when a node dies in the middle of it; `KILLS` says how often, 5 unless told. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { delay, until } from '../kubernetes/processes.ts';
import { startLocalCluster } from './local-cluster.ts';
import { LocalNode, startNode } from './node.ts';
import { freePort } from './ports.ts';
import { type KeyHistory, PublishStream, readKey } from './publish-stream.ts';

const KILLS = Number(process.env.KILLS ?? 5);
/** Publishes that have to succeed before the next kill, so that each one meets a busy node. */
const BETWEEN = 100;
const MOMENT_MS_MAX = 300;
const EQUAL_MS_MAX = 15_000;
/** `up` waits twice as long before each further restart of a member, to 30 s. */
const BACK_MS_MAX = 60_000;

describe(`SIGKILL of a node under publishes, ${KILLS} times: nothing that was acknowledged is lost`, () => {
  test('one node on its own', async (context) => {
    await using node = await startNode();
    const stream = new PublishStream({ servers: [node.url('')] });
    for (let kill = 0; kill < KILLS; kill += 1) {
      await stream.progress(BETWEEN);
      await anyMoment();
      const isDead = node.kill9();
      stream.turn();
      await isDead;
      await node.start();
    }
    await stream.progress(BETWEEN);
    const isDead = node.kill9();
    await stream.stop();
    await isDead;
    await node.start();
    await assertKept(stream, [node.url('')]);
    report(context, stream);
  });

  test('a second node on the folder of another is refused, and let in when that one is killed', async () => {
    await using node = await startNode();
    const other = { port: await freePort(), data: node.data };
    await using second = new LocalNode(other);
    second.launch();
    const refused = /the data folder \S+ is in use by process \d+ on \S+: stop that one/;
    await until('it is refused', async () => refused.test(second.log), { timeoutMs: 30_000 });
    await using third = new LocalNode(other);
    third.launch();
    await until('it waits', async () => third.log.includes('waiting for the other process to end'));
    await node.kill9();
    await third.ready();
  });

  test('three nodes that share a file, by the VIP and by each other', async (context) => {
    await using cluster = await startLocalCluster(3);
    const members = cluster.members.map(({ address }) => `http://${address}/nacos`);
    const stream = new PublishStream({ servers: [...members, `http://${cluster.vip}/nacos`] });
    for (let kill = 0; kill < KILLS; kill += 1) {
      await stream.progress(BETWEEN);
      await anyMoment();
      const { back } = cluster.kill9Member(randomInt(3), BACK_MS_MAX);
      stream.turn();
      // The others go on meanwhile.
      await stream.progress(BETWEEN);
      await back();
    }
    await stream.progress(BETWEEN);
    const killed = [0, 1, 2].map((index) => cluster.kill9Member(index, BACK_MS_MAX));
    await stream.stop();
    for (const { back } of killed) await back();
    await assertKept(stream, members);
    report(context, stream);
  });
});

/** Every node gives each key's last acknowledged content or a newer one, and in the end all give the same. */
async function assertKept(stream: PublishStream, servers: readonly string[]): Promise<void> {
  const kept = await until(
    'all nodes give the same contents',
    async () => {
      const answers = await Promise.all(servers.map((server) => readAll(server, stream.keys)));
      return new Set(answers.map((contents) => contents.join())).size === 1 && answers[0];
    },
    { timeoutMs: EQUAL_MS_MAX },
  );
  assert.ok(kept.filter((number) => number > 0).length >= KILLS);
  const lost = stream.keys.filter(({ acknowledged }, i) => kept[i]! < acknowledged);
  assert.deepEqual(
    lost.map(({ dataId, acknowledged }) => `${dataId}: ${acknowledged} was acknowledged`),
    [],
  );
  for (const [i, { attempted }] of stream.keys.entries()) assert.ok(kept[i]! <= attempted);
}

async function readAll(server: string, keys: readonly KeyHistory[]): Promise<number[]> {
  const contents: number[] = [];
  for (const key of keys) contents.push(await readKey(server, key));
  return contents;
}

async function anyMoment(): Promise<void> {
  await delay(randomInt(MOMENT_MS_MAX));
}

function report(context: TestContext, { acknowledged, failed, keys }: PublishStream): void {
  context.diagnostic(`${acknowledged} publishes acknowledged, ${failed} failed, ${keys.length} keys, 0 lost`);
}
