import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { MUTANTS, type Mutant } from './mutants.ts';
import { runScenario } from './scenario.ts';
import { Seeds } from './seeds.ts';

/** Many where every change must pass, few where somebody waits. */
const SEEDS = Number(process.env['SEEDS'] ?? (process.env['CI'] === 'true' ? 1_000 : 100));
/** Real time says nothing here: a busy machine takes minutes for what takes seconds otherwise. */
const PATIENT = { timeout: 900_000 };
/** Within so many seeds each mutant must show. */
const MUTANT_SEEDS = 60;
/** Seeds that show some of them; without such a start they take a while to come up. */
const MUTANT_FROM: Partial<Record<Mutant, number>> = { 'no grant': 149, 'ready at once': 98 };

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
    test(`seeds that failed since ${fault} pass: ${seeds.join(', ')}`, async () => {
      for (const seed of seeds) {
        const { violations, problems } = await runScenario({ seed, faults });
        assert.deepEqual([...violations, ...problems], [], `seed ${seed}`);
      }
    });
  }
}

test('a seed replays itself, event by event', async () => {
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
    const first = MUTANT_FROM[mutant] ?? 1;
    for (let seed = first; seed < first + MUTANT_SEEDS; seed++) {
      const { violations } = await runScenario({ seed, mutant, nodes: 3 });
      if (violations.length > 0) return;
    }
    assert.fail(`${MUTANT_SEEDS} seeds went by without a violation`);
  });
}
