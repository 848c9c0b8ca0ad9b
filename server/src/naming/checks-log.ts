import { type ProbeTarget, sameTarget, type TargetId, targetId } from '@nacos-kube/core/probe/target.ts';
import type { TargetChanges, TargetsKnown } from '@nacos-kube/core/probe/target-changes.ts';

/** Removals that are remembered; who knows only what was before them is told everything anew. */
export const REMOVALS_MAX = 20_000;
/** A page ends after so much, for what a check consists of is as long as its user likes. */
export const PAGE_CHARS_MAX = 1_000_000;

interface Entry {
  readonly version: number;
  /** Undefined: removed. */
  readonly target: ProbeTarget | undefined;
}

interface Change {
  readonly id: TargetId;
  readonly version: number;
}

/** The targets of this node in the order of their last change, so that whoever follows asks for what came since. */
export class TargetLog {
  readonly #epoch: string;
  readonly #pageMax: number;
  readonly #entries = new Map<TargetId, Entry>();
  /** By version; what was changed again since is stale here. */
  #order: Change[] = [];
  #version = 0;
  #removals = 0;
  /** Removals up to this version are forgotten. */
  #forgotten = 0;

  /** `epoch` names this run: versions of another one mean nothing. */
  constructor(epoch: string, pageMax: number) {
    this.#epoch = epoch;
    this.#pageMax = pageMax;
  }

  get size(): number {
    return this.#entries.size - this.#removals;
  }

  get(id: TargetId): ProbeTarget | undefined {
    return this.#entries.get(id)?.target;
  }

  put(target: ProbeTarget): void {
    const id = targetId(target);
    const known = this.#entries.get(id);
    if (known?.target !== undefined && sameTarget(known.target, target)) return;
    if (known !== undefined && known.target === undefined) this.#removals--;
    this.#write(id, target);
  }

  remove(id: TargetId): void {
    if (this.#entries.get(id)?.target === undefined) return;
    this.#removals++;
    this.#write(id, undefined);
  }

  /** The next page for who knows that much. */
  changesSince({ epoch, version, base }: TargetsKnown): TargetChanges {
    const isFresh = epoch !== this.#epoch || Math.max(version, base) < this.#forgotten || version > this.#version;
    const from = isFresh ? 0 : version;
    const since = isFresh ? this.#version : base;
    const put: ProbeTarget[] = [];
    const removed: TargetId[] = [];
    let [told, chars] = [from, 0];
    let isMore = false;
    for (let at = this.#after(from); at < this.#order.length; at++) {
      const { id, version: changed } = this.#order[at] as Change;
      const entry = this.#entries.get(id);
      if (entry?.version !== changed) continue;
      isMore = put.length + removed.length >= this.#pageMax || chars > PAGE_CHARS_MAX;
      if (isMore) break;
      chars += entry.target === undefined ? 0 : charsOf(entry.target);
      if (entry.target !== undefined) put.push(entry.target);
      // What was removed before everything was told was never told.
      else if (changed > since) removed.push(id);
      told = changed;
    }
    return {
      epoch: this.#epoch,
      version: isMore ? told : this.#version,
      base: since,
      ...{ isFresh, put, removed, isMore, count: this.size },
    };
  }

  #write(id: TargetId, target: ProbeTarget | undefined): void {
    this.#version++;
    this.#entries.set(id, { version: this.#version, target });
    this.#order.push({ id, version: this.#version });
    if (this.#removals > REMOVALS_MAX) this.#forgetRemovals();
    else if (this.#order.length > 2 * this.#entries.size + REMOVALS_MAX) this.#compact();
  }

  /** The older half of them. */
  #forgetRemovals(): void {
    let left = this.#removals - REMOVALS_MAX / 2;
    for (const { id, version } of this.#order) {
      if (left === 0) break;
      const entry = this.#entries.get(id);
      if (entry?.version !== version || entry.target !== undefined) continue;
      this.#entries.delete(id);
      this.#removals--;
      this.#forgotten = version;
      left--;
    }
    this.#compact();
  }

  #compact(): void {
    this.#order = this.#order.filter(({ id, version }) => this.#entries.get(id)?.version === version);
  }

  /** Where the changes after a version begin. */
  #after(version: number): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#order[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Of the texts that users chose. */
function charsOf({ check }: ProbeTarget): number {
  switch (check.kind) {
    case 'TCP':
      return 0;
    case 'HTTP':
      return check.path.length + check.headers.length;
    case 'MYSQL':
      return check.user.length + check.password.length + check.command.length;
  }
}
