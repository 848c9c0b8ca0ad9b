import type { Host } from './host/host.ts';

/** One part of a program, with what it does at each turn of its life. */
export interface Part {
  readonly name: string;
  start?(): Promise<void> | void;
  /** Says why this part is not ready yet, or undefined when it is: ready is computed, never set. */
  notReadyReason?(): string | undefined;
  /** Unready already: answer what is held, hand over, flush. Called in order of start. */
  drain?(): Promise<void> | void;
  /** Called in reverse order of start. */
  stop?(): Promise<void> | void;
}

export const DRAIN_DEADLINE_MS = 20_000;
export const STOP_DEADLINE_MS = 10_000;

/**
 * Starts parts in order and stops them in reverse. States: new > starting > running > draining > stopped;
 * a start that fails stops what had started and leaves `stopped`.
 */
export class Lifecycle {
  readonly #host: Host;
  readonly #parts: Part[] = [];
  readonly #started: Part[] = [];
  #state: 'new' | 'starting' | 'running' | 'draining' | 'stopped' = 'new';
  #draining: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  add(part: Part): void {
    if (this.#state !== 'new') throw new Error(`part ${part.name} was added after the start`);
    this.#parts.push(part);
  }

  get state(): string {
    return this.#state;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`cannot start: already ${this.#state}`);
    this.#state = 'starting';
    for (const part of this.#parts) {
      if (this.#state !== 'starting') return; // a stop came in between; it unwinds
      try {
        this.#started.push(part);
        await part.start?.();
      } catch (cause) {
        this.#started.pop();
        await this.#stopParts();
        this.#state = 'stopped';
        throw new Error(`${part.name} did not start: ${(cause as Error).message}`, { cause });
      }
    }
    if (this.#state === 'starting') this.#state = 'running';
  }

  /** Reasons why the program is not ready, in order of start; empty means ready. */
  notReadyReasons(): readonly string[] {
    if (this.#state !== 'running') return [`the node is ${this.#state}`];
    return this.#parts.flatMap((part) => {
      const reason = part.notReadyReason?.();
      return reason === undefined ? [] : [`${part.name}: ${reason}`];
    });
  }

  isReady(): boolean {
    return this.notReadyReasons().length === 0;
  }

  /** Not ready from now on, and nothing held or unflushed any more once it resolves; what runs keeps running. */
  drain(): Promise<void> {
    this.#draining ??= this.#drainParts();
    return this.#draining;
  }

  /** Drains, then stops; safe to call more than once and while starting. */
  stop(): Promise<void> {
    this.#stopping ??= this.#drainAndStop();
    return this.#stopping;
  }

  async #drainAndStop(): Promise<void> {
    if (this.#state === 'stopped') return;
    await this.drain();
    await this.#stopParts();
    this.#state = 'stopped';
  }

  async #drainParts(): Promise<void> {
    this.#state = 'draining';
    for (const part of this.#started) {
      await this.#within(DRAIN_DEADLINE_MS, 'drain', part, async () => part.drain?.());
    }
  }

  async #stopParts(): Promise<void> {
    for (const part of this.#started.splice(0).reverse()) {
      await this.#within(STOP_DEADLINE_MS, 'stop', part, async () => part.stop?.());
    }
  }

  /** A part that fails or hangs at the end must not keep the others from ending. */
  async #within(deadlineMs: number, what: string, part: Part, run: () => Promise<void>): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const timer = this.#host.clock.after(deadlineMs, () => resolve('late'));
    try {
      const ended = await Promise.race([run(), late]);
      if (ended === 'late') this.#host.log.warn(`${what} of ${part.name} took over ${deadlineMs} ms, going on`);
    } catch (error) {
      this.#host.log.error(`${what} of ${part.name} failed`, { error });
    } finally {
      timer.cancel();
    }
  }
}
