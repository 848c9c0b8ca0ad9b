/** `npm run e2e`: builds what is missing, then runs the end-to-end tests; `npm run e2e -- --help` says how. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { buildJavaClient, missingForJava } from './clients/java/build.ts';
import { buildPrograms } from './kubernetes/build.ts';
import { isReadyToStart, missingForCluster } from './kubernetes/cluster.ts';
import { isCi } from './kubernetes/require.ts';

type SuiteName = 'processes' | 'clients' | 'kubernetes';

interface Suite {
  readonly folders: string;
  readonly summary: string;
  /** What it needs and this machine has not. */
  readonly missing: () => readonly string[];
  /** Makes what would else be made in the middle of the first test, where nobody sees how far it is. */
  readonly prepare: (report: (line: string) => void) => Promise<unknown>;
}

const SUITES: Readonly<Record<SuiteName, Suite>> = {
  processes: {
    folders: '{processes,engines}',
    summary: 'nodes of this machine, killed and started again',
    missing: () => [],
    prepare: async () => {},
  },
  clients: {
    folders: 'clients',
    summary: 'the Java client and npm nacos against one node, three nodes and their VIP',
    missing: () => missingForJava(),
    prepare: buildJavaClient,
  },
  kubernetes: {
    folders: 'kubernetes',
    summary: 'operator, chart and clients on a real Kubernetes',
    missing: () => missingForCluster(),
    prepare: async (report) => {
      if (!isReadyToStart()) await buildPrograms(report);
    },
  },
};

const NAMES = Object.keys(SUITES) as SuiteName[];
/** Suites that share little but the processor, each run beside the others when a machine has a core for it. */
const LANES: readonly (readonly SuiteName[])[] = [['processes'], ['clients', 'kubernetes']];
/** A file at most; on Kubernetes one has a whole cluster to bring up, scale and take away. */
const FILE_MS_MAX = 30 * 60_000;
const MISUSED = 2;
const HELP = `npm run e2e -- [--only SUITE]... [FLAGS] [PATH]...

${NAMES.map((name) => `  ${name.padEnd(12)} ${SUITES[name].summary}`).join('\n')}

  --only SUITE   that suite alone; may be given more than once
  --list         say which files would run, and what is missing for them
  PATH           files with this in their path alone, e.g. one-node
  FLAGS          other flags go to node --test, e.g. --test-name-pattern=UDP

  --one-lane     all files one after the other; else clients and Kubernetes run beside the rest

  CI=true        a suite that lacks something fails instead of being skipped
  KILLS=20       how often the test of publishes kills a node (5)
  ENGINES=etcd,redis    which stores are tried: sqlite, mysql, etcd, redis
  HISTORIES=50   how many histories are judged on each engine, from HISTORY_SEED on (2)
  ENGINE_KILLS=50  how often an engine is killed under publishes (3)
  PARTITION_SECONDS=60  how long nodes are cut off from each other (25)
  ETCD_CHANGES=all      more of what may happen to the managed etcd on Kubernetes, which takes four minutes
`;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`npm run e2e: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(HELP);
    return 0;
  }
  const { names, flags, paths } = split(args);
  const unknown = names.filter((name) => !isSuite(name));
  if (unknown.length > 0) {
    console.error(`npm run e2e: there is no suite ${unknown.join(', ')}: use one of ${NAMES.join(', ')}`);
    return MISUSED;
  }
  const chosen = NAMES.filter((name) => names.length === 0 || names.includes(name));
  const files = chosen
    .flatMap((name) => filesOf(name))
    .filter((file) => paths.length === 0 || paths.some((path) => file.includes(path)));
  if (files.length === 0) {
    console.error(`npm run e2e: no test has ${paths.join(' or ')} in its path`);
    return MISUSED;
  }
  const isOnlyListed = flags.includes('--list');
  for (const name of chosen) if (files.some((file) => filesOf(name).includes(file))) await prepare(name, isOnlyListed);
  if (isOnlyListed) {
    console.log(files.join('\n'));
    return 0;
  }
  const lanes = flags.includes('--one-lane') ? [NAMES] : LANES;
  const passed = flags.filter((flag) => flag !== '--one-lane');
  return runLanes(
    lanes.map((suites) => files.filter((file) => suites.some((name) => filesOf(name).includes(file)))),
    passed,
  );
}

/** The first lane is seen as it runs, what the others say when they have ended: so each ends with its runner's words. */
async function runLanes(all: readonly (readonly string[])[], flags: readonly string[]): Promise<number> {
  const lanes = all.filter((files) => files.length > 0);
  for (const [n, files] of lanes.entries()) {
    const where = lanes.length === 1 ? '' : n === 0 ? ', seen here' : `, lane ${n + 1}, seen when it has ended`;
    console.log(`== ${files.length} file${files.length === 1 ? '' : 's'}, one after the other${where}`);
  }
  const runs = lanes.map((files, n) => startLane(files, flags, n > 0));
  let worst = 0;
  for (const [n, run] of runs.entries()) {
    const { code, said } = await run;
    if (n > 0) process.stdout.write(`\n== lane ${n + 1}: ${lanes[n]!.join(' ')}\n${said}`);
    worst = Math.max(worst, code);
  }
  return worst;
}

async function startLane(files: readonly string[], flags: readonly string[], isKept: boolean) {
  const run = ['--test', '--test-concurrency=1', `--test-timeout=${FILE_MS_MAX}`, ...flags, ...files];
  const child = spawn(process.execPath, run, {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['inherit', isKept ? 'pipe' : 'inherit', isKept ? 'pipe' : 'inherit'],
  });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, said: Buffer.concat(said).toString() };
}

async function prepare(name: SuiteName, isOnlyListed: boolean): Promise<void> {
  const { summary, missing, prepare: build } = SUITES[name];
  console.log(`== ${name}: ${summary}`);
  const lacking = missing();
  if (lacking.length > 0) {
    console.log(
      `   ${isCi() ? 'fails' : 'skipped'}, since this machine lacks:\n${lacking.map((one) => `   - ${one}`).join('\n')}`,
    );
  } else if (!isOnlyListed) {
    await build((line) => console.log(`   ${line}`));
  }
}

function filesOf(name: SuiteName): string[] {
  const { folders } = SUITES[name];
  return globSync(`e2e/${folders}/**/*.{test,e2e}.ts`, { cwd: join(import.meta.dirname, '..') }).sort();
}

function split(args: readonly string[]) {
  const names: string[] = [];
  const flags: string[] = [];
  const paths: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i]!;
    if (argument === '--only') {
      i += 1;
      names.push(args[i] ?? '');
    } else if (argument.startsWith('--only=')) names.push(argument.slice('--only='.length));
    else if (argument.startsWith('-')) flags.push(argument);
    else paths.push(argument);
  }
  return { names: names.flatMap((name) => name.split(',')), flags, paths };
}

function isSuite(name: string): name is SuiteName {
  return Object.hasOwn(SUITES, name);
}
