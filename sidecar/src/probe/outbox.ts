import { TARGETS_MAX } from '@nacos-kube/core/probe/machine.ts';
import { type ProbeTarget, type ProbeVerdict, type TargetId, targetId } from '@nacos-kube/core/probe/target.ts';

/** Verdicts that the node has not taken yet: of each target the latest. */
export class Outbox {
  readonly #verdicts = new Map<TargetId, ProbeVerdict>();
  /** Verdicts that found no place; the next probe of their target makes them again. */
  dropped = 0;

  put(verdict: ProbeVerdict): void {
    const id = targetId(verdict);
    if (!this.#verdicts.has(id) && this.#verdicts.size >= TARGETS_MAX) this.dropped++;
    else this.#verdicts.set(id, verdict);
  }

  /** The target as the node will show it once it has what waits. */
  expected(target: ProbeTarget): ProbeTarget {
    const healthy = this.#verdicts.get(targetId(target))?.healthy;
    return healthy === undefined || healthy === target.healthy ? target : { ...target, healthy };
  }

  /** The oldest ones; they stay until they are taken. */
  first(count: number): readonly ProbeVerdict[] {
    return this.#verdicts.values().take(count).toArray();
  }

  /** The node has these; what was said about the same targets since then stays. */
  taken(verdicts: readonly ProbeVerdict[]): void {
    for (const verdict of verdicts) {
      if (this.#verdicts.get(targetId(verdict)) === verdict) this.#verdicts.delete(targetId(verdict));
    }
  }

  clear(): void {
    this.#verdicts.clear();
  }

  get size(): number {
    return this.#verdicts.size;
  }
}
