/**
 * `npm run bench`: a node beside a bare node:http handler that answers the same bytes, row by row in one run.
 *
 *     npm run bench -- [--seconds 3] [--rounds 3] [--only TEXT] [--json FILE] [--readme]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LoadOrder, LoadResult } from './load.ts';
import { ROWS, type Row } from './rows.ts';

const here = import.meta.dirname;
const CLOCK_TICKS = 100;
const WARM_MS = 700;

interface Measured {
  readonly perSecond: number;
  /** Answers per second of CPU that the server used. */
  readonly perCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly generatorCpu: number;
}

interface RowResult {
  readonly name: string;
  readonly node: Measured;
  readonly bare: Measured;
  /** Median over the rounds of node over bare, each per second of server CPU. */
  readonly ratio: number;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    readme: { type: 'boolean', default: false },
  },
});
const durationMs = Number(values.seconds) * 1_000;
const rounds = Number(values.rounds);

const data = await mkdtemp(join(tmpdir(), 'nacos-kube-bench-'));
const children: ChildProcess[] = [];
try {
  const results = await runAll();
  const report = {
    commit: commit(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    rounds,
    seconds: durationMs / 1_000,
    results,
  };
  const table = tableOf(results);
  console.log(`\n${table}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  if (values.readme) writeReadme(table, report.commit);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
}

async function runAll(): Promise<RowResult[]> {
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const node = start([
    'bin/nacos-kube.ts',
    'server',
    '--port',
    String(port),
    '--data',
    data,
    '--listen',
    '127.0.0.1',
    '--log-level',
    'warn',
  ]);
  await untilReady(port);
  const bare = start(['bench/bare.ts']);
  const [line] = (await once(bare.stdout!, 'data')) as [Buffer];
  const barePort = Number(String(line));
  const results: RowResult[] = [];
  for (const row of ROWS.filter((one) => one.name.includes(values.only))) {
    results.push(await measureRow(row, { node, port }, { node: bare, port: barePort }));
  }
  return results;
}

async function measureRow(row: Row, target: Served, ceiling: Served): Promise<RowResult> {
  process.stdout.write(`${row.name.padEnd(32)}`);
  for (const request of row.prepare ?? []) await exchange(target.port, request);
  const answer = await exchange(target.port, row.requests[0]!);
  await teach(ceiling.port, answer);
  await load(target, row, WARM_MS);
  await load(ceiling, row, WARM_MS);
  const pairs: { readonly node: Measured; readonly bare: Measured }[] = [];
  for (let round = 0; round < rounds; round++) {
    pairs.push({ node: await load(target, row, durationMs), bare: await load(ceiling, row, durationMs) });
  }
  const ratio = median(pairs.map((pair) => pair.node.perCpuSecond / pair.bare.perCpuSecond));
  const result = {
    name: row.name,
    node: medianOf(pairs.map((pair) => pair.node)),
    bare: medianOf(pairs.map((pair) => pair.bare)),
    ratio,
  };
  const { node, bare } = result;
  console.log(
    `${round(node.perSecond)}/s  p50 ${node.p50Ms.toFixed(2)} p99 ${node.p99Ms.toFixed(2)} ms  ${round(node.perCpuSecond)}/CPU s` +
      `  bare ${round(bare.perCpuSecond)}/CPU s  ratio ${ratio.toFixed(2)}  generator ${(node.generatorCpu * 100).toFixed(0)} % CPU`,
  );
  return result;
}

interface Served {
  readonly node: ChildProcess;
  readonly port: number;
}

async function load({ node, port }: Served, row: Row, forMs: number): Promise<Measured> {
  const { connections, requests, expect } = row;
  const order: LoadOrder = { port, connections, requests, expect, durationMs: forMs };
  const generator = spawn(process.execPath, [join(here, 'load.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  generator.stdin.end(JSON.stringify(order));
  const cpuBefore = cpuSeconds(node.pid!);
  const chunks: Buffer[] = [];
  generator.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(generator, 'exit')) as [number];
  if (code !== 0) throw new Error(`the load generator of "${row.name}" failed`);
  const result = JSON.parse(Buffer.concat(chunks).toString()) as LoadResult;
  if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.answers} answers of "${row.name}" were wrong`);
  return {
    perSecond: result.answers / (result.elapsedMs / 1_000),
    perCpuSecond: result.answers / (cpuSeconds(node.pid!) - cpuBefore),
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    generatorCpu: result.ownCpu,
  };
}

function start(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, args, { cwd: join(here, '..'), stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function untilReady(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const isReady = await fetch(`http://127.0.0.1:${port}/nacos/v1/console/health/readiness`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the node did not become ready within 10 s');
}

/** One request as it stands, and the whole answer. */
async function exchange(port: number, request: string): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(request.replace('\r\n', '\r\nConnection: close\r\n'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const answer = Buffer.concat(chunks);
  if (!answer.subarray(0, 12).equals(Buffer.from('HTTP/1.1 200'))) throw new Error(`not answered 200: ${answer}`);
  return answer;
}

async function teach(barePort: number, answer: Buffer): Promise<void> {
  const headEnd = answer.indexOf('\r\n\r\n');
  const lines = answer.subarray(0, headEnd).toString().split('\r\n').slice(1);
  const own = new Set(['content-length', 'connection', 'date', 'keep-alive']);
  const headers = Object.fromEntries(
    lines
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
      .filter(([name]) => !own.has(name!.toLowerCase())),
  );
  await fetch(`http://127.0.0.1:${barePort}/answer`, {
    method: 'POST',
    headers: { 'x-answer-headers': JSON.stringify(headers) },
    body: answer.subarray(headEnd + 4),
  });
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function medianOf(all: readonly Measured[]): Measured {
  const of = (name: keyof Measured): number => median(all.map((one) => one[name]));
  return {
    perSecond: of('perSecond'),
    perCpuSecond: of('perCpuSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    generatorCpu: of('generatorCpu'),
  };
}

function round(value: number): string {
  return (value >= 1_000 ? Math.round(value / 100) * 100 : Math.round(value)).toLocaleString('en');
}

function tableOf(results: readonly RowResult[]): string {
  const lines = results.map(
    ({ name, node, bare, ratio }) =>
      `| ${name} | ${round(node.perSecond)} | ${node.p50Ms.toFixed(2)} / ${node.p99Ms.toFixed(2)} | ${round(node.perCpuSecond)} | ${round(bare.perCpuSecond)} | ${ratio.toFixed(2)} |`,
  );
  return [
    '| what | per second | p50 / p99 ms | per CPU second | bare node:http | ratio |',
    '|---|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n');
}

function writeReadme(table: string, commitId: string): void {
  const path = join(here, '..', 'README.md');
  const text = readFileSync(path, 'utf8');
  const marked = /<!-- bench -->[\s\S]*<!-- \/bench -->/;
  if (!marked.test(text)) throw new Error('README.md has no place marked <!-- bench --> ... <!-- /bench -->');
  const note = `Commit ${commitId}, ${cpus().length} cores, Node ${process.version}; medians of ${rounds} rounds of ${durationMs / 1_000} s.`;
  writeFileSync(path, text.replace(marked, `<!-- bench -->\n${table}\n\n${note}\n<!-- /bench -->`));
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here }).toString().trim();
  } catch {
    return 'unknown';
  }
}
