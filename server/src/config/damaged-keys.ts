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
  #times = 0;
  #readAgainMs = Number.NEGATIVE_INFINITY;

  /** `what` is damaged, for people; `read`: any state that is not older than the call. */
  constructor(clock: Clock, log: Log, what: string, read: (key: ConfigKey) => Promise<unknown>) {
    this.#clock = clock;
    this.#log = log;
    this.#what = what;
    this.#read = read;
  }

  /** How often something was read that is damaged. */
  get times(): number {
    return this.#times;
  }

  /** Rejects with any other failure. */
  async read(key: ConfigKey, read = this.#read): Promise<void> {
    const text = groupKey(key);
    try {
      await read(key);
      this.#keys.delete(text);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#times += 1;
      if (this.#keys.has(text)) return;
      this.#log.error(`${this.#what} is damaged in the store, others are not held up by it`, { config: text, error });
      if (this.#keys.size < DAMAGED_MAX) this.#keys.set(text, key);
    }
  }

  /** Those that were damaged when they were read last. Seldom, however often it is called. */
  async readAgain(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (this.#keys.size === 0 || nowMs < this.#readAgainMs) return;
    this.#readAgainMs = nowMs + READ_AGAIN_MS;
    for (const key of [...this.#keys.values()]) await this.read(key);
  }
}
