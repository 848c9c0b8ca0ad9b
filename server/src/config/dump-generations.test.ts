import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { DiskError } from '@nacos-kube/core/host/host.ts';
import { World } from '@nacos-kube/core/sim/world.ts';
import { contentMd5 } from '@nacos-kube/core/wire/config.ts';
import { checkDump } from './dump-check.ts';
import { dumpPath, keyName } from './dump-file.ts';
import {
  bootWithoutStore,
  cacheOf,
  DIRECTORY,
  FATES,
  filesBelow,
  readBeside,
  startNode,
  steps,
  type Texts,
  WRITTEN_OUT_MS,
} from './dump-for-tests.ts';
import { SETTLE_MS } from './dump-unsettled.ts';

const OLD: Texts = { same: 'one', changed: 'one', gone: 'one', other: 'x' };
const NEW: Texts = { same: 'one', changed: 'two', new: 'one', other: 'y' };
const CUT_EVERY_MS = 0.3;

test('a full dump that loses its power at any moment leaves the old generation or the new one, and nothing of both', async () => {
  const outcomes = await cutEverywhere(async (world) => {
    const node = startNode(world, OLD);
    await world.finish(checkDump(node.host, node.dump, node.cache));
    await world.advance(WRITTEN_OUT_MS);
  });
  assert.deepEqual(outcomes, new Set(['old', 'new']));
});

test('a dump of an earlier release stands until the first generation of this one is whole', async () => {
  const outcomes = await cutEverywhere(async (world) => {
    const { disk } = world.process('n', { address: '10.0.0.1' });
    const writes = Object.entries(OLD).map(([dataId, text]) =>
      disk.write(dumpPath(DIRECTORY, keyName(`${dataId}+g`)), fileOfEarlierRelease(dataId, text)),
    );
    await world.finish(Promise.all([...writes, disk.write(`${DIRECTORY}/whole`, '{"configs":4,"atMs":1}\n')]));
    await world.advance(WRITTEN_OUT_MS);
  });
  assert.deepEqual(outcomes, new Set(['old', 'new']));
});

test('a publish whose power is lost at any moment leaves its text or an earlier one', async () => {
  const seen = new Set<string>();
  for (const fate of FATES) {
    for (const cutMs of [...steps(150, 5), ...steps(SETTLE_MS + 400, SETTLE_MS + 90)]) {
      const world = new World({ seed: 7, traceLinesMax: 0 });
      const node = startNode(world, OLD);
      await world.finish(checkDump(node.host, node.dump, node.cache));
      await world.advance(WRITTEN_OUT_MS);
      node.put('changed', 'two');
      await world.advance(120);
      node.put('changed', 'three');
      node.put('new', 'one');
      node.remove('gone');
      await world.advance(cutMs);
      world.crash('n', fate);
      const texts = await bootWithoutStore(world);
      assert.ok(['one', 'two', 'three'].includes(texts['changed'] ?? ''), `${fate} at ${cutMs}: ${texts['changed']}`);
      assert.deepEqual([texts['same'], texts['other']], ['one', 'x']);
      if (cutMs > SETTLE_MS + 300) assert.equal(texts['changed'], 'three');
      seen.add(texts['changed']!);
    }
  }
  assert.deepEqual([...seen].sort(), ['one', 'three', 'two']);
});

test('a text goes only once the one in its place is synced, also when that came a moment ago', async () => {
  for (const fate of FATES) {
    for (const cutMs of steps(140, 0)) {
      const world = new World({ seed: 8, traceLinesMax: 0 });
      const node = startNode(world, OLD);
      await world.finish(checkDump(node.host, node.dump, node.cache));
      await world.advance(WRITTEN_OUT_MS);
      node.put('changed', 'two');
      await world.advance(SETTLE_MS - 30);
      node.put('changed', 'three');
      await world.advance(101 + cutMs);
      world.crash('n', fate);
      assert.match((await bootWithoutStore(world))['changed'] ?? 'none', /^(one|two|three)$/, `${fate} at ${cutMs}`);
    }
  }
});

test('what is published beside a full dump is not lost with the power, whenever that goes', async () => {
  const seen = new Set<string>();
  for (const fate of FATES) {
    for (const publishMs of [0, 1, 2, 3, 4, 6, 8]) {
      for (const cutMs of steps(140, 0)) {
        const world = new World({ seed: 11, traceLinesMax: 0 });
        const first = startNode(world, OLD);
        await world.finish(checkDump(first.host, first.dump, first.cache));
        await world.advance(WRITTEN_OUT_MS);
        world.kill('n');
        const node = startNode(world, { ...OLD, new: 'one' });
        node.host.background('check', checkDump(node.host, node.dump, node.cache));
        await world.advance(publishMs);
        node.put('changed', 'two');
        node.put('same', 'two');
        await world.advance(cutMs);
        world.crash('n', fate);
        const texts = await bootWithoutStore(world);
        const facts = `${fate}, published at ${publishMs}, cut ${cutMs} ms later`;
        for (const dataId of ['changed', 'same']) assert.match(texts[dataId] ?? 'none', /^(one|two)$/, facts);
        assert.deepEqual([texts['gone'], texts['other']], ['one', 'x'], facts);
        seen.add(`${texts['changed']} ${texts['new']}`);
      }
    }
  }
  assert.equal(seen.size, 4, [...seen].join());
});

