/**
 * Judges what several callers saw of registers, one for each key: is there one order of all operations, in keeping with
 * the times at which they were called and answered, in which each of them saw what it must have seen? The search is that
 * of Wing and Gong with the memory of Lowe: states that led nowhere are not entered again. It ends at a bound.
 *
 * Two kinds of reads. One of the truth takes effect between its call and its answer. One of a copy may see an older state,
 * but never one that has not been, and what one session has seen or has been told of (F11) its later reads do not undo.
 */
export type RegisterOperation = RegisterWrite | RegisterSwap | RegisterRead;

interface Operation {
  readonly key: string;
  /** Reads of copies go forward within one: a node, between its start and its end. */
  readonly session: string;
  /** Times of one clock that never goes back. */
  readonly calledAt: number;
}

export interface RegisterWrite extends Operation {
  readonly kind: 'write';
  /** Null removes. */
  readonly value: string | null;
  /** Undefined: nobody knows whether it took effect, or it may still do so. */
  readonly answeredAt: number | undefined;
}

export interface RegisterSwap extends Operation {
  readonly kind: 'swap';
  /** Written only where this stood. */
  readonly expected: string | null;
  readonly value: string | null;
  /** False: it was told that something else stood. Means nothing without an answer. */
  readonly isDone: boolean;
  readonly answeredAt: number | undefined;
}

/** One that failed says nothing and is left out. */
export interface RegisterRead extends Operation {
  readonly kind: 'read';
  readonly of: 'truth' | 'copy';
  readonly value: string | null;
  readonly answeredAt: number;
}

export type RegisterVerdict =
  | { readonly outcome: 'holds' }
  | { readonly outcome: 'violated'; readonly why: string }
  /** The bound was met first. */
  | { readonly outcome: 'undecided'; readonly why: string };

export const STATES_MAX = 50_000;

/** What is wrong, of all keys; empty when nothing is. A key that could not be decided counts as wrong. */
export function registerViolations(operations: readonly RegisterOperation[], statesMax = STATES_MAX): string[] {
  const byKey = Map.groupBy(operations, ({ key }) => key);
  return [...byKey].flatMap(([key, own]) => {
    const verdict = judgeRegister(own, statesMax);
    return verdict.outcome === 'holds' ? [] : [`${key}: ${verdict.why}`];
  });
}

/** Of one key, which holds nothing at first. */
export function judgeRegister(operations: readonly RegisterOperation[], statesMax = STATES_MAX): RegisterVerdict {
  const unwritten = readsOfNothingWritten(operations);
  if (unwritten !== undefined) return { outcome: 'violated', why: `${told(unwritten)} was never written` };
  const whole = new Search(operations).run(statesMax);
  return whole === 'holds' ? { outcome: whole } : firstThatDoesNotHold(operations, statesMax);
}

/** The shortest beginning without an order says best what is wrong: its last answer. */
function firstThatDoesNotHold(operations: readonly RegisterOperation[], statesMax: number): RegisterVerdict {
  const answers = operations.map(({ answeredAt }) => answeredAt).filter((at) => at !== undefined);
  answers.sort((a, b) => a - b);
  const judge = (count: number) => new Search(untilTime(operations, answers[count - 1]!)).run(statesMax);
  let [holding, failing] = [0, answers.length];
  while (failing - holding > 1) {
    const middle = (holding + failing) >> 1;
    if (judge(middle) === 'holds') holding = middle;
    else failing = middle;
  }
  const last = operations.find(({ answeredAt }) => answeredAt === answers[failing - 1]);
  const which = `${last === undefined ? 'nothing' : told(last)}, with ${failing} of ${answers.length} answers`;
  if (judge(failing) === 'violated') return { outcome: 'violated', why: `${which}, fits no order` };
  return { outcome: 'undecided', why: `${which}: no order was found among ${statesMax} states` };
}

