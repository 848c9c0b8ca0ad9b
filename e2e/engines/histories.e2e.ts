/**
 * Configurations on real engines under faults (P2): every history of concurrent publishers, readers and listeners must
 * be one of a register for each key. `HISTORIES` says how many for each engine, 2 unless told; `HISTORY_SEED` where they
 * begin; `ENGINES` which, e.g. `mysql,etcd`.
 */
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { RegisterOperation } from '@nacos-kube/core/testing/register-history.ts';
import { startCluster } from './cluster.ts';
import { chosenEngines } from './engine.ts';
import { runHistory } from './history.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 2);
const SEED = Number(process.env.HISTORY_SEED ?? 1);
const choices = await chosenEngines();

describe(`${HISTORIES} histories on each engine`, () => {
  for (const { kind, missing, start } of choices) {
    test(kind, { skip: missing }, async (context) => {
      const engine = await start({ onSmallDisk: true });
      try {
        const cluster = await startCluster(engine);
        try {
          for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
            const { violations, faults, operations, acknowledged, unanswered, wakes, damaged } = await runHistory({
              ...{ engine, cluster, seed },
            });
            const counts = `${operations.length} operations, ${acknowledged} acknowledged, ${unanswered} open, ${wakes} wakes`;
            context.diagnostic(`seed ${seed}: ${faults.join(', ')}: ${counts}, ${violations.length} violations`);
            if (damaged.length > 0) context.diagnostic(`rows that the engine damaged itself: ${damaged.join(', ')}`);
            if (violations.length > 0) context.diagnostic(`its operations are kept in ${await keep(operations)}`);
            assert.deepEqual(violations, [], `seed ${seed}: ${faults.join(', ')}`);
            assert.ok(acknowledged > 0 && wakes > 0, 'nothing happened');
          }
        } finally {
          await cluster.stop();
        }
      } finally {
        await engine.stop();
      }
    });
  }
});

/** For whoever asks what went wrong: a seed draws the same faults again, but not the same moments. */
async function keep(operations: readonly RegisterOperation[]): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'nacos-kube-history-')), 'operations.json');
  await writeFile(file, JSON.stringify(operations, null, 1));
  return file;
}
