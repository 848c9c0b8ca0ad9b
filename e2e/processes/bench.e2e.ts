/** That the bench measures: a few rows, small and short. What it finds out is not looked at. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Report } from '../../bench/report.ts';
import { ProgramError, run, until } from '../kubernetes/processes.ts';
import { startNode } from './node.ts';
import { CHECKOUT } from './program.ts';

const BENCH = join(CHECKOUT, 'bench/run.ts');
const BENCH_MS_MAX = 120_000;

describe('the bench', () => {
  let folder: string;
  before(async () => {
    // Its own, so that what a run leaves in its temporary folder shows.
    folder = await mkdtemp('/tmp/nacos-kube-e2e-bench-');
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const bench = (...args: readonly string[]) =>
    run(process.execPath, [BENCH, ...args], { timeoutMs: BENCH_MS_MAX, env: { ...process.env, TMPDIR: folder } });
  const measure = async (...args: readonly string[]): Promise<Report> => {
    const json = join(folder, 'report.json');
    await bench('--quick', '--json', json, ...args);
    const report = JSON.parse(await readFile(json, 'utf8')) as Report;
    await rm(json);
    return report;
  };

  test('measures rows beside their ceilings, and scenes', async () => {
    const alone = ['held listeners', 'push', 'beating', 'cold start'];
    const ofThree = ['replication lag', 'joining member'];
    const named = ['instance list, 10 hosts', 'config publish', ...alone, ...ofThree];
    const { rows, scenes, failures } = await measure(...named.flatMap((name) => ['--only', name]));
    assert.deepEqual(failures, []);
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['instance list, 10 hosts', 'config publish, 1 KB, durable'],
    );
    for (const { name, server, http, socket, ratio } of rows) {
      const figures = [server, http, socket].flatMap((one) => [one?.perSecond, one?.perCpuSecond, one?.p50Ms]);
      for (const figure of [...figures, ratio]) assert.ok(typeof figure === 'number' && figure > 0, name);
    }
    assert.ok(rows[1]!.sqlite!.perSecond > 0);
    assert.equal(scenes.length, alone.length + ofThree.length);
    for (const { what, value } of scenes.flatMap(({ figures }) => figures)) {
      assert.ok(typeof value === 'number' && Number.isFinite(value), what);
    }
    assert.deepEqual(await readdir(folder), []);
  });

  test('leaves nothing on another server', async () => {
    await using node = await startNode();
    const report = await measure('--target', node.url(''), '--only', 'heartbeat, full', '--only', 'config get');
    assert.deepEqual(report.failures, []);
    assert.equal(report.rows.length, 2);
    assert.ok(report.rows.every(({ server, ratio }) => server.perCpuSecond === null && ratio === null));
    const metrics = await (await fetch(node.url('/actuator/prometheus'))).text();
    assert.match(metrics, /^nacos_monitor\{module="naming",name="ipCount"\} 0$/m);
    assert.match(metrics, /^nacos_kube_config_configs 0$/m);
  });

  test('ends what it started when it is interrupted', async () => {
    const child = spawn(process.execPath, [BENCH, '--only', 'config get'], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    child.stdout.resume();
    child.stderr.resume();
    const started = await until('it has a node', async () => {
      const pids = await childrenOf(child.pid!);
      return pids.length >= 3 && (await readdir(folder)).length > 0 && pids;
    });
    child.kill('SIGINT');
    assert.deepEqual(await closed, [130, null]);
    assert.deepEqual(await readdir(folder), []);
    for (const pid of started) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  test('a row that is not there is refused with the names of those that are', async () => {
    await assert.rejects(bench('--only', 'nothing such'), (error) => {
      assert.ok(error instanceof ProgramError);
      assert.equal(error.code, 2);
      assert.match(error.stderr, /instance list, 10 hosts/);
      return true;
    });
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}
