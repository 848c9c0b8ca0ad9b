import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runChurn } from './churn.ts';
import { ALL_FAULTS, type FaultKind } from './faults.ts';
import { MUTANTS, type Mutant, SLOW_MUTANTS } from './mutants.ts';
import { runScenario } from './scenario.ts';
import { hasFailed, type SeedReport, Seeds, type SeedTotals } from './seeds.ts';

const HELP = `npm run sim -- --seeds N   N runs with faults on all cores; a failure prints what happened and how to see it again
           -- --from S    starting with seed S
           -- --threads T so many at a time
           -- --json      the result as one line of JSON
           -- --trace     prints every line of what happens, one seed after the other
           -- --nodes N   members, else 3 to 7 by the seed
           -- --faults F  these kinds alone, with commas between them
           -- --mutant M  with a fault switched on, to see it caught: ${MUTANTS.join(', ')}; with --churn ${SLOW_MUTANTS.join(', ')}
           -- --churn H   instead: H virtual hours of programs that come and go, with clocks that are wrong`;
const PROBLEMS_SHOWN = 5;
const PROGRESS_MS = process.stderr.isTTY ? 1_000 : 30_000;
const INTERRUPTED = 130;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    nodes: { type: 'string' },
    mutant: { type: 'string' },
    faults: { type: 'string' },
    churn: { type: 'string' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const startedMs = performance.now();
const settings = {
  ...(values.mutant !== undefined && { mutant: mutantOf(values.mutant) }),
  ...(values.nodes !== undefined && { nodes: number('nodes', values.nodes, 1) }),
  ...(values.faults !== undefined && { faults: values.faults.split(',').map(faultOf) }),
};

if (values.help) console.log(HELP);
else if (values.churn !== undefined) process.exitCode = (await churn(Number(values.churn))) ? 0 : 1;
else if (values.trace) process.exitCode = (await traced()) ? 0 : 1;
else process.exitCode = await seeds();

async function seeds(): Promise<number> {
  const wanted = number('seeds', values.seeds, 1);
  const say = (line: string) => (values.json ? console.error(line) : console.log(line));
  const runs = new Seeds({
    from: number('from', values.from, 0),
    seeds: wanted,
    threads: number('threads', values.threads, 1),
    settings,
    onReport: (report) => {
      if (hasFailed(report)) say(`${cleared()}${explained(report).join('\n')}`);
    },
  });
  let exitCode: number | undefined;
  const interrupted = () => {
    exitCode = INTERRUPTED;
    void runs.stop();
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const progress = setInterval(() => {
    const { seeds: done, failures } = runs.totals();
    const line = `${done} of ${wanted} seeds, ${failures} failed, ${(done / elapsedSeconds()).toFixed(1)} seeds per second`;
    process.stderr.write(process.stderr.isTTY ? `${cleared()}${line}` : `${line}\n`);
  }, PROGRESS_MS);
  const totals = await runs.finished.finally(() => clearInterval(progress));
  process.stderr.write(cleared());
  if (values.json) console.log(JSON.stringify({ ...summary(totals), failed: totals.failed }));
  else for (const line of closing(totals, wanted)) console.log(line);
  return exitCode ?? (totals.failures === 0 ? 0 : 1);
}

/** One after the other in this thread, since their lines would mix. */
async function traced(): Promise<boolean> {
  const from = number('from', values.from, 0);
  let failed = 0;
  for (let seed = from; seed < from + number('seeds', values.seeds, 1); seed++) {
    const result = await runScenario({ seed, ...settings, echo: (line) => console.log(line) });
    if (hasFailed(result)) failed++;
    console.log(hasFailed(result) ? explained(result).join('\n') : `seed ${seed} passed`);
  }
  return failed === 0;
}

/** What failed, what was done to the cluster, and how to see all of it. */
function explained({ seed, nodes, violations, problems, story }: SeedReport): string[] {
  return [
    `seed ${seed} failed, ${nodes} nodes:`,
    ...story.map((line) => `    ${line}`),
    ...[...violations, ...problems.slice(0, PROBLEMS_SHOWN)].map((line) => `  ! ${line}`),
    `  every line of it: ${replay(seed)}`,
  ];
}

function replay(seed: number): string {
  const more = (['nodes', 'mutant', 'faults'] as const).map((name) => {
    const value = values[name];
    return value === undefined ? '' : ` --${name} '${value}'`;
  });
  return `npm run sim -- --from ${seed} --seeds 1${more.join('')} --trace`;
}

function summary({ failed, ...totals }: SeedTotals) {
  const seconds = elapsedSeconds();
  return { ...totals, failedSeeds: failed.map(({ seed }) => seed), seconds, seedsPerSecond: totals.seeds / seconds };
}

function closing(totals: SeedTotals, wanted: number): string[] {
  const { seeds: done, failures, events, simulatedMs, histories, operations, failedSeeds, seconds } = summary(totals);
  return [
    `${done - failures} passed, ${failures} failed${done < wanted ? `, ${wanted - done} not run` : ''}`,
    ...(failures > 0 ? [`failed: ${failedSeeds.join(' ')}${failures > failedSeeds.length ? ' and more' : ''}`] : []),
    `${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, ${histories} histories of ${operations} operations`,
    `${(done / seconds).toFixed(1)} seeds and ${Math.round(events / seconds)} events per second, ${seconds.toFixed(1)} s`,
  ];
}

async function churn(hours: number): Promise<boolean> {
  const seed = number('from', values.from, 0);
  const progress = (line: string) => console.log(line);
  const { counts, longestDeadMs, events, ...result } = await runChurn({ seed, hours, progress, ...settings });
  for (const line of [...result.violations, ...result.problems]) console.log(`  ${line}`);
  const { came, left, died } = counts;
  console.log(
    `${hours} h with seed ${seed}: ${came} came, ${left} left, ${died} died; ${result.violations.length} violations`,
  );
  const seconds = elapsedSeconds();
  console.log(`listed at most ${(longestDeadMs / 1_000).toFixed(1)} s after the last sign of life`);
  console.log(`${Math.round(events / seconds)} events per second, ${seconds.toFixed(1)} s`);
  return result.violations.length + result.problems.length === 0;
}

function elapsedSeconds(): number {
  return (performance.now() - startedMs) / 1_000;
}

/** A line of progress gives way to what stays. */
function cleared(): string {
  return process.stderr.isTTY ? '\r\x1b[K' : '';
}

function number(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min) throw new Error(`--${name} is a whole number from ${min} on`);
  return value;
}

function faultOf(name: string): FaultKind {
  const found = ALL_FAULTS.find((one) => one === name.trim());
  if (found === undefined) throw new Error(`there is no fault ${name}; there are: ${ALL_FAULTS.join(', ')}`);
  return found;
}

function mutantOf(name: string): Mutant {
  const found = [...MUTANTS, ...SLOW_MUTANTS].find((one) => one === name);
  if (found === undefined) throw new Error(`there is no mutant ${name}; there are: ${MUTANTS.join(', ')}`);
  return found;
}
