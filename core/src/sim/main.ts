import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runCampaign, type Scenario } from './campaign.ts';

const USAGE = `usage: npm run sim -- SCENARIO.ts [--seeds 100] [--from 1]   plays many seeds
       npm run sim -- SCENARIO.ts --seed 42                    plays one, with its trace

SCENARIO.ts exports a function \`scenario(world)\`, see core/src/sim/campaign.ts.`;

const PROGRESS_EACH = 100;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seeds: { type: 'string' }, from: { type: 'string' }, seed: { type: 'string' } },
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new Error(USAGE);
  const scenario = await load(path);

  if (values.seed !== undefined) {
    const seed = whole('--seed', values.seed);
    await runCampaign({ name: path, scenario, firstSeed: seed, seeds: 1, settings: { echo: console.log } });
    console.log(`seed ${seed} passed`);
    return;
  }
  const seeds = whole('--seeds', values.seeds ?? '100');
  const firstSeed = whole('--from', values.from ?? '1');
  let played = 0;
  let events = 0;
  await runCampaign({
    name: path,
    scenario,
    firstSeed,
    seeds,
    onSeed(_, world) {
      played++;
      events += world.eventCount;
      if (played % PROGRESS_EACH === 0) console.log(`${played} of ${seeds} seeds`);
    },
  });
  console.log(`${path}: seeds ${firstSeed} to ${firstSeed + seeds - 1} passed, ${events} events`);
}

async function load(path: string): Promise<Scenario> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as { scenario?: unknown };
  if (typeof module.scenario !== 'function') throw new Error(`${path} exports no function \`scenario\`\n\n${USAGE}`);
  return module.scenario as Scenario;
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${name} takes a whole number, not ${text}`);
  return Number(text);
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
