import { type EventOwner, EventQueue, type SimEvent } from './event-queue.ts';
import { Links } from './links.ts';
import type { Machine } from './machine.ts';
import { Prng } from './prng.ts';
import type { Trace } from './trace.ts';
import { turn } from './turn.ts';

export const PROBLEMS_MAX = 1_000;
/** More are waiting for one another without end: a loop without a delay, not a busy world. */
const EVENTS_PER_MOMENT_MAX = 100_000;

/** What all simulated things share: one time, one queue of events, one seed, the links between machines. */
export class Kernel {
  readonly startMs: number;
  readonly prng: Prng;
  readonly trace: Trace;
  readonly links: Links;
  readonly machines = new Map<string, Machine>();
  /** Names beside addresses, as a DNS would know them. */
  readonly names = new Map<string, string>();
  readonly problems: string[] = [];
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #order = 0;
  #events = 0;

  constructor(seed: number, startMs: number, trace: Trace) {
    this.prng = new Prng(`world ${seed}`);
    this.startMs = startMs;
    this.trace = trace;
    this.links = new Links(this.prng);
  }

  /** Since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#events;
  }

  schedule(delayMs: number, run: () => void, owner?: EventOwner, whenDead?: () => void): SimEvent {
    const event = { atMs: this.#nowMs + delayMs, order: this.#order++, run, owner, whenDead, cancelled: false };
    this.#queue.push(event);
    return event;
  }

  note(text: string): void {
    this.trace.add(this.#nowMs, text);
  }

  problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(text);
  }

  /** Runs what is due by then, in order; `isDone` is asked after each event and ends it early. */
  async runUntil(endMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    await turn(); // what the caller has started itself
    let momentMs = -1;
    let inMoment = 0;
    while (!isDone()) {
      const event = this.#queue.peek();
      if (event === undefined || event.atMs > endMs) {
        this.#nowMs = endMs;
        return isDone();
      }
      this.#queue.pop();
      inMoment = event.atMs === momentMs ? inMoment + 1 : 0;
      momentMs = event.atMs;
      if (inMoment > EVENTS_PER_MOMENT_MAX)
        throw new Error(`time stands still at ${momentMs} ms: a loop without delay`);
      this.#nowMs = event.atMs;
      if (this.#dispatch(event)) await turn();
    }
    return true;
  }

  /** False when no code of the simulated ran. */
  #dispatch(event: SimEvent): boolean {
    if (event.cancelled) return false;
    const { owner } = event;
    this.#events++;
    if (owner === undefined) {
      event.run();
      return true;
    }
    if (!owner.isAlive) {
      event.whenDead?.();
      return false;
    }
    if (owner.pausedUntilMs > this.#nowMs) {
      // All that waits is put back in its order, so it runs in its order when the pause is over.
      event.atMs = owner.pausedUntilMs;
      event.order = this.#order++;
      this.#queue.push(event);
      return false;
    }
    try {
      event.run();
    } catch (error) {
      owner.failed(error);
    }
    return true;
  }
}
