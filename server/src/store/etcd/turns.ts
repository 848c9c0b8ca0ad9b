import type { Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';

/** More than callers of a store that works ever leave waiting. */
const WAITING_MAX = 10_000;
/** Enough to keep the disk of etcd busy; more would wait there, where nobody sees that it works. */
const WRITES_AT_ONCE = 128;

/** Writes of the same thing by this process go one after the other, so that it competes with other processes alone. */
export class Turns {
  /** The end of the last one to come. */
  readonly #last = new Map<string, Promise<void>>();
  #waiting = 0;

  /** In the order of the calls. */
  async take<T>(names: readonly string[], patience: Patience, work: () => Promise<T>): Promise<T> {
    requireRoom(this.#waiting);
    const before = names.flatMap((name) => this.#last.get(name) ?? []);
    const { promise: end, resolve } = Promise.withResolvers<void>();
    for (const name of names) this.#last.set(name, end);
    this.#waiting += 1;
    if (before.length > 0) await patience.wait(Promise.all(before));
    this.#waiting -= 1;
    try {
      return await work();
    } finally {
      resolve();
      for (const name of names) if (this.#last.get(name) === end) this.#last.delete(name);
    }
  }
}

/** So many writes at once, the others in the order of their calls. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count = WRITES_AT_ONCE) {
    this.#free = count;
  }

  async take<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else {
      requireRoom(this.#waiting.length);
      await patience.wait(new Promise<void>((resolve) => this.#waiting.push(resolve)));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

function requireRoom(waiting: number): void {
  if (waiting < WAITING_MAX) return;
  throw new EtcdFailure(`etcd: over ${WAITING_MAX} writes wait for others`, { kind: 'unavailable' });
}
