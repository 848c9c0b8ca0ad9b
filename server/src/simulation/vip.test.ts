import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { World } from '@nacos-kube/core/sim/world.ts';
import { PUBLIC_PORT, type SimulatedNode } from './cluster.ts';
import { LOOK_MS, SILENT_LOOKS_MAX, startVip, VIP, WAIT_MS } from './vip.ts';

const MORE_MS = 100;

async function behindVip() {
  const world = new World({ seed: 1 });
  const names = ['s1', 's2'];
  const [ready, paused] = [new Set(names), new Set<string>()];
  for (const [n, name] of names.entries()) {
    const node = world.process(name, { address: `10.0.0.${n + 1}` });
    const answer = async () => ({ status: 200, headers: {}, body: name });
    await node.network.serve({ address: '0.0.0.0', port: PUBLIC_PORT, bodyBytesMax: 100 }, answer);
  }
  const vip = world.process(VIP, { address: '10.0.3.1' });
  const nodes = () => names.filter((name) => ready.has(name)).map((name) => ({ name }) as SimulatedNode);
  await startVip(vip, { names, ready: nodes, isPaused: (name) => paused.has(name) });
  let clients = 0;
  /** Who answers, or how it failed, on a connection of its own. */
  const ask = async (): Promise<string> => {
    clients++;
    const client = world.process(`c${clients}`, { address: `10.0.1.${clients}` });
    const request = { address: VIP, port: PUBLIC_PORT, method: 'GET', path: '/', timeoutMs: 10_000 };
    try {
      return new TextDecoder().decode((await client.network.request(request)).body);
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      return error.kind;
    }
  };
  return { world, vip, ask, ready, paused };
}

test('a connection that comes while nobody is ready waits for one that is', async () => {
  const { world, vip, ask, ready } = await behindVip();
  ready.clear();
  await world.advance(LOOK_MS);
  let answer = '';
  vip.background(
    'ask',
    ask().then((who) => {
      answer = who;
    }),
  );
  await world.advance(WAIT_MS - LOOK_MS - MORE_MS);
  assert.equal(answer, '');
  ready.add('s2');
  await world.advance(LOOK_MS + MORE_MS);
  assert.equal(answer, 's2');
});

test('a connection that nobody takes in time is closed', async () => {
  const { world, ask, ready } = await behindVip();
  ready.clear();
  await world.advance(LOOK_MS);
  const beganMs = world.nowMs;
  assert.equal(await world.finish(ask()), 'reset');
  const tookMs = world.nowMs - beganMs;
  assert.ok(tookMs >= WAIT_MS && tookMs < WAIT_MS + MORE_MS, `${tookMs} ms`);
});

test('one that is dead is passed over, and one that hangs is known for it some looks later', async () => {
  const { world, ask, paused } = await behindVip();
  const seen = async () => {
    const answers = new Set<string>();
    for (let count = 0; count < 10; count++) answers.add(await world.finish(ask()));
    return [...answers].sort();
  };
  await world.advance(LOOK_MS);
  paused.add('s1');
  await world.advance(LOOK_MS);
  assert.deepEqual(await seen(), ['s1', 's2']);
  await world.advance((SILENT_LOOKS_MAX + 1) * 1_000);
  assert.deepEqual(await seen(), ['s2']);
  paused.clear();
  await world.advance(LOOK_MS);
  assert.deepEqual(await seen(), ['s1', 's2']);
  world.kill('s1');
  assert.deepEqual(await seen(), ['s2']);
});
