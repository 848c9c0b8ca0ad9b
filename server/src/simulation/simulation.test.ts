import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import type { FaultKind } from './faults.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { runScenario } from './scenario.ts';
import { Seeds } from './seeds.ts';

/** Few where somebody waits, many where every change must pass. */
const SEEDS = Number(process.env['SEEDS'] ?? 100);
/** Real time says nothing here: a busy machine takes minutes for what takes seconds otherwise. */
const PATIENT = { timeout: Math.max(900_000, SEEDS * 5_000) };
/** Within so many seeds each mutant must show. */
const MUTANT_SEEDS = 60;
/** Among all faults some take a hundred seeds to show: these are the faults that bring them out, and where to begin. */
const MUTANT_RUNS: Partial<Record<Mutant, { readonly from: number; readonly faults: readonly FaultKind[] }>> = {
  'no grant': { from: 1, faults: ['pause', 'kill'] },
  'ready at once': { from: 7, faults: ['crash', 'full disk'] },
};

test(
  `nothing acknowledged is lost, no list is short, no read goes back, all are equal after healing: ${SEEDS} seeds (P1-P3, P5, P11)`,
  PATIENT,
  async (context) => {
    const runs = new Seeds({ from: 1, seeds: SEEDS, threads: availableParallelism() });
    context.after(() => runs.stop());
    const { failed, seeds, histories, operations } = await runs.finished;
    const [first] = failed;
    const replay = `npm run sim -- --from ${first?.seed} --seeds 1 --trace`;
    assert.deepEqual([...(first?.violations ?? []), ...(first?.problems ?? [])], [], `replay: ${replay}`);
    assert.equal(seeds, SEEDS);
    context.diagnostic(`${histories} histories of ${operations} operations`);
  },
);

/** Seeds that failed once, by what was wrong then, among the faults of that time. */
const FAILED_ONCE: Readonly<Record<string, readonly number[]>> = {
  'the last beat of a client was in the place of the owner, and told to nobody': [50],
  'a node kept a verdict over which the owner had taken beats from it': [20_058],
  'a node was ready though no peer had told it anything, while both were heard': [524],
  'a member did not list who had registered through it, for the delta of the owner was held': [2030],
  'a process that slept answered lists of a minute ago': [2593, 2724],
  'a verdict of a time alone stood against what the owner said since': [6475],
  'a persistent instance was acknowledged by a node that could not show it': [6801],
  'a verdict of an earlier life stood against what peers told a node that started': [42_027],
};
const FAILED_AT_FIRST: Readonly<Record<string, readonly number[]>> = {
  'a new owner judged before it noticed that it was one': [129, 181, 248, 747, 1093],
  'beats carried out in the place of the owner were told to nobody': [364, 900],
};

for (const [faults, failed] of [
  ['first', FAILED_AT_FIRST],
  ['all', FAILED_ONCE],
] as const) {
  for (const [fault, seeds] of Object.entries(failed)) {
    test(`seeds that failed since ${fault} pass: ${seeds.join(', ')}`, PATIENT, async () => {
      for (const seed of seeds) {
        const { violations, problems } = await runScenario({ seed, faults });
        assert.deepEqual([...violations, ...problems], [], `seed ${seed}`);
      }
    });
  }
}

test('a seed replays itself, event by event', PATIENT, async () => {
  const [first, second, other] = [
    await runScenario({ seed: 5 }),
    await runScenario({ seed: 5 }),
    await runScenario({ seed: 6 }),
  ];
  assert.deepEqual(second, first);
  assert.notDeepEqual(other.trace, first.trace);
});

for (const mutant of MUTANTS) {
  test(`the checker notices a node with the fault "${mutant}"`, PATIENT, async () => {
    const { from, faults } = MUTANT_RUNS[mutant] ?? { from: 1, faults: 'all' as const };
    for (let seed = from; seed < from + MUTANT_SEEDS; seed++) {
      const { violations } = await runScenario({ seed, mutant, faults, nodes: 3 });
      if (violations.length > 0) return;
    }
    assert.fail(`${MUTANT_SEEDS} seeds went by without a violation`);
  });
}
