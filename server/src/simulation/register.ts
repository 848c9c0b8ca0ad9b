/**
 * Whether what several callers saw of one register can have happened one operation after the other, each at a moment
 * between its call and its answer (linearizability), by the search of Wing and Gong with the states it has been in. No
 * value may be written twice.
 */
export interface RegisterOperation {
  readonly startMs: number;
  /** Infinite: no answer came, so it took effect at any later time, or never. */
  readonly endMs: number;
  readonly what:
    | { readonly kind: 'write'; readonly value: string }
    /** It found the first and left the second. */
    | { readonly kind: 'swap'; readonly from: string; readonly value: string }
    | { readonly kind: 'read'; readonly value: string | undefined };
}

/** More states than this are not looked at; a history of the simulation needs a few hundred. */
export const STATES_MAX = 1_000_000;

/** Undefined when it can; else what cannot have happened. */
export function registerProblem(history: readonly RegisterOperation[]): string | undefined {
  const operations = relevant(history).sort((one, other) => one.startMs - other.startMs);
  const search = new Search(operations);
  if (search.run()) return undefined;
  return `no order explains it, stuck at: ${search.stuckAt.map(described).join('; ')}`;
}

/** What nobody answered for and nobody saw may as well never have been. */
function relevant(history: readonly RegisterOperation[]): RegisterOperation[] {
  const seen = new Set<string | undefined>();
  for (const { what } of history) seen.add(what.kind === 'read' ? what.value : what.kind === 'swap' ? what.from : '');
  return history.filter(({ endMs, what }) => Number.isFinite(endMs) || (what.kind !== 'read' && seen.has(what.value)));
}

class Search {
  readonly #operations: readonly RegisterOperation[];
  readonly #left: Set<number>;
  readonly #tried = new Set<string>();
  #most = -1;
  /** What was next where the search got furthest. */
  stuckAt: readonly RegisterOperation[] = [];

  constructor(operations: readonly RegisterOperation[]) {
    this.#operations = operations;
    this.#left = new Set(operations.keys());
  }

  run(): boolean {
    return this.#from(undefined);
  }

  #from(value: string | undefined): boolean {
    const left = [...this.#left];
    // What got no answer need not have happened.
    if (left.every((index) => !Number.isFinite(this.#operations[index]!.endMs))) return true;
    const state = `${value}|${left.join()}`;
    if (this.#tried.has(state)) return false;
    if (this.#tried.size >= STATES_MAX) throw new Error(`a history needs more than ${STATES_MAX} states`);
    this.#tried.add(state);
    const firstEndMs = Math.min(...left.map((index) => this.#operations[index]!.endMs));
    const next = left.filter((index) => this.#operations[index]!.startMs <= firstEndMs);
    this.#noteDepth(next);
    for (const index of next) {
      const after = resultOf(this.#operations[index]!, value);
      if (after === 'impossible') continue;
      this.#left.delete(index);
      if (this.#from(after.value)) return true;
      this.#left.add(index);
    }
    return false;
  }

  #noteDepth(next: readonly number[]): void {
    const depth = this.#operations.length - this.#left.size;
    if (depth <= this.#most) return;
    this.#most = depth;
    this.stuckAt = next.map((index) => this.#operations[index]!);
  }
}

function resultOf(
  { what }: RegisterOperation,
  value: string | undefined,
): { value: string | undefined } | 'impossible' {
  switch (what.kind) {
    case 'write':
      return { value: what.value };
    case 'swap':
      return value === what.from ? { value: what.value } : 'impossible';
    case 'read':
      return value === what.value ? { value } : 'impossible';
  }
}

function described({ startMs, endMs, what }: RegisterOperation): string {
  const when = `${(startMs / 1_000).toFixed(3)} to ${(endMs / 1_000).toFixed(3)} s`;
  return `${what.kind} ${what.kind === 'swap' ? `${what.from} > ` : ''}${what.value} (${when})`;
}
