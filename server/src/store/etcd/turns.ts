import type { Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';

/** Of all that waits, in whatever line. */
const BYTES_WAITING_MAX = 256 * 1024 * 1024;
/** More than callers of a store that works ever leave waiting. */
const WAITING_MAX = 10_000;
/** Enough to keep the disk of etcd busy; more would wait there, where nobody sees that it works. */
const WRITES_AT_ONCE = 128;

/** For all that waits in this process. */
export class Room {
  readonly #bytesMax: number;
  #writes = 0;
  #bytes = 0;

  constructor(bytesMax = BYTES_WAITING_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Returns what leaves it again. */
  enter(bytes: number): () => void {
    if (this.#writes >= WAITING_MAX) throw overloaded(`${WAITING_MAX} writes wait for others`);
    if (this.#bytes + bytes > this.#bytesMax) throw overloaded(`${this.#bytes} bytes of writes wait for others`);
    this.#writes += 1;
    this.#bytes += bytes;
    return () => {
      this.#writes -= 1;
      this.#bytes -= bytes;
    };
  }
}

/** Writes of the same thing by this process go one after the other, so that it competes with other processes alone. */
export class Turns {
  readonly #room: Room;
  /** The end of the last one to come. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(room: Room) {
    this.#room = room;
  }

  /** In the order of the calls. */
  async take<T>(names: readonly string[], patience: Patience, bytes: number, work: () => Promise<T>): Promise<T> {
    const before = names.flatMap((name) => this.#last.get(name) ?? []);
    const leave = before.length > 0 ? this.#room.enter(bytes) : undefined;
    const { promise: end, resolve } = Promise.withResolvers<void>();
    for (const name of names) this.#last.set(name, end);
    try {
      if (leave !== undefined) await patience.wait(Promise.all(before)).finally(leave);
      return await work();
    } finally {
      resolve();
      for (const name of names) if (this.#last.get(name) === end) this.#last.delete(name);
    }
  }
}

/** So many at once, the others in the order of their calls. */
export class Slots {
  readonly #room: Room;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(room: Room, count = WRITES_AT_ONCE) {
    this.#room = room;
    this.#free = count;
  }

  async take<T>(patience: Patience, bytes: number, work: () => Promise<T>): Promise<T> {
    const leave = this.#free > 0 ? undefined : this.#room.enter(bytes);
    if (leave === undefined) this.#free -= 1;
    try {
      if (leave !== undefined) {
        await patience.wait(new Promise<void>((resolve) => this.#waiting.push(resolve))).finally(leave);
      }
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

function overloaded(why: string): EtcdFailure {
  return new EtcdFailure(`etcd is overloaded: ${why}`, { kind: 'unavailable' });
}
