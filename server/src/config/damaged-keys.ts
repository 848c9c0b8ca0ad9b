import type { Clock, Log } from '@nacos-kube/core/host/host.ts';
import type { ConfigKey } from '@nacos-kube/core/model/config.ts';
import { type GroupKey, groupKey } from '@nacos-kube/core/wire/config-key.ts';
import { isDamaged } from '../store/store.ts';

/** Keys of which it is remembered; what is over is read again with the next change of it, or with everything. */
const DAMAGED_MAX = 1_000;
const READ_AGAIN_MS = 5_000;

/**
 * The keys of which a follower found something damaged in the store: each is told once, holds up no other, and is read
 * again by itself now and then, as who mends a row need not change it.
 */
export class DamagedKeys {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #what: string;
  readonly #read: (key: ConfigKey) => Promise<unknown>;
  readonly #keys = new Map<GroupKey, ConfigKey>();
  #readAgainMs = Number.NEGATIVE_INFINITY;

  /** `what` is damaged, for people; `read`: any state that is not older than the call. */
  constructor(clock: Clock, log: Log, what: string, read: (key: ConfigKey) => Promise<unknown>) {
    this.#clock = clock;
    this.#log = log;
    this.#what = what;
    this.#read = read;
  }

  /** False when what is read is damaged; any other failure rejects. */
  async read(key: ConfigKey, read = this.#read): Promise<boolean> {
    const text = groupKey(key);
    try {
      await read(key);
      this.#keys.delete(text);
      return true;
    } catch (error) {
      if (!isDamaged(error)) throw error;
      if (this.#keys.has(text)) return false;
      this.#log.error(`${this.#what} is damaged in the store, others are not held up by it`, { config: text, error });
      if (this.#keys.size < DAMAGED_MAX) this.#keys.set(text, key);
      return false;
    }
  }

  /** Those that were damaged when they were read last; returns how many still are. Seldom, however often it is called. */
  async readAgain(): Promise<number> {
    const nowMs = this.#clock.monotonic();
    if (this.#keys.size === 0 || nowMs < this.#readAgainMs) return 0;
    this.#readAgainMs = nowMs + READ_AGAIN_MS;
    let damaged = 0;
    for (const key of [...this.#keys.values()]) if (!(await this.read(key))) damaged += 1;
    return damaged;
  }
}