test('a node that is killed boots with what was published into the generation, also beside a full dump', async () => {
  const world = new World({ seed: 3 });
  const node = startNode(world, OLD);
  await world.finish(checkDump(node.host, node.dump, node.cache));
  world.disk('n', { slowMs: 50 });
  node.put('changed', 'two');
  node.host.background('check', checkDump(node.host, node.dump, node.cache));
  await world.advance(400);
  node.put('changed', 'three');
  node.put('other', 'y');
  node.put('other', 'x');
  node.put('new', 'one');
  node.remove('gone');
  await world.advance(300_000);
  world.kill('n');
  assert.deepEqual(await bootWithoutStore(world), { same: 'one', changed: 'three', new: 'one', other: 'x' });
});

test('a disk that is full keeps the old generation, and takes the new one once it has room', async () => {
  const world = new World({ seed: 4 });
  const first = startNode(world, OLD);
  await world.finish(checkDump(first.host, first.dump, first.cache));
  world.kill('n');
  const node = startNode(world, NEW);
  world.disk('n', { full: true });
  await world.finish(checkDump(node.host, node.dump, node.cache));
  assert.equal(node.dump.metrics().dumpFailing, 1);
  assert.deepEqual(await readBeside(world, node.host), OLD);
  world.disk('n', { full: false });
  await world.advance(30_000);
  assert.deepEqual(await readBeside(world, node.host), NEW);
});

test('what a broken off dump left behind is gone after the next one', async () => {
  const world = new World({ seed: 5 });
  const first = startNode(world, OLD);
  await world.finish(checkDump(first.host, first.dump, first.cache));
  first.host.background('check', checkDump(first.host, first.dump, cacheOf(NEW)));
  const leaf = dumpPath(DIRECTORY, keyName('same+g')).slice(0, -64);
  await world.finish(first.host.disk.write(`${leaf}.half-written.tmp`, 'half'));
  await world.finish(first.host.disk.write(`${DIRECTORY}/.whole.tmp`, 'half'));
  world.kill('n');
  await world.advance(10);
  const node = startNode(world, NEW);
  await world.finish(checkDump(node.host, node.dump, node.cache));
  await world.advance(1_000);
  const files = await world.finish(filesBelow(node.host, DIRECTORY));
  assert.equal(files.length, Object.keys(NEW).length + 1, files.join('\n'));
  assert.deepEqual(await readBeside(world, node.host), NEW);
});

test('what a process that died left and nobody can remove holds up no dump', async () => {
  const world = new World({ seed: 5 });
  const first = startNode(world, OLD);
  await world.finish(checkDump(first.host, first.dump, first.cache));
  const leaf = dumpPath(DIRECTORY, keyName('same+g')).slice(0, -64);
  await world.finish(first.host.disk.write(`${leaf}.half-written.tmp`, 'half'));
  world.kill('n');
  await world.advance(10);
  const { host, dump, cache } = startNode(world, NEW);
  const { disk } = host;
  const remove = async (path: string) => {
    if (path.endsWith('.tmp')) throw new DiskError('denied', path);
    await disk.remove(path);
  };
  await world.finish(checkDump({ ...host, disk: { ...disk, remove } }, dump, cache));
  assert.deepEqual(await readBeside(world, host), NEW);
});

/** Has the node write the dump of `NEW` over what `prepare` left, and cuts the power at every step of it. */
async function cutEverywhere(prepare: (world: World) => Promise<void>): Promise<ReadonlySet<string>> {
  const outcomes = new Set<string>();
  for (const fate of FATES) {
    let isCut = true;
    for (let cutMs = 0; isCut; cutMs += CUT_EVERY_MS) {
      const world = new World({ seed: 1, traceLinesMax: 0 });
      await prepare(world);
      world.kill('n');
      const node = startNode(world, NEW);
      let isDone = false;
      const done = () => {
        isDone = true;
      };
      node.host.background('check', checkDump(node.host, node.dump, node.cache).then(done));
      await world.advance(cutMs);
      isCut = !isDone;
      world.crash('n', fate);
      const texts = await bootWithoutStore(world);
      const which = [OLD, NEW].findIndex((one) => isSame(one, texts));
      assert.notEqual(which, -1, `cut at ${cutMs} ms, unsynced writes ${fate}: ${JSON.stringify(texts)}`);
      if (!isCut) assert.equal(which, 1);
      outcomes.add(which === 0 ? 'old' : 'new');
    }
  }
  return outcomes;
}

function isSame(one: Texts, other: Texts): boolean {
  const sorted = (texts: Texts) => JSON.stringify(Object.entries(texts).sort());
  return sorted(one) === sorted(other);
}

function fileOfEarlierRelease(dataId: string, text: string): string {
  const key = { dataId, group: 'g', namespaceId: '' };
  const facts = JSON.stringify({ ...key, md5: contentMd5(text), type: 'text', modifiedMs: 0 });
  return `nacos-kube-config 1 ${hash('md5', facts)}\n${facts}\n${text}`;
}
