import type { Prng } from '@nacos-kube/core/sim/prng.ts';
import type { World } from '@nacos-kube/core/sim/world.ts';
import type { ListChecker } from './checker.ts';
import type { SimulatedClient } from './client.ts';
import type { SimulatedCluster } from './cluster.ts';
import type { ConfigChecker } from './configs.ts';
import { Cuts } from './cuts.ts';

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
  /** One that hears nobody, and one that nobody hears. */
  'deaf',
  'mute',
  /** Nodes are cut off one after the other, and come back in another order. */
  'swizzle clog',
  'lossy links',
  /** A part of what nodes tell each other arrives long after it was given up. */
  'held messages',
  'slow disk',
  'full disk',
  'clock jump',
  /** No client gets through to any node for a while, then all do again. */
  'clients cut off',
  /** One member more, and one less again. */
  'join and leave',
  /** Nobody tells a node of another list. */
  'sidecar',
  'store down',
  'node without store',
  'slow store',
  'store hangs',
  'store loses answers',
  'store read-only',
  /** A node that has only what its disk holds. */
  'restart without store',
] as const;
export type FaultKind = (typeof ALL_FAULTS)[number];

export const QUICK = { delayMinMs: 0.2, delayMaxMs: 2, lossRate: 0, duplicateRate: 0 };
const SLOW = { delayMinMs: 5, delayMaxMs: 300, lossRate: 0.2, duplicateRate: 0.1 };
const LOSSY = { ...QUICK, lossRate: 0.2 };
const SLOW_DISK_MS = 500;
const JUMP_MS_MAX = 60_000;
const PAUSES_MS = [5_000, 20_000, 60_000];
const HOLD_RATE = 0.1;
const CLOG_MS = 20_000;
const SLOW_STORE_MS_MAX = 2_500;
const HANGING_STORE_MS_MAX = 6_000;

export interface FaultStage {
  readonly world: World;
  readonly cluster: SimulatedCluster;
  readonly clients: readonly SimulatedClient[];
  readonly checker: ListChecker;
  readonly configs: ConfigChecker;
}

interface Active {
  readonly kind: FaultKind;
  readonly undo: (() => void) | undefined;
}

/** Draws one fault after another, some of which overlap, and undoes them. */
export class Faults {
  readonly story: string[] = [];
  readonly #stage: FaultStage;
  readonly #which: 'first' | readonly FaultKind[];
  readonly #random: Prng;
  readonly #cuts: Cuts;
  #active: Active[] = [];

  constructor(stage: FaultStage, which: 'first' | readonly FaultKind[]) {
    this.#stage = stage;
    this.#which = which;
    this.#random = stage.world.random('faults');
    this.#cuts = new Cuts(stage.world, (isCut) => stage.checker.setCut(isCut));
  }

  durationMs(): number {
    return 2_000 + this.#random.int(this.#which === 'first' ? 38_000 : 28_000);
  }

  /** True for one draw in so many. */
  isOneOf(many: number): boolean {
    return this.#random.int(many) === 0;
  }

  next(): void {
    const { world, cluster } = this.#stage;
    const going = this.#active.map(({ kind }) => kind);
    const kinds = this.#which === 'first' ? FIRST_FAULTS : this.#which.filter((kind) => !going.includes(kind));
    if (kinds.length === 0) return;
    const kind = this.#pick<FaultKind>(kinds);
    const victim = this.#pick(cluster.names);
    if (going.length === 0) world.link(QUICK);
    this.#tell(`${kind}, ${victim}`);
    this.#active.push({ kind, undo: this.#begin(kind, victim) });
  }

  /** Ends one of those that are there. */
  end(): void {
    const index = this.#active.length < 2 ? 0 : this.#random.int(this.#active.length);
    const [ended] = this.#active.splice(index, 1);
    if (ended?.undo === undefined) return;
    this.#tell(`${ended.kind} ends`);
    ended.undo();
  }

  endAll(): void {
    const { world, cluster } = this.#stage;
    while (this.#active.length > 0) this.end();
    this.#cuts.endAll();
    world.heal();
    world.link(QUICK);
    for (const name of cluster.names) {
      cluster.startSidecar(name);
      if (!world.isAlive(name)) cluster.start(name);
    }
    this.#tell('all is whole');
  }

  #tell(what: string): void {
    this.#stage.world.note(what);
    this.story.push(`${(this.#stage.world.nowMs / 1000).toFixed(1).padStart(6)} s  ${what}`);
  }

