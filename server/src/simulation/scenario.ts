import { World } from '@nacos-kube/core/sim/world.ts';
import { ListChecker } from './checker.ts';
import { SimulatedClient } from './client.ts';
import { type ClockFault, SimulatedCluster } from './cluster.ts';
import { ConfigChecker } from './configs.ts';
import { ALL_FAULTS, Faults, FIRST_FAULTS } from './faults.ts';
import type { Mutant } from './mutants.ts';

export interface ScenarioSettings {
  readonly seed: number;
  /** 3 to 7 by the seed unless told. */
  readonly nodes?: number;
  readonly mutant?: Mutant;
  /**
   * `all` unless told. `first`: only the kinds of fault that there were at first, and nothing is published: seeds of that
   * time run as they did then.
   */
  readonly faults?: 'first' | 'all';
  /** Gets each line of the trace as it comes. */
  readonly echo?: (line: string) => void;
}

export interface ScenarioResult {
  readonly seed: number;
  readonly nodes: number;
  readonly violations: readonly string[];
  readonly problems: readonly string[];
  /** What was done to the cluster, and when. */
  readonly story: readonly string[];
  /** Of one configuration each, all that its writers and readers saw. */
  readonly histories: number;
  readonly operations: number;
  readonly events: number;
  readonly samples: number;
  readonly simulatedMs: number;
  readonly trace: readonly string[];
}

/** Small clusters show most and cost least. */
const SIZES = [3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7];
const CLIENT_HOSTS = 4;
const CLIENTS = 12;
const SERVICES = 4;
const SAMPLE_MS = 1_000;
const YOUNG_MS = 1_000;
const YOUNG_SAMPLE_MS = 25;
const SKEW_MS_MAX = 60_000;
const CLOCK_DRIFT = 0.005;
const START_WITHIN_MS = 30_000;
const FAULTS = 4;
const HEAL_MS = 15_000;
/** Until whoever died in the last fault is gone: both time-outs, and what expiry may hold back. */
const LAST_EXPIRY_MS = 45_000;

/**
 * One run: a cluster and its clients, some faults one after another (crashes, kills, pauses, partitions, cut and slow
 * links), then everything whole again. All of it follows from the seed.
 */
export async function runScenario({
  seed,
  nodes: wanted,
  mutant,
  faults: which = 'all',
  echo,
}: ScenarioSettings): Promise<ScenarioResult> {
  const world = new World(echo === undefined ? { seed } : { seed, echo });
  const isAll = which === 'all';
  const nodes = wanted ?? (isAll ? SIZES[world.random('size').int(SIZES.length)]! : 3);
  const cluster = new SimulatedCluster(world, nodes, {
    mutant,
    hasFiles: isAll,
    clocks: isAll ? wrongClocks(world, nodes + 1) : [],
  });
  const clients = createClients(world, cluster);
  const checker = new ListChecker(cluster, clients);
  const configs = new ConfigChecker(
    world.process('w1', { address: '10.0.2.1' }),
    cluster.names,
    cluster.commits,
    () => world.nowMs,
  );
  const faults = new Faults({ world, cluster, clients, checker }, isAll ? ALL_FAULTS : FIRST_FAULTS);

  const run = async (durationMs: number): Promise<void> => {
    const endMs = world.nowMs + durationMs;
    while (world.nowMs < endMs) {
      // What a node serves in its first moments is looked at more closely.
      const isYoung = world.nowMs - cluster.lastStartMs < YOUNG_MS;
      await world.advance(isYoung ? YOUNG_SAMPLE_MS : SAMPLE_MS);
      checker.sample(world.nowMs);
    }
  };

  cluster.startAll();
  if (!(await world.until(() => cluster.isWhole, START_WITHIN_MS)))
    checker.violations.push('the cluster did not start');
  for (const client of clients) client.start();
  if (isAll) configs.start();
  await run(10_000);
  for (let round = 0; round < FAULTS; round++) {
    faults.next();
    await run(faults.durationMs());
    faults.end();
    await run(faults.durationMs());
  }
  faults.endAll();
  await world.until(() => cluster.isWhole, START_WITHIN_MS);
  await run(HEAL_MS + LAST_EXPIRY_MS);
  checker.checkEqual();
  if (isAll) await world.finish(configs.checkEqual());
  return {
    seed,
    nodes,
    violations: [...checker.violations, ...configs.violations],
    problems: world.problems(),
    story: faults.story,
    histories: configs.histories,
    operations: configs.operations,
    events: world.eventCount,
    samples: checker.samples,
    simulatedMs: world.nowMs,
    trace: world.trace(),
  };
}

function createClients(world: World, cluster: SimulatedCluster): SimulatedClient[] {
  const hosts = Array.from({ length: CLIENT_HOSTS }, (_, n) =>
    world.process(`c${n + 1}`, { address: `10.0.1.${n + 1}` }),
  );
  return Array.from({ length: CLIENTS }, (_, n) => {
    const host = hosts[n % CLIENT_HOSTS]!;
    return new SimulatedClient(host, cluster.names, `demo-${n % SERVICES}`, `10.1.0.${n + 1}`, () => world.nowMs);
  });
}

/** Wall clocks a minute apart at most, and some that run fast or slow. */
function wrongClocks(world: World, count: number): ClockFault[] {
  const random = world.random('clocks');
  return Array.from({ length: count }, () => ({
    clockSkewMs: random.int(SKEW_MS_MAX) - SKEW_MS_MAX / 2,
    clockRate: 1 + (random.int(3) - 1) * CLOCK_DRIFT,
  }));
}
