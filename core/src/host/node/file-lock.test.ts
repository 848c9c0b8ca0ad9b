import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FileLock, HeldLock } from '../host.ts';
import { createNodeDisk } from './disk.ts';
import { createLog } from './log.ts';

const log = createLog({ process: 'test', level: 'off', format: 'text', now: () => 0, write: () => {} });
const disk = createNodeDisk(log);
const root = await mkdtemp(join(tmpdir(), 'nacos-kube-lock-'));
after(() => rm(root, { recursive: true, force: true }));

test('a lock is free as soon as its process is killed', async () => {
  const path = join(root, 'killed/node.lock');
  const child = await holdElsewhere(path);
  assert.deepEqual(await disk.lock(path), { isHeld: true, by: `process ${child.pid} on ${hostname()}` });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = taken(await disk.lock(path));
  assert.deepEqual(await readdir(join(root, 'killed')), ['node.lock', 'node.lock.holder']);
  await lock.release();
});

test('a process that stands still keeps its lock', async () => {
  const path = join(root, 'still/node.lock');
  const child = await holdElsewhere(path);
  child.kill('SIGSTOP');
  assert.equal((await disk.lock(path)).isHeld, true);
  child.kill('SIGKILL');
});

test('a lock is one for the whole process, and free once it is released', async () => {
  const path = join(root, 'own/node.lock');
  const lock = taken(await disk.lock(path));
  assert.equal((await disk.lock(path)).isHeld, true);
  // What was refused and closed again must not have freed it for others.
  assert.equal(await isRefusedElsewhere(path), true);
  await lock.release();
  await lock.release();
  assert.equal(await isRefusedElsewhere(path), false);
});

test('a lock outlives the garbage', async () => {
  const path = join(root, 'garbage/node.lock');
  const script = `await disk.lock(${JSON.stringify(path)}); gc(); gc();`;
  const child = run(`${script} console.log('held'); setInterval(() => {}, 1000);`, ['--expose-gc']);
  await once(child.stdout, 'data');
  assert.equal((await disk.lock(path)).isHeld, true);
  child.kill('SIGKILL');
});

test('what is no file to lock is told', async () => {
  await disk.write(
    join(root, 'text/node.lock'),
    'something else, which is longer than a header of a database'.repeat(9),
  );
  await assert.rejects(disk.lock(join(root, 'text/node.lock')), { name: 'DiskError', kind: 'io' });
});

function taken(lock: FileLock | HeldLock): FileLock {
  assert.ok(!lock.isHeld);
  return lock;
}

async function holdElsewhere(path: string) {
  const child = run(`console.log(await disk.lock(${JSON.stringify(path)})); setInterval(() => {}, 1000);`);
  const [output] = await once(child.stdout, 'data');
  assert.match(`${output}`, /isHeld: false/);
  return child;
}

async function isRefusedElsewhere(path: string): Promise<boolean> {
  const child = run(`console.log((await disk.lock(${JSON.stringify(path)})).isHeld);`);
  const [output] = await once(child.stdout, 'data');
  return `${output}`.trim() === 'true';
}

function run(code: string, flags: readonly string[] = []) {
  const module = JSON.stringify(join(import.meta.dirname, 'disk.ts'));
  const script = `const { createNodeDisk } = await import(${module}); const disk = createNodeDisk({}); ${code}`;
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  after(() => child.kill('SIGKILL'));
  return child;
}
