import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';

/** A moment in the life of a cache, to ask later what was touched since. */
export type Moment = number;

/** Removed keys whose moment is remembered one by one; of older ones only that they may have been touched. */
export const REMOVED_KEYS_MAX = 10_000;

/** When each key was last put or removed, in moments that only ever go up. */
export class Touches {
  readonly #present = new Map<GroupKey, Moment>();
  readonly #removed = new Map<GroupKey, Moment>();
  #removedForgottenAt: Moment = 0;
  #now: Moment = 0;

  moment(): Moment {
    return this.#now;
  }

  /** True when the key was put or removed after the moment, or may have been. */
  since(key: GroupKey, moment: Moment): boolean {
    return (this.#present.get(key) ?? this.#removed.get(key) ?? this.#removedForgottenAt) > moment;
  }

  put(key: GroupKey): void {
    this.#now += 1;
    this.#present.set(key, this.#now);
    this.#removed.delete(key);
  }

  remove(key: GroupKey): void {
    this.#now += 1;
    this.#present.delete(key);
    this.#removed.delete(key);
    this.#removed.set(key, this.#now);
    if (this.#removed.size <= REMOVED_KEYS_MAX) return;
    const [oldest, moment] = this.#removed.entries().next().value!;
    this.#removed.delete(oldest);
    this.#removedForgottenAt = moment;
  }

  /** From now on every key that is not there counts as touched at this moment. */
  touchAbsent(): void {
    this.#now += 1;
    this.#removed.clear();
    this.#removedForgottenAt = this.#now;
  }
}
