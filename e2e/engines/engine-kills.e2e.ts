/**
 * SIGKILL of a whole engine under publishes: nothing that was acknowledged is lost, and no node has to be started again.
 * `ENGINE_KILLS` says how often for each engine, 3 unless told.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { delay, until } from '../kubernetes/processes.ts';
import { type KeyHistory, PublishStream, readKey } from '../processes/publish-stream.ts';
import { startCluster } from './cluster.ts';
import { chosenEngines } from './engine.ts';

const KILLS = Number(process.env.ENGINE_KILLS ?? 3);
/** Publishes that have to succeed before the next kill. */
const BETWEEN = 60;
const MOMENT_MS_MAX = 200;
const AWAY_MS_MAX = 400;
const EQUAL_MS_MAX = 20_000;
const choices = (await chosenEngines()).filter(({ kind }) => kind !== 'sqlite');

describe(`SIGKILL of the engine under publishes, ${KILLS} times`, () => {
  for (const { kind, missing, start } of choices) {
    test(kind, { skip: missing }, async (context) => {
      const engine = await start();
      try {
        const cluster = await startCluster(engine);
        const servers = cluster.nodes.map((node) => node.url(''));
        const pids = cluster.nodes.map(({ pid }) => pid);
        const stream = new PublishStream({ servers });
        try {
          for (let kill = 0; kill < KILLS; kill += 1) {
            await stream.progress(BETWEEN);
            await delay(randomInt(MOMENT_MS_MAX));
            const isDead = engine.killed!.begin();
            stream.turn();
            await isDead;
            await delay(randomInt(AWAY_MS_MAX));
            await engine.killed!.end();
          }
          await stream.progress(BETWEEN);
          await stream.stop();
          await assertKept(stream, servers);
          assert.deepEqual(
            cluster.nodes.map(({ pid }) => pid),
            pids,
          );
          context.diagnostic(`${stream.acknowledged} publishes acknowledged, ${stream.failed} failed, 0 lost`);
        } finally {
          await stream.stop();
          await cluster.stop();
        }
      } finally {
        await engine.stop();
      }
    });
  }
});

/** All nodes agree on each key, and on nothing older than what was acknowledged last. */
async function assertKept({ keys }: PublishStream, servers: readonly string[]): Promise<void> {
  let seen: readonly (readonly number[])[] = [];
  await until(
    'all nodes give the same contents',
    async () => {
      seen = await Promise.all(servers.map((server) => readAll(server, keys)));
      return seen.every((contents) => contents.join() === seen[0]!.join());
    },
    { timeoutMs: EQUAL_MS_MAX },
  ).catch((error: Error) => {
    const unequal = keys.filter((_, i) => new Set(seen.map((contents) => contents[i])).size > 1);
    const told = unequal.map((key) => `${key.dataId}: ${seen.map((contents) => contents[keys.indexOf(key)])}`);
    throw new Error(`${error.message}; ${told.slice(0, 10).join('; ')}`);
  });
  const lost = keys.filter(({ acknowledged, attempted }, i) => {
    return seen[0]![i]! < acknowledged || seen[0]![i]! > attempted;
  });
  assert.deepEqual(lost, []);
}

async function readAll(server: string, keys: readonly KeyHistory[]): Promise<number[]> {
  const contents: number[] = [];
  for (const key of keys) contents.push(await readKey(server, key));
  return contents;
}
