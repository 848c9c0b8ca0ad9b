import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { MUTANTS } from '../server/src/simulation/mutants.ts';
import { FAILED_KEPT, hasFailed, Seeds, type SeedTotals } from '../server/src/simulation/seeds.ts';

/** `npm run campaign`: the counts that are too many for every change, run once, with what is needed to believe them. */
const HELP = `npm run campaign             10,000 seeds of the simulated cluster, then each mutant until it is caught
                  -- --seeds N      so many; 0 for the mutants alone
                  -- --from S       starting with seed S
                  -- --threads T    so many at a time, else one for each core
                  -- --no-mutants   the seeds alone
                  -- --out FILE     keeps the result as JSON, now and then, too`;
const MUTANT_SEEDS = 200;
const SAVED_EVERY = 50;
const PROGRESS_MS = 60_000;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    mutants: { type: 'boolean', default: true },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else process.exitCode = (await campaign()) ? 0 : 1;

async function campaign(): Promise<boolean> {
  const commit = commitHere();
  console.log(`commit ${commit}, Node ${process.version}, ${cpus()[0]?.model.trim()}, ${values.threads} at a time`);
  const seeds = await manySeeds(commit);
  const mutants = values.mutants ? await allMutants() : [];
  save({ commit, ...seeds, mutants });
  return seeds.failures === 0 && mutants.every(({ caughtAt }) => caughtAt !== undefined);
}

async function manySeeds(commit: string) {
  const startedMs = performance.now();
  const wanted = Number(values.seeds);
  const runs = new Seeds({
    ...{ from: Number(values.from), seeds: wanted, threads: Number(values.threads) },
    onReport: (report) => {
      if (hasFailed(report))
        console.log([`seed ${report.seed} failed:`, ...report.violations, ...report.problems].join('\n  '));
      const totals = runs.totals();
      if (totals.seeds % SAVED_EVERY === 0) save({ commit, ...summary(totals, startedMs) });
    },
  });
  const stop = () => void runs.stop();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const progress = setInterval(() => console.error(line(summary(runs.totals(), startedMs))), PROGRESS_MS);
  const totals = await runs.finished.finally(() => clearInterval(progress));
  process.off('SIGINT', stop).off('SIGTERM', stop);
  const result = summary(totals, startedMs);
  console.log(line(result));
  if (totals.seeds < wanted) console.log(`ended early, ${wanted - totals.seeds} seeds were not run`);
  return result;
}

/** At which seed each mutant was caught first; with three members, where it shows soonest. */
async function allMutants() {
  const results: { readonly mutant: string; readonly caughtAt: number | undefined }[] = [];
  for (const mutant of MUTANTS) {
    const caught: number[] = [];
    const runs = new Seeds({
      ...{ from: 1, seeds: MUTANT_SEEDS, threads: Number(values.threads), settings: { mutant, nodes: 3 } },
      onReport: ({ seed, violations }) => {
        if (violations.length === 0) return;
        caught.push(seed);
        void runs.stop();
      },
    });
    await runs.finished;
    const caughtAt = caught.length === 0 ? undefined : Math.min(...caught);
    console.log(
      `mutant "${mutant}": ${caughtAt === undefined ? `not caught in ${MUTANT_SEEDS} seeds` : `caught by seed ${caughtAt}`}`,
    );
    results.push({ mutant, caughtAt });
  }
  return results;
}

function summary(totals: SeedTotals, startedMs: number) {
  const seconds = (performance.now() - startedMs) / 1_000;
  const failedSeeds = totals.failed.map(({ seed }) => seed).slice(0, FAILED_KEPT);
  return { ...totals, failed: totals.failed, failedSeeds, seconds, seedsPerSecond: totals.seeds / seconds };
}

function line({
  seeds,
  failures,
  simulatedMs,
  histories,
  operations,
  seedsPerSecond,
}: ReturnType<typeof summary>): string {
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  return `${seeds} seeds, ${failures} failed, ${hours} simulated hours, ${histories} histories of ${operations} operations, ${seedsPerSecond.toFixed(2)} seeds per second`;
}

function save(result: unknown): void {
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`);
}

/** What was run: a figure without it says nothing. */
function commitHere(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' and changes'}`;
  } catch {
    return 'unknown';
  }
}
