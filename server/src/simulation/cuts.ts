import type { World } from '@nacos-kube/core/sim/world.ts';

type Way = readonly [from: string, to: string];

/** Ways that are cut at the moment, each perhaps for several reasons: it is whole again when the last one is gone. */
export class Cuts {
  readonly #world: World;
  readonly #reasons = new Map<string, number>();

  /** `tell` gets what knows at any time which ways are cut. */
  constructor(world: World, tell: (isCut: (from: string, to: string) => boolean) => void) {
    this.#world = world;
    tell((from, to) => this.#reasons.has(`${from} ${to}`));
  }

  /** Until the returned function is called; calling it again does nothing. */
  begin(ways: readonly Way[]): () => void {
    for (const [from, to] of ways) {
      const id = `${from} ${to}`;
      const reasons = this.#reasons.get(id) ?? 0;
      if (reasons === 0) this.#world.cut(from, to);
      this.#reasons.set(id, reasons + 1);
    }
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      for (const [from, to] of ways) this.#less(from, to);
    };
  }

  endAll(): void {
    for (const id of [...this.#reasons.keys()]) {
      this.#reasons.delete(id);
      const [from, to] = id.split(' ') as [string, string];
      this.#world.mend(from, to);
    }
  }

  #less(from: string, to: string): void {
    const id = `${from} ${to}`;
    const reasons = this.#reasons.get(id);
    if (reasons === undefined) return;
    if (reasons > 1) {
      this.#reasons.set(id, reasons - 1);
      return;
    }
    this.#reasons.delete(id);
    this.#world.mend(from, to);
  }
}
