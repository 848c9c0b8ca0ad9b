import { type ProbeTarget, type TargetId, targetId } from './target.ts';

/** How far somebody knows the targets of a node. */
export interface TargetsKnown {
  /** Of the run of the node that the version is of; empty: nothing is known. */
  readonly epoch: string;
  readonly version: number;
  /** The version that the node had when it began to tell everything: what was removed before it was never told. */
  readonly base: number;
}

export const NO_TARGETS_KNOWN: TargetsKnown = { epoch: '', version: 0, base: 0 };

/** A page of what has changed since a version. */
export interface TargetChanges extends TargetsKnown {
  /** What was known before is of no use: this is the first page of everything. */
  readonly isFresh: boolean;
  readonly put: readonly ProbeTarget[];
  readonly removed: readonly TargetId[];
  /** More is to be asked for at once. */
  readonly isMore: boolean;
  /** Targets that there are by now. */
  readonly count: number;
}

export interface TargetSink {
  put(target: ProbeTarget): void;
  remove(id: TargetId): void;
}

/** Follows the targets of a node page by page. What it still has when everything was told anew keeps its counters. */
export class TargetFollower {
  readonly #sink: TargetSink;
  readonly #ids = new Set<TargetId>();
  #known = NO_TARGETS_KNOWN;
  #isForgotten = false;
  /** While everything is told anew: what has not been told yet. */
  #untold: Set<TargetId> | undefined;

  constructor(sink: TargetSink) {
    this.#sink = sink;
  }

  get known(): TargetsKnown {
    return this.#isForgotten ? NO_TARGETS_KNOWN : this.#known;
  }

  take(changes: TargetChanges): void {
    if (changes.isFresh) {
      this.#isForgotten = false;
      this.#untold = new Set(this.#ids);
    }
    for (const target of changes.put) {
      const id = targetId(target);
      this.#ids.add(id);
      this.#untold?.delete(id);
      this.#sink.put(target);
    }
    for (const id of changes.removed) this.#remove(id);
    this.#known = { epoch: changes.epoch, version: changes.version, base: changes.base };
    if (changes.isMore) return;
    for (const id of this.#untold ?? []) this.#remove(id);
    this.#untold = undefined;
    // What cannot be is found out by counting, and told anew.
    if (changes.count !== this.#ids.size) this.forgetVersion();
  }

  /** Asks for everything the next time; what it has stays until then. */
  forgetVersion(): void {
    this.#isForgotten = true;
  }

  clear(): void {
    this.forgetVersion();
    this.#untold = undefined;
    this.#ids.clear();
  }

  #remove(id: TargetId): void {
    this.#ids.delete(id);
    this.#untold?.delete(id);
    this.#sink.remove(id);
  }
}
