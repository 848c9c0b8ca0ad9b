import { World } from '@nacos-kube/core/sim/world.ts';
import { ListChecker } from './checker.ts';
import { SimulatedClient } from './client.ts';
import { SimulatedCluster } from './cluster.ts';
import { ConfigChecker } from './configs.ts';
import type { Mutant } from './mutants.ts';

export interface ScenarioSettings {
  readonly seed: number;
  readonly nodes?: number;
  readonly mutant?: Mutant;
  /** False: nothing is published. Seeds of before there were publishes run as they did then. */
  readonly withConfigs?: boolean;
  /** Gets each line of the trace as it comes. */
  readonly echo?: (line: string) => void;
}

export interface ScenarioResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly problems: readonly string[];
  readonly events: number;
  readonly samples: number;
  readonly simulatedMs: number;
  readonly trace: readonly string[];
}

const CLIENT_HOSTS = 4;
const CLIENTS = 12;
const SERVICES = 4;
const SAMPLE_MS = 1_000;
const YOUNG_MS = 1_000;
const YOUNG_SAMPLE_MS = 25;
const QUICK = { delayMinMs: 0.2, delayMaxMs: 2, lossRate: 0, duplicateRate: 0 };
const SLOW = { delayMinMs: 5, delayMaxMs: 300, lossRate: 0.2, duplicateRate: 0.1 };
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
  nodes = 3,
  mutant,
  withConfigs = true,
  echo,
}: ScenarioSettings): Promise<ScenarioResult> {
  const world = new World(echo === undefined ? { seed } : { seed, echo });
  const cluster = new SimulatedCluster(world, nodes, mutant);
  const clients = createClients(world, cluster);
  const checker = new ListChecker(cluster, clients);
  const configs = new ConfigChecker(
    world.process('w1', { address: '10.0.2.1' }),
    cluster.names,
    cluster.commits,
    () => world.nowMs,
  );
  const faults = new Faults(world, cluster, clients, checker);

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
  if (withConfigs) configs.start();
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
  if (withConfigs) await world.finish(configs.checkEqual());
  return {
    seed,
    violations: [...checker.violations, ...configs.violations],
    problems: world.problems(),
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

/** Draws one fault after another, and undoes it. */
class Faults {
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly #clients: readonly SimulatedClient[];
  readonly #checker: ListChecker;
  readonly #random;
  #undo: (() => void) | undefined;

  constructor(world: World, cluster: SimulatedCluster, clients: readonly SimulatedClient[], checker: ListChecker) {
    this.#world = world;
    this.#cluster = cluster;
    this.#clients = clients;
    this.#checker = checker;
    this.#random = world.random('faults');
  }

  durationMs(): number {
    return 2_000 + this.#random.int(38_000);
  }

  next(): void {
    const kinds = ['kill', 'crash', 'pause', 'partition', 'one way', 'slow links', 'kill all', 'client'] as const;
    const kind = kinds[this.#random.int(kinds.length)]!;
    const victim = this.#pick(this.#cluster.names);
    this.#world.link(QUICK);
    switch (kind) {
      case 'kill':
      case 'crash':
        this.#cluster.end(victim, kind);
        this.#undo = () => {
          if (this.#random.int(2) === 0) this.#world.link(SLOW);
          this.#cluster.start(victim);
        };
        return;
      case 'kill all':
        for (const name of this.#cluster.names) this.#cluster.end(name, 'kill');
        this.#cluster.startAll();
        return;
      case 'pause':
        this.#world.pause(victim, this.durationMs());
        return;
      case 'partition':
        this.#partition(victim);
        return;
      case 'one way': {
        const other = this.#pick(this.#cluster.names.filter((name) => name !== victim));
        this.#world.cut(victim, other);
        this.#cutUntilUndone((a, b) => a === victim && b === other);
        return;
      }
      case 'slow links':
        this.#world.link(SLOW);
        return;
      case 'client': {
        const client = this.#pick(this.#clients.filter((one) => one.state === 'wanted'));
        if (this.#random.int(2) === 0) client.die();
        else client.leave();
        return;
      }
    }
  }

  end(): void {
    this.#undo?.();
    this.#undo = undefined;
  }

  endAll(): void {
    this.end();
    this.#world.heal();
    this.#world.link(QUICK);
    for (const name of this.#cluster.names) if (!this.#world.isAlive(name)) this.#cluster.start(name);
  }

  /** One node on one side with some of the clients, the rest on the other. */
  #partition(victim: string): void {
    const rest = this.#cluster.names.filter((name) => name !== victim);
    this.#world.partition([victim, 'c1'], [...rest, 'c2', 'c3', 'c4']);
    this.#cutUntilUndone((a, b) => (a === victim) !== (b === victim));
  }

  #cutUntilUndone(isCut: (a: string, b: string) => boolean): void {
    this.#checker.setCut(isCut);
    this.#undo = () => {
      this.#world.heal();
      this.#checker.setCut(() => false);
    };
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.int(from.length)]!;
  }
}
