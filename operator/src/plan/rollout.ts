/** So long all others must have been ready before the next member is replaced. */
export const ROLL_SETTLE_MS = 10_000;

export interface RolloutPod {
  readonly name: string;
  readonly uid: string;
  readonly ordinal: number;
  readonly isReady: boolean;
  /** Since when it is ready. */
  readonly readySinceMs: number | undefined;
  readonly isTerminating: boolean;
  /** It is about to go; one whose machine is gone never does, and nothing is to wait for that. */
  readonly isStopping: boolean;
  readonly isOutdated: boolean;
}

export interface RolloutFacts {
  readonly replicas: number;
  readonly pods: readonly RolloutPod[];
  /** Members that were asked contradict each other or the list. */
  readonly isSplit: boolean;
  readonly nowMs: number;
}

export type RolloutPlan<T extends RolloutPod = RolloutPod> =
  | { readonly kind: 'done' }
  | { readonly kind: 'wait'; readonly why: string; readonly recheckMs: number }
  | { readonly kind: 'replace'; readonly pod: T };

/**
 * One member at a time, the highest ordinal first. A pod that serves nobody is replaced without waiting for the others,
 * else a broken image could never be corrected; still only one at a time.
 */
export function planRollout({ replicas, pods, isSplit, nowMs }: RolloutFacts): RolloutPlan {
  const outdated = pods.filter((pod) => pod.isOutdated).sort((a, b) => b.ordinal - a.ordinal);
  if (outdated.length === 0) return { kind: 'done' };
  const leaving = pods.find((pod) => pod.isStopping);
  if (leaving) return { kind: 'wait', why: `${leaving.name} is stopping`, recheckMs: 5_000 };

  const broken = outdated.find((pod) => !pod.isReady && !pod.isTerminating);
  if (broken) return { kind: 'replace', pod: broken };

  const next = outdated.find((pod) => !pod.isTerminating);
  if (next === undefined) return { kind: 'wait', why: 'a pod does not stop', recheckMs: 10_000 };
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    if (ordinal === next.ordinal) continue;
    const other = pods.find((pod) => pod.ordinal === ordinal);
    if (!other?.isReady) return { kind: 'wait', why: `member ${ordinal} is not ready`, recheckMs: 5_000 };
    const settledMs = nowMs - (other.readySinceMs ?? nowMs);
    if (settledMs < ROLL_SETTLE_MS) {
      return { kind: 'wait', why: `${other.name} has just become ready`, recheckMs: ROLL_SETTLE_MS - settledMs };
    }
  }
  if (isSplit) return { kind: 'wait', why: 'the members disagree about who is one', recheckMs: 5_000 };
  return { kind: 'replace', pod: next };
}
