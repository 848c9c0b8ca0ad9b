import type { World } from '@nacos-kube/core/sim/world.ts';
import type { ListChecker } from './checker.ts';
import type { SimulatedClient } from './client.ts';
import type { SimulatedCluster } from './cluster.ts';

/** The kinds that there were at first, in the order that seeds of that time draw from. */
export const FIRST_FAULTS = [
  'kill',
  'crash',
  'pause',
  'partition',
  'one way',
  'slow links',
  'kill all',
  'client',
] as const;

export const ALL_FAULTS = [
  ...FIRST_FAULTS,
  /** No node hears another one; clients reach all of them. */
  'every node alone',
  /** Two nodes that cannot hear each other, and a third that both hear. */
  'bridge',
  'slow disk',
  'full disk',
  'clock jump',
  /** No client gets through to any node for a while, then all do again. */
  'clients cut off',
  /** One member more, and one less again. */
  'join and leave',
] as const;
export type FaultKind = (typeof ALL_FAULTS)[number];

export const QUICK = { delayMinMs: 0.2, delayMaxMs: 2, lossRate: 0, duplicateRate: 0 };
const SLOW = { delayMinMs: 5, delayMaxMs: 300, lossRate: 0.2, duplicateRate: 0.1 };
const SLOW_DISK_MS = 500;
const JUMP_MS_MAX = 60_000;

export interface FaultStage {
  readonly world: World;
  readonly cluster: SimulatedCluster;
  readonly clients: readonly SimulatedClient[];
  readonly checker: ListChecker;
}

/** Draws one fault after another, and undoes it. */
export class Faults {
  readonly #stage: FaultStage;
  readonly #kinds: readonly FaultKind[];
  readonly #random;
  readonly story: string[] = [];
  #undo: (() => void) | undefined;

  constructor(stage: FaultStage, kinds: readonly FaultKind[]) {
    this.#stage = stage;
    this.#kinds = kinds;
    this.#random = stage.world.random('faults');
  }

  durationMs(): number {
    return 2_000 + this.#random.int(38_000);
  }

  next(): void {
    const { world, cluster } = this.#stage;
    const kind = this.#kinds[this.#random.int(this.#kinds.length)]!;
    const victim = this.#pick(cluster.names);
    world.link(QUICK);
    this.#tell(`${kind}, ${victim}`);
    this.#begin(kind, victim);
  }

  end(): void {
    if (this.#undo !== undefined) this.#tell('it ends');
    this.#undo?.();
    this.#undo = undefined;
  }

  endAll(): void {
    const { world, cluster } = this.#stage;
    this.end();
    world.heal();
    world.link(QUICK);
    for (const name of cluster.names) if (!world.isAlive(name)) cluster.start(name);
  }

  #tell(what: string): void {
    this.story.push(`${(this.#stage.world.nowMs / 1000).toFixed(1).padStart(6)} s  ${what}`);
  }

  #begin(kind: FaultKind, victim: string): void {
    const { world, cluster, clients, checker } = this.#stage;
    switch (kind) {
      case 'kill':
      case 'crash':
        cluster.end(victim, kind);
        this.#undo = () => {
          if (this.#random.int(2) === 0) world.link(SLOW);
          cluster.start(victim);
        };
        return;
      case 'kill all':
        for (const name of cluster.names) cluster.end(name, 'kill');
        cluster.startAll();
        return;
      case 'pause':
        world.pause(victim, this.durationMs());
        return;
      case 'partition':
        this.#partition(victim);
        return;
      case 'one way': {
        const other = this.#otherThan(victim);
        world.cut(victim, other);
        this.#cutUntilUndone((a, b) => a === victim && b === other);
        return;
      }
      case 'slow links':
        world.link(SLOW);
        return;
      case 'client': {
        const client = this.#pick(clients.filter((one) => one.state === 'wanted'));
        if (this.#random.int(2) === 0) client.die();
        else client.leave();
        return;
      }
      case 'every node alone':
        for (const a of cluster.names) for (const b of cluster.names) if (a !== b) world.cut(a, b);
        this.#cutUntilUndone(() => true);
        return;
      case 'bridge': {
        const other = this.#otherThan(victim);
        world.cut(victim, other);
        world.cut(other, victim);
        this.#cutUntilUndone((a, b) => [a, b].includes(victim) && [a, b].includes(other));
        return;
      }
      case 'slow disk':
        world.disk(victim, { slowMs: SLOW_DISK_MS });
        this.#undo = () => world.disk(victim, { slowMs: 0 });
        return;
      case 'full disk':
        world.disk(victim, { full: true });
        checker.distrustDisk(victim);
        this.#undo = () => world.disk(victim, { full: false });
        return;
      case 'clock jump':
        world.jumpClock(victim, this.#random.int(JUMP_MS_MAX) - JUMP_MS_MAX / 2);
        return;
      case 'clients cut off':
        world.partition(cluster.names, ['c1', 'c2', 'c3', 'c4']);
        this.#undo = () => world.heal();
        return;
      case 'join and leave':
        cluster.join();
        this.#undo = () => cluster.leave(this.#random.int(2) === 0);
        return;
    }
  }

  /** One node on one side with some of the clients, the rest on the other. */
  #partition(victim: string): void {
    const { world, cluster } = this.#stage;
    const rest = cluster.names.filter((name) => name !== victim);
    world.partition([victim, 'c1'], [...rest, 'c2', 'c3', 'c4']);
    this.#cutUntilUndone((a, b) => (a === victim) !== (b === victim));
  }

  #cutUntilUndone(isCut: (a: string, b: string) => boolean): void {
    const { world, checker } = this.#stage;
    checker.setCut(isCut);
    this.#undo = () => {
      world.heal();
      checker.setCut(() => false);
    };
  }

  #otherThan(victim: string): string {
    return this.#pick(this.#stage.cluster.names.filter((name) => name !== victim));
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.int(from.length)]!;
  }
}
