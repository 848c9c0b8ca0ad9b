import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FileLock } from '@nacos-kube/core/host/host.ts';
import { World } from '@nacos-kube/core/sim/world.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { DataFolderError, LOCK_WAIT_MS, takeDataFolder, takeFolderOfStore } from './data-folder.ts';

const FOLDER = '/data';

test('a folder in use is refused, with its name and that of who has it', async () => {
  const { world, first, second } = await twoProcesses();
  await world.finish(takeDataFolder(first, FOLDER));
  const startedMs = world.nowMs;
  await assert.rejects(world.finish(takeDataFolder(second, FOLDER)), (error) => {
    assert.ok(error instanceof DataFolderError);
    assert.match(error.message, /the data folder \/data is in use by process first: stop that one.*--data/);
    return true;
  });
  const waitedMs = world.nowMs - startedMs;
  assert.ok(waitedMs >= LOCK_WAIT_MS && waitedMs < LOCK_WAIT_MS + 1_000, `${waitedMs} ms`);
  assert.equal(await isTaken(world, takeDataFolder(second, '/other')), true);
});

test('a process that was killed has the folder no more, nor has one that lost its power', async () => {
  for (const end of ['kill', 'crash'] as const) {
    const { world, first } = await twoProcesses();
    await world.finish(takeDataFolder(first, FOLDER));
    if (end === 'kill') world.kill('first');
    else world.crash('first', 'any');
    assert.equal(await isTaken(world, takeDataFolder(world.restart('second'), FOLDER)), true, end);
  }
});

test('a process in its last seconds is waited for', async () => {
  const { world, first, second } = await twoProcesses();
  await world.finish(takeDataFolder(first, FOLDER));
  const taken = takeDataFolder(second, FOLDER);
  await world.advance(LOCK_WAIT_MS - 1_000);
  world.kill('first');
  assert.equal(await isTaken(world, taken), true);
});

test('where the disk gives no locks a node starts without one, and says so', async () => {
  const broken = new FakeHost();
  broken.disk.fault = 'denied';
  assert.equal(await takeDataFolder(broken, FOLDER), undefined);
  assert.match(broken.log.lines.join('\n'), /warn the data folder cannot be locked/);

  const lockless = new FakeHost();
  Object.assign(lockless.disk, { lock: async () => ({ isHeld: true, by: undefined }) });
  const taken = takeDataFolder(lockless, FOLDER);
  await lockless.advance(LOCK_WAIT_MS + 1_000);
  assert.equal(await taken, undefined);
  assert.match(lockless.log.lines.join('\n'), /warn the file system of the data folder has no locks/);
});

test('the store of a node that runs is not written over, others may be shared', async () => {
  const { world, first, second } = await twoProcesses();
  const lock = await world.finish(takeDataFolder(first, FOLDER));
  await assert.rejects(world.finish(takeFolderOfStore(second, `${FOLDER}/store.sqlite`)), DataFolderError);
  assert.equal(await isTaken(world, takeFolderOfStore(second, `${FOLDER}/other.sqlite`)), false);
  assert.equal(await isTaken(world, takeFolderOfStore(second, '/shared/store.sqlite')), false);
  await world.finish(lock?.release() ?? Promise.resolve());
  assert.equal(await isTaken(world, takeFolderOfStore(second, `${FOLDER}/store.sqlite`)), true);
});

async function twoProcesses() {
  const world = new World({ seed: 1, traceLinesMax: 0 });
  const first = world.process('first', { address: '10.0.0.1' });
  const second = world.process('second', { address: '10.0.0.1' });
  return { world, first, second };
}

async function isTaken(world: World, lock: Promise<FileLock | undefined>): Promise<boolean> {
  return (await world.finish(lock)) !== undefined;
}
