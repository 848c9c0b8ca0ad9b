import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutants.ts';
import { runScenario } from './scenario.ts';

/** `npm run sim -- --seeds N [--from S] [--trace]`: N runs; a failure prints what happened and how to see it again. */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '3' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'npm run sim -- --seeds N   runs N seeds\n           -- --from S    starting with seed S\n           -- --trace     prints every line of what happens\n           -- --nodes N   members, 3 unless said otherwise\n           -- --mutant M  with a fault switched on, to see it caught',
  );
  process.exit(0);
}

const first = Number(values.from);
const last = first + Number(values.seeds) - 1;
const startedMs = performance.now();
const mutant = values.mutant === undefined ? {} : { mutant: mutantOf(values.mutant) };
let failed = 0;
let events = 0;
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
process.exitCode = failed === 0 ? 0 : 1;

function rate(): string {
  const seconds = (performance.now() - startedMs) / 1_000;
  return `${Math.round(events / seconds)} events per second, ${seconds.toFixed(1)} s`;
}

function mutantOf(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}; there are: ${MUTANTS.join(', ')}`);
  return mutant;
}
