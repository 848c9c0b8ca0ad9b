import { World } from '@nacos-kube/core/sim/world.ts';
import { ListChecker } from './checker.ts';
import { SimulatedClient } from './client.ts';
import { type ClockFault, SimulatedCluster } from './cluster.ts';
import { ConfigChecker } from './configs.ts';
import { ALL_FAULTS, type FaultKind, Faults } from './faults.ts';
import type { Mutant } from './mutants.ts';
import { PersistentChecker } from './persistent.ts';
import { startVip, VIP } from './vip.ts';

export interface ScenarioSettings {
  readonly seed: number;
  /** 3 to 7 by the seed unless told. */
  readonly nodes?: number;
  readonly mutant?: Mutant;
  /**
   * `all` unless told. `first`: only the kinds of fault that there were at first, and nothing is published: seeds of that
   * time run as they did then. Else only these.
   */
  readonly faults?: 'first' | 'all' | readonly FaultKind[];
  /** Makes the run faster; what happens is the same. */
  readonly isTraceOff?: boolean;
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
const SIZES = [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7];
const CLIENT_HOSTS = 4;
const CLIENTS = 12;
const SERVICES = 4;
const SAMPLE_MS = 1_000;
const YOUNG_MS = 1_000;
const YOUNG_SAMPLE_MS = 25;
const SKEW_MS_MAX = 60_000;
const CLOCK_DRIFT = 0.005;
const START_WITHIN_MS = 30_000;
/** One that was paused at the end goes on within this, too. */
const WHOLE_WITHIN_MS = 90_000;
const FIRST_ROUNDS = 4;
const ROUNDS = 3;
const HEAL_MS = 15_000;
/** Until whoever died in the last fault is gone: both time-outs, and what expiry may hold back. */
const LAST_EXPIRY_MS = 45_000;

/**
 * One run: a cluster and its clients, some faults one after another or two at a time (of processes, links, disks, clocks,
 * the store), then everything whole again. All of it follows from the seed.
 */
export async function runScenario({
  seed,
  nodes: wanted,
  mutant,
  faults: which = 'all',
  isTraceOff = false,
  echo,
}: ScenarioSettings): Promise<ScenarioResult> {
  const world = new World({ seed, ...(echo !== undefined && { echo }), ...(isTraceOff && { traceLinesMax: 0 }) });
  const isAll = which !== 'first';
  const nodes = wanted ?? (isAll ? SIZES[world.random('size').int(SIZES.length)]! : 3);
  const cluster = new SimulatedCluster(world, nodes, {
    mutant,
    hasFiles: isAll,
    clocks: isAll ? wrongClocks(world, nodes + 1) : [],
  });
  // In one world of four a third of the clients knows one address only.
  const isBehindVip = isAll && seed % 4 === 3;
  if (isBehindVip) {
    const vip = world.process(VIP, { address: '10.0.3.1' });
    vip.background('serve the address', startVip(vip, cluster));
  }
  const clients = createClients(world, cluster, isBehindVip);
  const checker = new ListChecker(cluster, clients);
  const nowMs = () => world.nowMs;
  const configs = new ConfigChecker({ cluster, hosts: createCallers(world), nowMs });
  const persistent = new PersistentChecker(world.process('w4', { address: '10.0.2.4' }), cluster, nowMs);
  world.process('chaos', { address: '10.0.9.1' });
  const faults = new Faults({ world, cluster, clients, checker, configs }, which === 'all' ? ALL_FAULTS : which);

  const run = async (durationMs: number): Promise<void> => {
    const endMs = world.nowMs + durationMs;
    while (world.nowMs < endMs) {
      // What a node serves in its first moments is looked at more closely.
      const isYoung = world.nowMs - cluster.lastStartMs < YOUNG_MS;
      await world.advance(isYoung ? YOUNG_SAMPLE_MS : SAMPLE_MS);
      checker.sample(world.nowMs);
      persistent.sample();
    }
  };

  cluster.startAll();
  if (!(await world.until(() => cluster.isWhole, START_WITHIN_MS)))
    checker.violations.push('the cluster did not start');
  for (const client of clients) client.start();
  if (isAll) {
    configs.start();
    persistent.start();
  }
  await run(10_000);
  for (let round = 0; round < (isAll ? ROUNDS : FIRST_ROUNDS); round++) {
    faults.next();
    await run(faults.durationMs());
    if (isAll && faults.isOneOf(2)) {
      faults.next();
      await run(faults.durationMs());
      faults.end();
      await run(faults.durationMs());
    }
    faults.end();
    await run(faults.durationMs());
  }
  faults.endAll();
  await world.until(() => cluster.isWhole, WHOLE_WITHIN_MS);
  persistent.end();
  await run(HEAL_MS);
  if (isAll) await checker.checkHealed(world);
  await run(LAST_EXPIRY_MS);
  checker.checkEqual();
  if (isAll) {
    await world.finish(configs.checkEqual());
    persistent.checkEqual();
  }
  return {
    seed,
    nodes,
    violations: [...checker.violations, ...configs.violations, ...persistent.violations],
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

function createCallers(world: World) {
  const [first, second, listeners] = [1, 2, 3].map((n) => world.process(`w${n}`, { address: `10.0.2.${n}` }));
  return { callers: [first!, second!], listeners: listeners! };
}

function createClients(world: World, cluster: SimulatedCluster, isBehindVip: boolean): SimulatedClient[] {
  const hosts = Array.from({ length: CLIENT_HOSTS }, (_, n) =>
    world.process(`c${n + 1}`, { address: `10.0.1.${n + 1}` }),
  );
  return Array.from({ length: CLIENTS }, (_, n) => {
    const host = hosts[n % CLIENT_HOSTS]!;
    const servers = isBehindVip && n % 3 === 0 ? [VIP] : cluster.names;
    return new SimulatedClient(host, servers, `demo-${n % SERVICES}`, `10.1.0.${n + 1}`, () => world.nowMs);
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
