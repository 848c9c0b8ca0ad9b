import { DELETE_TIMEOUT_MS } from '@nacos-kube/core/model/instance.ts';
import { World } from '@nacos-kube/core/sim/world.ts';
import { VIOLATIONS_MAX } from './checker.ts';
import { SimulatedClient } from './client.ts';
import { SimulatedCluster } from './cluster.ts';
import type { Mutant } from './mutants.ts';

export interface ChurnSettings {
  readonly seed: number;
  readonly hours: number;
  readonly mutant?: Mutant;
  /** Told once a virtual hour. */
  readonly progress?: (line: string) => void;
}

export interface ChurnResult {
  readonly violations: readonly string[];
  readonly problems: readonly string[];
  readonly events: number;
  /** Instances that came, and how they went. */
  readonly counts: { readonly came: number; readonly left: number; readonly died: number };
  /** The longest that one was still listed after its last sign of life, ms. */
  readonly longestDeadMs: number;
}

const NODES = 3;
const SERVICES = 100;
const CLIENTS = 200;
const CLIENT_HOSTS = 8;
const SAMPLE_MS = 1_000;
/** Acknowledged is on every node within this (P1). */
const SPREAD_MS = 2_000;
const LATE_MS = 10_000;
/** Between two signs of life of a client that lives: its period, and as long as a retry may take. */
const BEAT_GAP_MS = 12_000;
/** A change of the population each so many virtual ms on average. */
const CHURN_MS = 10_000;
/** Wall clocks are set anew, to something else that is wrong. */
const JUMP_MS = 15 * 60_000;
/** Members five minutes apart no longer believe each other's messages; what drifts must be set in time. */
const SKEW_MS_MAX = 120_000;
const RATES = [0.995, 1, 1.005];

/**
 * Hours of an ordinary life: programs come, leave and die without a word, wall clocks are wrong, drift and jump.
 * Looked at every second on every node: who shows signs of life is listed and healthy, who is dead is gone within
 * the delete time-out and 10 s (P3, P4).
 */
export async function runChurn({ seed, hours, mutant, progress }: ChurnSettings): Promise<ChurnResult> {
  const world = new World({ seed });
  const random = world.random('churn');
  const clocks = Array.from({ length: NODES }, (_, n) => ({
    clockSkewMs: random.int(SKEW_MS_MAX) - SKEW_MS_MAX / 2,
    clockRate: RATES[n % RATES.length]!,
  }));
  const cluster = new SimulatedCluster(world, NODES, { mutant, clocks });
  const hosts = Array.from({ length: CLIENT_HOSTS }, (_, n) =>
    world.process(`c${n + 1}`, { address: `10.0.1.${n + 1}` }),
  );
  const wrong = clocks.map(({ clockSkewMs }) => ({ skewMs: clockSkewMs, sinceMs: 0 }));
  const population = new Population(world, cluster);
  const violations: string[] = [];
  let came = 0;

  const join = () => {
    const ip = `10.${1 + (came >> 16)}.${(came >> 8) & 255}.${came & 255}`;
    const service = `churn-${random.int(SERVICES)}`;
    const client = new SimulatedClient(hosts[came % CLIENT_HOSTS]!, cluster.names, service, ip, () => world.nowMs);
    came++;
    population.add(client);
    client.start();
  };

  cluster.startAll();
  if (!(await world.until(() => cluster.isWhole, 60_000))) violations.push('the cluster did not start');
  for (let n = 0; n < CLIENTS; n++) join();
  let nextChurnMs = world.nowMs + CHURN_MS;
  let nextJumpMs = world.nowMs + JUMP_MS;
  let nextHourMs = world.nowMs + 3_600_000;
  const endMs = world.nowMs + hours * 3_600_000;
  while (world.nowMs < endMs && violations.length < VIOLATIONS_MAX) {
    await world.advance(SAMPLE_MS);
    violations.push(...population.look());
    if (world.nowMs >= nextChurnMs) {
      nextChurnMs += random.int(2 * CHURN_MS);
      // As many come as go, one by one or a few together.
      const together = random.int(10) === 0 ? 5 : 1;
      for (let n = 0; n < together; n++) {
        population.lose(random);
        join();
      }
    }
    if (world.nowMs >= nextJumpMs) {
      nextJumpMs += JUMP_MS;
      for (const [n, name] of cluster.names.entries()) {
        const wanted = random.int(SKEW_MS_MAX) - SKEW_MS_MAX / 2;
        const drifted = (clocks[n]!.clockRate - 1) * (world.nowMs - wrong[n]!.sinceMs);
        world.jumpClock(name, Math.round(wanted - wrong[n]!.skewMs - drifted));
        wrong[n] = { skewMs: wanted, sinceMs: world.nowMs };
      }
    }
    if (world.nowMs >= nextHourMs) {
      nextHourMs += 3_600_000;
      progress?.(`${Math.round(world.nowMs / 3_600_000)} h, ${came} came, ${world.eventCount} events`);
    }
  }
  const { left, died, longestDeadMs } = population;
  return {
    violations,
    problems: world.problems(),
    events: world.eventCount,
    counts: { came, left, died },
    longestDeadMs,
  };
}

