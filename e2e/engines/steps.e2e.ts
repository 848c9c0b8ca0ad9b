/**
 * A node dies between two steps of a publish (P2): what was acknowledged stands, the rest stands whole or not at all,
 * and every node comes to serve the same. Nodes that break the rules F9 and F12 are noticed by the same checks.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { dumpName, dumpPath } from '@nacos-kube/server/config/dump-file.ts';
import { until } from '../kubernetes/processes.ts';
import type { LocalNode } from '../processes/node.ts';
import type { Runner } from '../processes/program.ts';
import { type EngineCluster, startCluster } from './cluster.ts';
import { chosenEngines } from './engine.ts';
import { STEPS, type Step, stopAt } from './steps.ts';

const GROUP = 'STEPS';
const DEAD_MS_MAX = 10_000;
/** Of a publish that nobody was hinted at: the feed is looked at every 2 s. */
const FOLLOWED_MS_MAX = 5_000;
const ANSWER_MS_MAX = 10_000;
/** Steps that come before the answer, and of those the ones that come after the commit. */
const UNANSWERED: readonly Step[] = ['before commit', 'after commit', 'after cache'];
const COMMITTED: readonly Step[] = STEPS.filter((step) => step !== 'before commit');
// The steps are those of the node; histories and kills are for the engines.
const choices = (await chosenEngines()).filter(({ kind }) => process.env.ENGINES !== undefined || kind === 'sqlite');

const breakable: Runner = ([node, , ...args]) => [node, join(import.meta.dirname, 'breakable-node.ts'), ...args];

describe('a node dies in the middle of a publish', () => {
  for (const { kind, missing, start } of choices) {
    test(kind, { skip: missing }, async () => {
      const engine = await start();
      const cluster = await startCluster(engine, { ofNode: (i) => (i === 0 ? { runner: breakable } : {}) });
      try {
        for (const step of STEPS) await dieAt(cluster, step);
      } finally {
        await cluster.stop();
        await engine.stop();
      }
    });
  }

  test('F9: nodes that wait to be told are noticed', async () => {
    const engine = await choices[0]!.start();
    const ofNode = (index: number) => ({ runner: breakable, ...(index > 0 && { env: { MUTANT: 'no follow' } }) });
    const cluster = await startCluster(engine, { ofNode });
    try {
      await assert.rejects(dieAt(cluster, 'after commit'), /the others serve/);
    } finally {
      await cluster.stop();
      await engine.stop();
    }
  });

  test('F12: a node without its store serves its dump; one that clears it first is noticed', async () => {
    const engine = await choices[0]!.start();
    const env: Record<string, string> = {};
    const cluster = await startCluster(engine, { members: 1, ofNode: () => ({ runner: breakable, env }) });
    const [node] = cluster.nodes as [LocalNode];
    const startAway = async () => {
      await cluster.kill9(0);
      env.STORE = 'away';
      cluster.launch(0);
      await until('it serves its dump', async () => (await read(node, 'dumped')) === 'kept', {
        timeoutMs: FOLLOWED_MS_MAX,
      });
    };
    try {
      assert.equal(await publish(node, 'dumped', 'kept'), true);
      await untilDumped(node, 'dumped', 'kept');
      await startAway();
      env.MUTANT = 'clears the dump';
      await assert.rejects(startAway, /it serves its dump/);
    } finally {
      await cluster.stop();
      await engine.stop();
    }
  });
});

async function dieAt(cluster: EngineCluster, step: Step): Promise<void> {
  const [first, ...others] = cluster.nodes as [LocalNode, LocalNode, LocalNode];
  const dataId = step.replace(' ', '-');
  const content = stopAt(step);
  assert.equal(await publish(first, dataId, 'old'), true);
  await until('all nodes serve the old one', async () =>
    (await readAll(cluster.nodes, dataId)).every((one) => one === 'old'),
  );
  await untilDumped(first, dataId, 'old');

  const isAcknowledged = await publish(first, dataId, content).catch(() => false);
  await until(`the node has died ${step}`, async () => existsSync(join(first.data, `ended ${step}`)) && isDead(first), {
    timeoutMs: DEAD_MS_MAX,
  });
  assert.equal(isAcknowledged, !UNANSWERED.includes(step));
  const expected = COMMITTED.includes(step) ? content : 'old';
  await until(
    `the others serve ${expected}`,
    async () => (await readAll(others, dataId)).every((one) => one === expected),
    {
      timeoutMs: FOLLOWED_MS_MAX,
    },
  );

  await cluster.kill9(0);
  cluster.launch(0);
  await cluster.ready();
  assert.deepEqual(await readAll(cluster.nodes, dataId), [expected, expected, expected]);
  await untilDumped(first, dataId, expected);
  assert.equal(await publish(first, dataId, 'new'), true);
  await until('all nodes serve the new one', async () =>
    (await readAll(cluster.nodes, dataId)).every((one) => one === 'new'),
  );
}

function isDead(node: LocalNode): boolean {
  try {
    process.kill(node.pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function untilDumped(node: LocalNode, dataId: string, content: string): Promise<void> {
  const key = groupKey({ dataId, group: GROUP, namespaceId: '' });
  const name = dumpName(key, { md5: contentMd5(Buffer.from(content)), type: 'text' });
  const file = dumpPath(join(node.data, 'config'), name);
  await until('the dump has it', async () => (await readFile(file, 'utf8').catch(() => '')).endsWith(`\n${content}`));
}

async function publish(node: LocalNode, dataId: string, content: string): Promise<boolean> {
  const body = new URLSearchParams({ dataId, group: GROUP, content });
  const response = await ask(node, '/v1/cs/configs', { method: 'POST', body });
  return response.status === 200 && (await response.text()) === 'true';
}

function readAll(nodes: readonly LocalNode[], dataId: string): Promise<readonly string[]> {
  return Promise.all(nodes.map((node) => read(node, dataId)));
}

async function read(node: LocalNode, dataId: string): Promise<string> {
  return (await ask(node, `/v1/cs/configs?dataId=${dataId}&group=${GROUP}`)).text();
}

function ask(node: LocalNode, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(node.url(path), { signal: AbortSignal.timeout(ANSWER_MS_MAX), ...init });
}
