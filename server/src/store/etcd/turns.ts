import type { Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';

/** More than callers of a store that works ever leave waiting. */
const WAITING_MAX = 10_000;

/** Writes of the same thing by this process go one after the other, so that it competes with other processes alone. */
export class Turns {
  /** Whether the last one to come went well. */
  readonly #last = new Map<string, Promise<boolean>>();
  #waiting = 0;

  /** In the order of the calls. The wait for writes that went well costs no patience. */
  async take<T>(names: readonly string[], patience: Patience, work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      throw new EtcdFailure(`etcd: over ${WAITING_MAX} writes wait for others`, { kind: 'unavailable' });
    }
    const before = names.flatMap((name) => this.#last.get(name) ?? []);
    const { promise: end, resolve } = Promise.withResolvers<boolean>();
    for (const name of names) this.#last.set(name, end);
    this.#waiting += 1;
    const wentWell = await Promise.all(before);
    this.#waiting -= 1;
    if (wentWell.length > 0 && !wentWell.includes(false)) patience.waited();
    try {
      const result = await work();
      resolve(true);
      return result;
    } finally {
      resolve(false);
      for (const name of names) if (this.#last.get(name) === end) this.#last.delete(name);
    }
  }
}