/** The programs of the moment, and those that went but may still be listed. */
class Population {
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly #alive: SimulatedClient[] = [];
  #gone: { readonly client: SimulatedClient; readonly sinceMs: number }[] = [];
  left = 0;
  died = 0;
  longestDeadMs = 0;

  constructor(world: World, cluster: SimulatedCluster) {
    this.#world = world;
    this.#cluster = cluster;
  }

  add(client: SimulatedClient): void {
    this.#alive.push(client);
  }

  lose(random: { int(bound: number): number }): void {
    const [client] = this.#alive.splice(random.int(this.#alive.length), 1);
    if (client === undefined) return;
    if (random.int(2) === 0) {
      client.die();
      this.died++;
    } else {
      client.leave();
      this.left++;
    }
    this.#gone.push({ client, sinceMs: this.#world.nowMs });
  }

  /** What is not as it should be on any node. */
  look(): string[] {
    const { nowMs } = this.#world;
    const nodes = this.#cluster.ready();
    const wrong = nodes.length === this.#cluster.names.length ? [] : [`at ${nowMs} ms not every node is ready`];
    for (const { name, server } of nodes) {
      for (const client of this.#alive) {
        if (!mustBeListed(client, nowMs)) continue;
        const instance = server.naming.registry.find(client.serviceKey, client.instanceKey, true);
        if (instance?.healthy !== true) wrong.push(`at ${nowMs} ms ${name} lacks ${client.service} ${client.ip}`);
      }
    }
    const stillListed = this.#gone.filter(({ client }) =>
      nodes.some(({ server }) => server.naming.registry.find(client.serviceKey, client.instanceKey, true)),
    );
    for (const { client, sinceMs } of stillListed) {
      const lastMs = client.state === 'dead' ? (client.acks.at(-1)?.atMs ?? sinceMs) : nowMs;
      this.longestDeadMs = Math.max(this.longestDeadMs, nowMs - lastMs);
      if (nowMs - lastMs > DELETE_TIMEOUT_MS + LATE_MS) {
        wrong.push(
          `at ${nowMs} ms ${client.service} ${client.ip} is listed, its last sign of life was at ${lastMs} ms`,
        );
      }
    }
    // Who never came to a list may do so by an answer that is still under way.
    this.#gone = this.#gone.filter((one) => stillListed.includes(one) || nowMs - one.sinceMs < BEAT_GAP_MS);
    return wrong;
  }
}

function mustBeListed(client: SimulatedClient, nowMs: number): boolean {
  const first = client.acks[0];
  const last = client.acks.at(-1);
  if (client.state !== 'wanted' || first === undefined || last === undefined) return false;
  return nowMs - first.atMs > SPREAD_MS && nowMs - last.atMs <= BEAT_GAP_MS;
}
