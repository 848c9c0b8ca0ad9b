import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChurn } from './churn.ts';
import { SLOW_MUTANTS } from './mutants.ts';

const HOURS = Number(process.env['CHURN_HOURS'] ?? 1);
/** Real time says nothing here: a busy machine takes minutes for what takes seconds otherwise. */
const PATIENT = { timeout: 900_000 };

test(
  `${HOURS} h of programs that come and go, with clocks that are wrong: the living are listed, the dead are not (P3, P4)`,
  PATIENT,
  async (context) => {
    const { violations, problems, counts, longestDeadMs } = await runChurn({ seed: 1, hours: HOURS });
    assert.deepEqual([...violations, ...problems], []);
    assert.ok(counts.left > 100 * HOURS && counts.died > 100 * HOURS, JSON.stringify(counts));
    context.diagnostic(`${counts.came} came; listed at most ${longestDeadMs} ms after the last sign of life`);
  },
);

for (const mutant of SLOW_MUTANTS) {
  test(`the fault "${mutant}" shows within a quarter of an hour`, PATIENT, async () => {
    const { violations } = await runChurn({ seed: 1, hours: 0.25, mutant });
    assert.notDeepEqual(violations, []);
  });
}