/** What was known at that time. */
function untilTime(operations: readonly RegisterOperation[], at: number): readonly RegisterOperation[] {
  return operations.flatMap((operation): readonly RegisterOperation[] => {
    if (operation.answeredAt !== undefined && operation.answeredAt <= at) return [operation];
    return operation.kind === 'read' || operation.calledAt > at ? [] : [{ ...operation, answeredAt: undefined }];
  });
}

function readsOfNothingWritten(operations: readonly RegisterOperation[]): RegisterRead | undefined {
  const written = new Set<string | null>([null]);
  for (const operation of operations) if (operation.kind !== 'read') written.add(operation.value);
  return operations.find((operation): operation is RegisterRead => {
    return operation.kind === 'read' && !written.has(operation.value);
  });
}

/** One operation that was placed, and how to go back behind it. */
interface Step {
  /** All that were placed: a change and the reads that fitted after it. */
  readonly placed: readonly number[];
  readonly valueBefore: string | null;
  /** Changes that can come next and were not tried yet. */
  readonly untried: number[];
}

const UNNOTICED = Symbol('any value that nobody saw');

class Search {
  readonly #operations: readonly RegisterOperation[];
  readonly #answeredAt: readonly number[];
  readonly #isPlaced: Uint8Array;
  readonly #visited = new Set<string>();
  /** Values that some operation tells apart from all others. */
  readonly #noticed = new Set<string | null>();
  #value: string | null = null;
  #placed = 0;
  /** Operations that need no place: those without an answer. */
  readonly #optional: number;

  constructor(operations: readonly RegisterOperation[]) {
    this.#operations = operations.toSorted((a, b) => a.calledAt - b.calledAt);
    this.#answeredAt = this.#operations.map(({ answeredAt }) => answeredAt ?? Number.POSITIVE_INFINITY);
    this.#isPlaced = new Uint8Array(operations.length);
    for (const one of operations) {
      if (one.kind !== 'write') this.#noticed.add(one.kind === 'swap' ? one.expected : one.value);
    }
    this.#optional = this.#answeredAt.filter((at) => at === Number.POSITIVE_INFINITY).length;
  }

