import { parseArgs } from 'node:util';
import { runChurn } from './churn.ts';
import { MUTANTS, type Mutant, SLOW_MUTANTS } from './mutants.ts';
import { runScenario } from './scenario.ts';

const HELP = `npm run sim -- --seeds N   N runs with faults; a failure prints what happened and how to see it again
           -- --from S    starting with seed S
           -- --trace     prints every line of what happens
           -- --nodes N   members, 3 unless said otherwise
           -- --mutant M  with a fault switched on, to see it caught: ${MUTANTS.join(', ')}; with --churn ${SLOW_MUTANTS.join(', ')}
           -- --churn H   instead: H virtual hours of programs that come and go, with clocks that are wrong`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '3' },
    mutant: { type: 'string' },
    churn: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const startedMs = performance.now();
const mutant = values.mutant === undefined ? {} : { mutant: mutantOf(values.mutant) };
let events = 0;

if (values.help) console.log(HELP);
else process.exitCode = (values.churn === undefined ? await seeds() : await churn(Number(values.churn))) ? 0 : 1;

async function seeds(): Promise<boolean> {
  const first = Number(values.from);
  const last = first + Number(values.seeds) - 1;
  let failed = 0;
  for (let seed = first; seed <= last; seed++) {
    const echo = values.trace ? { echo: (line: string) => console.log(line) } : {};
    const result = await runScenario({ seed, nodes: Number(values.nodes), ...echo, ...mutant });
    events += result.events;
    if (result.violations.length + result.problems.length > 0) {
      failed++;
      console.log(`seed ${seed} failed:`);
      for (const line of [...result.violations, ...result.problems.slice(0, 5)]) console.log(`  ${line}`);
      if (!values.trace) console.log(`  see all of it: npm run sim -- --from ${seed} --seeds 1 --trace`);
    }
    if ((seed - first + 1) % 100 === 0) console.log(`${seed - first + 1} seeds, ${failed} failed, ${rate()}`);
  }
  console.log(`${last - first + 1 - failed} passed, ${failed} failed`);
  console.log(rate());
  return failed === 0;
}

async function churn(hours: number): Promise<boolean> {
  const seed = Number(values.from);
  const progress = (line: string) => console.log(line);
  const { counts, longestDeadMs, ...result } = await runChurn({ seed, hours, progress, ...mutant });
  events = result.events;
  for (const line of [...result.violations, ...result.problems]) console.log(`  ${line}`);
  const { came, left, died } = counts;
  console.log(
    `${hours} h with seed ${seed}: ${came} came, ${left} left, ${died} died; ${result.violations.length} violations`,
  );
  console.log(`listed at most ${(longestDeadMs / 1_000).toFixed(1)} s after the last sign of life; ${rate()}`);
  return result.violations.length + result.problems.length === 0;
}

function rate(): string {
  const seconds = (performance.now() - startedMs) / 1_000;
  return `${Math.round(events / seconds)} events per second, ${seconds.toFixed(1)} s`;
}

function mutantOf(name: string): Mutant {
  const found = [...MUTANTS, ...SLOW_MUTANTS].find((one) => one === name);
  if (found === undefined) throw new Error(`there is no mutant ${name}; there are: ${MUTANTS.join(', ')}`);
  return found;
}
