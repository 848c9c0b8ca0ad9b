import { availableParallelism } from 'node:os';
import type { SceneResult } from '../report.ts';
import type { Scene, SceneContext } from '../scenes.ts';

const SEEDS = 40;
const QUICK_SEEDS = 2;
const DEADLINE_MS = 240_000;

interface Simulated {
  readonly seedsPerSecond: number;
  readonly seconds: number;
  readonly events: number;
  readonly simulatedMs: number;
}

/** Clusters with faults in virtual time, on all cores: what a proof by seeds costs. A seed that fails fails the scene. */
export const simulation: Scene = { name: 'simulation', needsOwnNode: true, deadlineMs: DEADLINE_MS, run: measure };

async function measure({ stage, isQuick }: SceneContext): Promise<SceneResult> {
  const seeds = isQuick ? QUICK_SEEDS : SEEDS;
  const args = ['--from', '1', '--seeds', `${seeds}`, '--json'];
  const result = await stage.ask<Simulated>('../server/src/simulation/main.ts', null, DEADLINE_MS, args);
  return {
    name: `simulation of clusters with faults, ${availableParallelism()} cores`,
    figures: [
      { what: 'seeds', value: result.seedsPerSecond, unit: '/s' },
      { what: 'events', value: result.events / result.seconds, unit: '/s' },
      { what: 'virtual time of a second', value: result.simulatedMs / 1_000 / result.seconds, unit: 's' },
    ],
    notes: [],
  };
}