  run(statesMax: number): RegisterVerdict['outcome'] {
    const steps: Step[] = [this.#step([])];
    for (;;) {
      if (this.#isWhole()) return 'holds';
      if (this.#visited.size > statesMax) return 'undecided';
      const step = steps.at(-1)!;
      const next = step.untried.pop();
      if (next === undefined) {
        steps.pop();
        if (steps.length === 0) return 'violated';
        this.#undo(step);
        continue;
      }
      const valueBefore = this.#value;
      this.#place(next);
      this.#value = valueAfter(this.#operations[next]!, valueBefore);
      const entered = this.#step([next], valueBefore);
      if (this.#isKnown()) this.#undo(entered);
      else steps.push(entered);
    }
  }

  /** Reads that fit are placed at once: that forbids nothing that would be possible later. */
  #step(first: readonly number[], valueBefore: string | null = this.#value): Step {
    const placed = [...first];
    let next: number[];
    for (;;) {
      next = this.#enabled();
      const reads = next.filter((i) => changesNothing(this.#operations[i]!) && this.#fits(i));
      if (reads.length === 0) break;
      for (const i of reads) this.#place(i);
      placed.push(...reads);
    }
    // The one called first is the likeliest, and is taken from the end.
    const untried = next.filter((i) => !changesNothing(this.#operations[i]!) && this.#fits(i)).reverse();
    return { placed, valueBefore, untried: this.#worthTrying(untried, next) };
  }

  /**
   * What nobody answered may be left out, so it has a place only right before an operation that needs it; and of those
   * that do the same, one stands for all.
   */
  #worthTrying(untried: readonly number[], enabled: readonly number[]): number[] {
    const stoodFor = new Set<string | null | typeof UNNOTICED>();
    return untried.filter((i) => {
      if (this.#answeredAt[i] !== Number.POSITIVE_INFINITY) return true;
      const operation = this.#operations[i]!;
      if (!enabled.some((j) => j !== i && needs(this.#operations[j]!, operation.value, this.#value))) return false;
      if (operation.kind !== 'write') return true;
      const value = this.#noticed.has(operation.value) ? operation.value : UNNOTICED;
      if (stoodFor.has(value)) return false;
      stoodFor.add(value);
      return true;
    });
  }

  #place(i: number): void {
    this.#isPlaced[i] = 1;
    this.#placed += 1;
  }

  #undo({ placed, valueBefore }: Step): void {
    for (const i of placed) this.#isPlaced[i] = 0;
    this.#placed -= placed.length;
    this.#value = valueBefore;
  }

  /** Those that nothing unplaced has to precede. */
  #enabled(): number[] {
    let firstAnswer = Number.POSITIVE_INFINITY;
    const firstAnswers = new Map<string, number>();
    for (const [i, operation] of this.#operations.entries()) {
      if (this.#isPlaced[i] === 1) continue;
      const answeredAt = this.#answeredAt[i]!;
      firstAnswer = Math.min(firstAnswer, answeredAt);
      if (passesCopyBy(operation)) continue;
      const { session } = operation;
      firstAnswers.set(session, Math.min(firstAnswers.get(session) ?? Number.POSITIVE_INFINITY, answeredAt));
    }
    const enabled: number[] = [];
    for (const [i, operation] of this.#operations.entries()) {
      if (this.#isPlaced[i] === 1) continue;
      const isCopy = operation.kind === 'read' && operation.of === 'copy';
      if (operation.calledAt <= (isCopy ? firstAnswers.get(operation.session)! : firstAnswer)) enabled.push(i);
    }
    return enabled;
  }

  #fits(i: number): boolean {
    const operation = this.#operations[i]!;
    switch (operation.kind) {
      case 'write':
        return true;
      case 'read':
        return operation.value === this.#value;
      case 'swap':
        return isRefused(operation) ? operation.expected !== this.#value : operation.expected === this.#value;
    }
  }

  #isKnown(): boolean {
    const state = `${Buffer.from(this.#isPlaced).toString('latin1')}${this.#value === null ? '-' : `=${this.#value}`}`;
    if (this.#visited.has(state)) return true;
    this.#visited.add(state);
    return false;
  }

  #isWhole(): boolean {
    if (this.#placed < this.#operations.length - this.#optional) return false;
    return this.#answeredAt.every((at, i) => at === Number.POSITIVE_INFINITY || this.#isPlaced[i] === 1);
  }
}

/** Whether it fits where this value stands, and not where the other does. */
function needs(operation: RegisterOperation, value: string | null, other: string | null): boolean {
  if (operation.kind === 'write') return false;
  if (operation.kind === 'read') return operation.value === value;
  return isRefused(operation) ? operation.expected === other : operation.expected === value;
}

function changesNothing(operation: RegisterOperation): boolean {
  return operation.kind === 'read' || isRefused(operation);
}

/** The copy of a session learns nothing by reads of the truth, nor by what was refused. */
function passesCopyBy(operation: RegisterOperation): boolean {
  return operation.kind === 'read' ? operation.of === 'truth' : isRefused(operation);
}

function isRefused(operation: RegisterOperation): boolean {
  return operation.kind === 'swap' && operation.answeredAt !== undefined && !operation.isDone;
}

function valueAfter(operation: RegisterOperation, before: string | null): string | null {
  return changesNothing(operation) ? before : operation.value;
}

function told(operation: RegisterOperation): string {
  const { kind, session, calledAt, answeredAt, value } = operation;
  const name = operation.kind === 'read' ? `read of the ${operation.of}` : isRefused(operation) ? 'refused swap' : kind;
  const answered = answeredAt === undefined ? 'no answer' : `answered ${Math.round(answeredAt)}`;
  return `${name} ${shown(value)} by ${session} (called ${Math.round(calledAt)}, ${answered})`;
}

function shown(value: string | null): string {
  return value === null ? 'nothing' : JSON.stringify(value.slice(0, 60));
}