  /** Returns what undoes it, if it does not end by itself. */
  #begin(kind: FaultKind, victim: string): (() => void) | undefined {
    const { world, cluster, clients, checker, configs } = this.#stage;
    switch (kind) {
      case 'kill':
      case 'crash':
        return this.#endNode(victim, kind);
      case 'kill all':
        for (const name of cluster.names) if (world.isAlive(name)) cluster.end(name, 'kill');
        cluster.startAll();
        return undefined;
      case 'pause':
        cluster.pause(victim, this.#which === 'first' ? this.durationMs() : this.#pick(PAUSES_MS));
        return undefined;
      case 'partition': {
        const others = this.#others(victim);
        const ways = [
          ...pairs([victim, 'c1'], others),
          ...pairs([victim, 'c1'], ['c2', 'c3', 'c4']),
          ...pairs(['c2', 'c3', 'c4'], ['c1', victim]),
          ...pairs(others, [victim, 'c1']),
        ];
        return this.#cuts.begin(ways);
      }
      case 'one way':
        return this.#cuts.begin([[victim, this.#pick(this.#others(victim))]]);
      case 'slow links':
        world.link(SLOW);
        return undefined;
      case 'lossy links':
        world.link(LOSSY);
        return undefined;
      case 'client': {
        const wanted = clients.filter((one) => one.state === 'wanted');
        const client = wanted.length === 0 ? undefined : this.#pick(wanted);
        if (this.#random.int(2) === 0) client?.die();
        else client?.leave();
        return undefined;
      }
      case 'every node alone':
        return this.#cuts.begin(pairs(cluster.names, cluster.names));
      case 'bridge': {
        const other = this.#pick(this.#others(victim));
        return this.#cuts.begin([...pairs([victim], [other]), ...pairs([other], [victim])]);
      }
      case 'deaf':
        return this.#cuts.begin(pairs(this.#others(victim), [victim]));
      case 'mute':
        return this.#cuts.begin(pairs([victim], this.#others(victim)));
      case 'swizzle clog':
        return this.#clog();
      case 'held messages': {
        const ways = pairs(cluster.names, cluster.names);
        for (const [from, to] of ways) world.hold(from, to, HOLD_RATE);
        checker.setHolding(true);
        return () => {
          checker.setHolding(false);
          for (const [from, to] of ways) world.hold(from, to, 0);
        };
      }
      case 'slow disk':
        world.disk(victim, { slowMs: SLOW_DISK_MS });
        return () => world.disk(victim, { slowMs: 0 });
      case 'full disk':
        world.disk(victim, { full: true });
        checker.distrustDisk(victim);
        configs.floors.distrustDisk(victim);
        return () => world.disk(victim, { full: false });
      case 'clock jump':
        world.jumpClock(victim, this.#random.int(JUMP_MS_MAX) - JUMP_MS_MAX / 2);
        return undefined;
      case 'clients cut off': {
        const hosts = ['c1', 'c2', 'c3', 'c4'];
        return this.#cuts.begin([...pairs(cluster.names, hosts), ...pairs(hosts, cluster.names)]);
      }
      case 'join and leave':
        cluster.join();
        return () => cluster.leave(this.#random.int(2) === 0);
      case 'sidecar':
        if (this.#random.int(2) === 0) world.pause(`${victim}-sidecar`, this.#pick(PAUSES_MS));
        else cluster.endSidecar(victim);
        return () => cluster.startSidecar(victim);
      case 'store down':
        return this.#storeFault({ kind: 'down' });
      case 'node without store':
        return this.#storeFault({ kind: 'down', node: victim });
      case 'slow store':
        return this.#storeFault({ kind: 'slow', delayMs: this.#random.int(SLOW_STORE_MS_MAX) });
      case 'store hangs':
        return this.#storeFault({ kind: 'slow', delayMs: 3_000 + this.#random.int(HANGING_STORE_MS_MAX - 3_000) });
      case 'store loses answers':
        return this.#storeFault({ kind: 'loses answers' });
      case 'store read-only':
        return this.#storeFault({ kind: 'read-only' });
      case 'restart without store': {
        const undo = this.#storeFault({ kind: 'down' });
        if (world.isAlive(victim)) cluster.end(victim, 'kill');
        cluster.start(victim);
        return undo;
      }
    }
  }

  #endNode(victim: string, how: 'kill' | 'crash'): (() => void) | undefined {
    const { world, cluster } = this.#stage;
    if (!world.isAlive(victim)) return undefined;
    cluster.end(victim, how);
    return () => {
      const isSlow = this.#random.int(2) === 0;
      if (world.isAlive(victim)) return;
      if (isSlow) world.link(SLOW);
      cluster.start(victim);
    };
  }

  #storeFault(fault: Parameters<SimulatedCluster['storeFaults']['begin']>[0]): () => void {
    this.#stage.configs.floors.distrustStore();
    return this.#stage.cluster.storeFaults.begin(fault);
  }

  /** Each is cut from all others at a time of its own, and is back at another. */
  #clog(): () => void {
    const { world, cluster } = this.#stage;
    const chaos = world.restart('chaos').clock;
    const undos = cluster.names.map((name) => {
      let undo = () => {};
      const others = this.#others(name);
      const timer = chaos.after(this.#random.int(CLOG_MS), () => {
        undo = this.#cuts.begin([...pairs([name], others), ...pairs(others, [name])]);
        mend.cancel();
        mend = chaos.after(this.#random.int(CLOG_MS), () => undo());
      });
      let mend = timer;
      return () => {
        timer.cancel();
        mend.cancel();
        undo();
      };
    });
    return () => {
      for (const undo of undos) undo();
    };
  }

  #others(victim: string): string[] {
    return this.#stage.cluster.names.filter((name) => name !== victim);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.int(from.length)]!;
  }
}

function pairs(from: readonly string[], to: readonly string[]): [string, string][] {
  return from.flatMap((a) => to.flatMap((b): [string, string][] => (a === b ? [] : [[a, b]])));
}
