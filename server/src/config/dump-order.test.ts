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

const OLD: Texts = { same: 'one', changed: 'one', gone: 'one' };
const NEW: Texts = { same: 'one', changed: 'two' };
const HOUR_MS = 3_600_000;

test('what is published after the wall clock went back is what counts, before the first full dump and after it', async () => {
  for (const isChecked of [false, true]) {
    const world = worldOf(1);
    const first = await startWhole(world, OLD, HOUR_MS);
    first.put('changed', 'zero');
    await world.advance(1_000);
    const node = startNode(world, { ...OLD, changed: 'zero' });
    world.jumpClock('n', -HOUR_MS);
    if (isChecked) await world.finish(node.check());
    node.put('changed', 'two');
    await world.advance(40_000);
    await world.finish(node.dump.stop());
    assert.equal((await bootWithoutStore(world))['changed'], 'two');
  }
});

test('a generation counts in one step also when the wall clock went back before it', async () => {
  const seen = new Set<string>();
  for (const cutMs of steps(40, 0)) {
    const world = worldOf(2);
    await startWhole(world, OLD, HOUR_MS);
    const node = startNode(world, NEW);
    world.jumpClock('n', -HOUR_MS);
    node.host.background('check', node.check());
    await world.advance(cutMs);
    const texts = await bootWithoutStore(world);
    assert.deepEqual(texts, texts['changed'] === 'one' ? OLD : NEW, `killed after ${cutMs} ms`);
    seen.add(texts['changed']!);
  }
  assert.equal(seen.size, 2);
});

test('what was gone and is published again counts, also when the wall clock went back meanwhile', async () => {
  for (const skewMs of [0, HOUR_MS]) {
    const world = worldOf(3);
    const first = await startWhole(world, OLD, skewMs);
    first.remove('changed');
    const second = startNode(world, NEW);
    await world.finish(second.check());
    await world.advance(1_000);
    const node = startNode(world, NEW);
    world.jumpClock('n', -skewMs);
    node.put('gone', 'one');
    await world.advance(1_000);
    assert.deepEqual(await bootWithoutStore(world), { ...NEW, gone: 'one' });
  }
});

test('a text that comes back before the one in between is synced is not lost with the power', async () => {
  for (const fate of FATES) {
    for (const betweenMs of [0, 50, 150, 2_000]) {
      for (const cutMs of steps(150, 0)) {
        const world = worldOf(4);
        const node = await startWhole(world, OLD);
        node.put('changed', 'two');
        await world.advance(betweenMs);
        node.put('changed', 'one');
        await world.advance(cutMs);
        world.crash('n', fate);
        const text = (await bootWithoutStore(world))['changed'] ?? 'none';
        assert.match(text, /^(one|two)$/, `${fate}, ${betweenMs} ms between, cut ${cutMs} ms later`);
      }
    }
  }
});

test('what is removed does not come back with an older text that an earlier process left', async () => {
  const seen = new Set<string>();
  for (const cutMs of steps(103, 100)) {
    const world = worldOf(5);
    const first = await startWhole(world, OLD);
    first.put('changed', 'two');
    await world.advance(1_000);
    const node = startNode(world, { ...OLD, changed: 'two' });
    node.remove('changed');
    await world.advance(cutMs);
    seen.add((await bootWithoutStore(world))['changed'] ?? 'none');
  }
  assert.deepEqual(seen, new Set(['two', 'none']));
});

test('a text that comes back after the one in between was in a full dump that was broken off stays served', async () => {
  for (const brokenMs of steps(14, 2)) {
    for (const cutMs of steps(14, 2)) {
      const world = worldOf(6);
      await startWhole(world, OLD);
      const broken = startNode(world, { ...OLD, changed: 'two' });
      broken.host.background('check', broken.check());
      await world.advance(brokenMs);
      const before = (await bootWithoutStore(world))['changed'];
      const node = startNode(world, OLD);
      node.host.background('check', node.check());
      await world.advance(cutMs);
      world.kill('n');
      const text = (await bootWithoutStore(world))['changed'];
      assert.ok(text === before || text === 'one', `broken off at ${brokenMs}, cut at ${cutMs}: ${before}, ${text}`);
    }
  }
});

test('what is published beside a full dump counts from its write on, whatever that dump has of its key', async () => {
  const ranks = ['one', 'row', 'two'];
  const queuedBefore = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`d${i}`, 'row']));
  for (const publishMs of [0, 1, 40, 80, 120, 160, 200]) {
    let last = 0;
    for (const cutMs of steps(600, 0)) {
      const world = worldOf(8);
      await startWhole(world, OLD);
      const node = startNode(world, { ...queuedBefore, changed: 'row' });
      world.disk('n', { slowMs: 10 });
      node.host.background('check', node.check());
      await world.advance(publishMs);
      node.put('changed', 'two');
      await world.advance(cutMs);
      const rank = ranks.indexOf((await bootWithoutStore(world))['changed'] ?? 'none');
      assert.ok(
        rank >= last,
        `published at ${publishMs}, killed ${cutMs} ms later: ${ranks[rank]}, was ${ranks[last]}`,
      );
      last = rank;
    }
    assert.equal(last, 2);
  }
});

test('of many versions in a short time only two files stay', async () => {
  const world = worldOf(7);
  const node = await startWhole(world, OLD);
  for (const text of ['two', 'three', 'four', 'five', 'six']) {
    node.put('changed', text);
    await world.advance(1_000);
  }
  const files = await world.finish(filesBelow(node.host, DIRECTORY));
  assert.equal(files.length, 3 + 1 + 1);
  await world.advance(60_000);
  assert.equal((await world.finish(filesBelow(node.host, DIRECTORY))).length, 3 + 1);
});

function worldOf(seed: number): World {
  return new World({ seed, traceLinesMax: 0 });
}

test('a text that comes back before the one in between had its turn is not written again', async () => {
  const world = worldOf(5);
  const node = await startWhole(world, OLD);
  node.put('changed', 'two');
  await world.advance(1_000);
  const { dumpWrites } = node.dump.metrics();
  node.put('changed', 'three');
  node.put('changed', 'two');
  await world.advance(1_000);
  assert.equal(node.dump.metrics().dumpWrites, dumpWrites);
  assert.equal((await bootWithoutStore(world))['changed'], 'two');
});

test('what comes back after its file was found gone, or was removed, is written again', async () => {
  for (const removedMs of steps(30, 0)) {
    for (const goneMs of [0.3, 1, 3, 200]) {
      const world = worldOf(6);
      const node = await startWhole(world, OLD);
      node.put('changed', 'two');
      await world.advance(1_000);
      node.host.background('check', node.check());
      await world.advance(removedMs);
      node.remove('changed');
      await world.advance(goneMs);
      node.put('changed', 'two');
      await world.advance(2_000);
      const text = (await bootWithoutStore(world))['changed'];
      assert.equal(text, 'two', `removed after ${removedMs} ms, back ${goneMs} ms later`);
    }
  }
});
