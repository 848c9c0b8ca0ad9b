import { World, type WorldSettings } from './world.ts';

/** Plays one story in the world and throws when a promise was broken. Its seed decides all that is left to chance. */
export type Scenario = (world: World) => Promise<void>;

export interface Campaign {
  /** How the story is named on the command line, e.g. a module's path, for the hint how to replay it. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly settings?: Omit<WorldSettings, 'seed'>;
  /** Told after each seed. */
  readonly onSeed?: (seed: number, world: World) => void;
}

const FAILURE_LINES = 60;

/** Plays the scenario on each seed; the first that fails ends it with an error that tells how to replay it. */
export async function runCampaign(campaign: Campaign): Promise<void> {
  const { name, scenario, firstSeed, seeds, settings, onSeed } = campaign;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const world = new World({ ...settings, seed });
    try {
      await scenario(world);
    } catch (cause) {
      throw new ScenarioError(name, world, cause);
    }
    onSeed?.(seed, world);
  }
}

export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
  readonly seed: number;

  constructor(scenario: string, world: World, cause: unknown) {
    const trace = world.trace().slice(-FAILURE_LINES).join('\n');
    const what = `seed ${world.seed} failed at ${(world.nowMs / 1000).toFixed(4)} s: ${(cause as Error).message}`;
    super(`${what}\n${trace}\n${replayHint(world.seed, scenario)}`, { cause });
    this.seed = world.seed;
  }
}

export function replayHint(seed: number, scenario: string): string {
  return `replay: npm run sim -- ${scenario} --seed ${seed}`;
}
