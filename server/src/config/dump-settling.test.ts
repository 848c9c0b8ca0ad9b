import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '@nacos-kube/core/sim/world.ts';
import {
  bootWithoutStore,
  DIRECTORY,
  FATES,
  filesBelow,
  startNode,
  startWhole,
  steps,
  type Texts,
} from './dump-for-tests.ts';
import { SETTLE_MS } from './dump-unsettled.ts';

const OLD: Texts = { same: 'one', changed: 'one' };

test('a full dump removes no older text before the newer one is synced, whoever wrote that', async () => {
  for (const fate of FATES) {
    for (const cutMs of steps(60, 0)) {
      for (const scene of ['same process', 'next process', 'beside'] as const) {
        const world = worldOf(1);
        const first = await startWhole(world, OLD);
        let node = first;
        if (scene !== 'beside') {
          first.put('changed', 'two');
          await world.advance(200);
        }
        if (scene === 'next process') node = startNode(world, { ...OLD, changed: 'two' });
        if (scene === 'beside') node = startNode(world, { ...OLD, changed: 'row' });
        node.host.background('check', node.check());
        if (scene === 'beside') node.put('changed', 'two');
        await world.advance(cutMs);
        world.crash('n', fate);
        const text = (await bootWithoutStore(world))['changed'] ?? 'none';
        assert.match(text, /^(one|row|two)$/, `${scene}, ${fate}, cut at ${cutMs}`);
      }
    }
  }
});

test('what a full dump finds beside the newest text is gone soon after it', async () => {
  const world = worldOf(2);
  const first = await startWhole(world, OLD);
  first.put('changed', 'two');
  await world.advance(200);
  const node = startNode(world, { ...OLD, changed: 'two' });
  await world.finish(node.check());
  assert.equal((await world.finish(filesBelow(node.host, DIRECTORY))).length, 2 + 1);
  world.crash('n', 'lost');
  assert.deepEqual(await bootWithoutStore(world), { ...OLD, changed: 'two' });
});

test('a publish is written within a second while many older files are settled on a slow disk', async () => {
  const keys = Array.from({ length: 400 }, (_, i) => `d${i}`);
  const texts = (text: string): Texts => ({ beat: '0', ...Object.fromEntries(keys.map((key) => [key, text])) });
  const world = worldOf(3);
  const first = await startWhole(world, texts('one'));
  world.disk('n', { slowMs: 10 });
  for (const key of keys) first.put(key, 'two');
  await world.advance(SETTLE_MS - 5_000);
  for (let second = 0; second < 15; second += 1) {
    first.put('beat', `${second}`);
    await world.advance(1_000);
    assert.equal(first.dump.metrics().dumpQueue, 0, `${second} s`);
  }
  assert.equal(
    (await world.finish(filesBelow(first.host, DIRECTORY))).length,
    400 + 2 + 1,
    'all but the last are settled',
  );
  const node = startNode(world, texts('three'));
  node.host.background('check', node.check());
  await world.advance(10_000);
  for (let second = 0; second < 15; second += 1) {
    node.put('beat', `again ${second}`);
    await world.advance(1_000);
    assert.equal(node.dump.metrics().dumpQueue, 0, `${second} s of the full dump`);
  }
});

function worldOf(seed: number): World {
  return new World({ seed, traceLinesMax: 0 });
}
