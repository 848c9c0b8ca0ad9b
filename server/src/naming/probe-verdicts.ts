import type { InstanceKey } from '@nacos-kube/core/model/instance.ts';
import { compareStamps, type Stamp } from '@nacos-kube/core/model/stamp.ts';

export interface ProbeVerdict {
  readonly healthy: boolean;
  readonly stamp: Stamp;
}

/** How long a verdict waits for its instance, which comes by the feed of the store: a poll of it, and an outage. */
export const WAITING_VERDICT_MS = 60_000;
export const WAITING_VERDICTS_MAX = 10_000;
/** How long the last verdict on a removed instance is known for one: as long as tombstones. */
export const PAST_VERDICT_MS = 24 * 3_600_000;

/**
 * What checks found of the persistent instances of one service. A verdict is in force while its instance is there; it
 * waits when it came first; and it is past once the instance was removed, so that no peer that removes it later can
 * bring it back, least of all onto an instance that was registered anew at the same place.
 */
export class ProbeVerdicts {
  readonly #inForce = new Map<InstanceKey, ProbeVerdict>();
  readonly #waiting = new Map<InstanceKey, { readonly verdict: ProbeVerdict; readonly sinceMs: number }>();
  readonly #past = new Map<InstanceKey, { readonly stamp: Stamp; readonly sinceMs: number }>();

  get(key: InstanceKey): ProbeVerdict | undefined {
    return this.#inForce.get(key);
  }

  /** None in force. */
  get isNone(): boolean {
    return this.#inForce.size === 0;
  }

  keys(): Iterable<InstanceKey> {
    return this.#inForce.keys();
  }

  set(key: InstanceKey, verdict: ProbeVerdict): void {
    this.#inForce.set(key, verdict);
  }

  /** Keeps a verdict whose instance is not there yet. */
  wait(key: InstanceKey, verdict: ProbeVerdict, nowMs: number): void {
    const known = this.#waiting.get(key);
    if (known === undefined && this.#waiting.size >= WAITING_VERDICTS_MAX) return;
    if (known === undefined || compareStamps(verdict.stamp, known.verdict.stamp) > 0) {
      this.#waiting.set(key, { verdict, sinceMs: nowMs });
    }
  }

  /** The instance is there now: what waited for it comes in force. */
  arrived(key: InstanceKey): ProbeVerdict | undefined {
    const verdict = this.#waiting.get(key)?.verdict;
    this.#waiting.delete(key);
    if (verdict !== undefined) this.#inForce.set(key, verdict);
    return verdict;
  }

  /** The instance is gone: the verdict that was in force, if any. */
  retired(key: InstanceKey, nowMs: number): ProbeVerdict | undefined {
    const verdict = this.#inForce.get(key);
    this.#inForce.delete(key);
    if (verdict !== undefined) this.#past.set(key, { stamp: verdict.stamp, sinceMs: nowMs });
    return verdict;
  }

  /** It was made of an instance that was removed since, whatever stands there now. */
  isPast(key: InstanceKey, stamp: Stamp): boolean {
    const past = this.#past.get(key);
    return past !== undefined && compareStamps(stamp, past.stamp) <= 0;
  }

  /** It is the very one that was in force when the instance was removed. */
  isLastOfPast(key: InstanceKey, stamp: Stamp): boolean {
    const past = this.#past.get(key);
    return past !== undefined && compareStamps(stamp, past.stamp) === 0;
  }

  collect(nowMs: number): void {
    for (const [key, { sinceMs }] of this.#waiting)
      if (nowMs - sinceMs >= WAITING_VERDICT_MS) this.#waiting.delete(key);
    for (const [key, { sinceMs }] of this.#past) if (nowMs - sinceMs >= PAST_VERDICT_MS) this.#past.delete(key);
  }

  get isEmpty(): boolean {
    return this.#inForce.size + this.#waiting.size + this.#past.size === 0;
  }
}

/** Under which name the verdict on a persistent instance counts in a digest, beside an ephemeral one of its key. */
export function probed(key: InstanceKey): string {
  return `probed ${key}`;
}
