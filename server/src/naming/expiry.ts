import { BEAT_INTERVAL_MS } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { deadlineMs, type Ephemeral, wholeMs } from './service-entry.ts';

export const EXPIRY_PERIOD_MS = 1_000;
/** A third of the default time-out: whoever slept longer cannot tell the dead from the unheard. */
export const LATE_MS = 5_000;
export const FREEZE_MS = 15_000;
export const MASS_MIN = 20;
export const MASS_SHARE = 0.15;
/** As long as clients need to notice one by one: those that fall silent together are overdue within one interval. */
export const MASS_WINDOW_MS = BEAT_INTERVAL_MS;
export const MASS_HOLD_MS = 60_000;

/**
 * Decides which overdue instances are judged. States: watching; frozen (this process itself was asleep, so all that
 * it holds is granted a time-out); holding (too many at once look like a fault of the network, not of the clients, F7).
 * Holding ends when beats come again, or after `MASS_HOLD_MS` at the latest, when the instances are judged after all.
 */
export class Expiry {
  readonly #registry: Registry;
  readonly #judges: (service: ServiceKey) => boolean;
  #lastTickMs: number | undefined;
  #frozenUntilMs = Number.NEGATIVE_INFINITY;
  #heldSinceMs: number | undefined;
  #held: Ephemeral[] = [];
  /** Verdicts of the last `MASS_WINDOW_MS` on instances that were healthy. */
  #fellSilent: { readonly atMs: number; readonly count: number }[] = [];

  constructor(registry: Registry, judges: (service: ServiceKey) => boolean) {
    this.#registry = registry;
    this.#judges = judges;
  }

  /** To be called each `EXPIRY_PERIOD_MS`; a call that comes late is noticed. */
  tick(nowMs: number): RegistryChange[] {
    const lateMs = nowMs - (this.#lastTickMs ?? nowMs) - EXPIRY_PERIOD_MS;
    this.#lastTickMs = nowMs;
    if (lateMs > LATE_MS) this.#freeze(nowMs);
    if (nowMs < this.#frozenUntilMs) return [];

    const overdue = this.#takeOverdue(nowMs);
    const isMass = this.#isMass(overdue, nowMs);
    // A hold that ended by its bound stays ended until the wave is over, else it would begin anew at once.
    if (!isMass) this.#heldSinceMs = undefined;
    if (isMass && nowMs - (this.#heldSinceMs ?? nowMs) < MASS_HOLD_MS) {
      this.#heldSinceMs ??= nowMs;
      this.#held = overdue;
      return [];
    }
    this.#fellSilent.push({ atMs: nowMs, count: overdue.filter((one) => one.instance.healthy).length });
    const changes: RegistryChange[] = [];
    for (const ephemeral of overdue) {
      const change = this.#registry.judge(ephemeral, ephemeral.instance.healthy ? 'unhealthy' : 'expired', nowMs);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** Instances that would be judged but for the guard; a metric, and the flag of lists kept. */
  get heldCount(): number {
    return this.#held.length;
  }

  isFrozen(nowMs: number): boolean {
    return nowMs < this.#frozenUntilMs;
  }

  #freeze(nowMs: number): void {
    this.#registry.grant(nowMs, () => true);
    this.#frozenUntilMs = nowMs + FREEZE_MS;
    for (const ephemeral of this.#held) this.#registry.putBack(ephemeral);
    this.#held = [];
    this.#heldSinceMs = undefined;
  }

  #takeOverdue(nowMs: number): Ephemeral[] {
    for (const ephemeral of this.#held) this.#registry.putBack(ephemeral);
    this.#held = [];
    const own: Ephemeral[] = [];
    for (const ephemeral of this.#registry.takeOverdue(nowMs)) {
      // Judged elsewhere? If this member inherits it, the time counts from then on anyway.
      if (!this.#judges(ephemeral.entry.key)) ephemeral.aliveMs = wholeMs(nowMs);
      // The question itself may have shown that the service is newly ours, which grants it a time-out.
      if ((deadlineMs(ephemeral) ?? 0) <= nowMs) own.push(ephemeral);
      else this.#registry.putBack(ephemeral);
    }
    return own;
  }

  #isMass(overdue: readonly Ephemeral[], nowMs: number): boolean {
    this.#fellSilent = this.#fellSilent.filter(({ atMs }) => nowMs - atMs < MASS_WINDOW_MS);
    const silent = this.#fellSilent.reduce((sum, { count }) => sum + count, overdue.length);
    return silent >= MASS_MIN && silent > MASS_SHARE * this.#registry.ephemeralCount(this.#judges);
  }
}
