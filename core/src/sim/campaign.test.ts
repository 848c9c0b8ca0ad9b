import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCampaign, type Scenario, ScenarioError } from './campaign.ts';

/** Fails on the seeds that draw a low number, at a time that the seed decides. */
const unlucky: Scenario = async (world) => {
  const random = world.random('luck');
  await world.advance(random.int(1_000));
  world.note('drew');
  if (random.chance(0.2)) throw new Error('out of luck');
};

async function failureFrom(firstSeed: number, seeds: number): Promise<ScenarioError> {
  try {
    await runCampaign({ name: 'luck.ts', scenario: unlucky, firstSeed, seeds });
  } catch (error) {
    assert.ok(error instanceof ScenarioError);
    return error;
  }
  throw new Error('no seed failed');
}

test('a campaign ends at the first seed that fails, and that seed alone fails the same way again', async () => {
  const failure = await failureFrom(1, 100);
  assert.match(
    failure.message,
    /failed at \d+\.\d{4} s: out of luck\n[\s\S]*-- drew\nreplay: npm run sim -- luck\.ts --seed \d+$/,
  );
  assert.equal((await failureFrom(failure.seed, 1)).message, failure.message);
});

test('a campaign that holds tells each seed', async () => {
  const seeds: number[] = [];
  await runCampaign({
    name: 'fine.ts',
    scenario: async (world) => world.advance(10),
    firstSeed: 3,
    seeds: 2,
    onSeed: (seed) => seeds.push(seed),
  });
  assert.deepEqual(seeds, [3, 4]);
});
