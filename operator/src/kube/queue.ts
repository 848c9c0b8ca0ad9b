import { BackOff } from '@nacos-kube/core/back-off.ts';
import type { Host, Log, Timer } from '@nacos-kube/core/host/host.ts';

export interface QueueOptions {
  readonly name: string;
  /** Resolves with when to come back to the key anyway; rejects to be tried again after a back-off. */
  readonly work: (key: string) => Promise<{ readonly recheckMs?: number } | undefined>;
  /** Told after each turn, for metrics. */
  readonly onTurn?: (turn: { readonly key: string; readonly failed: boolean; readonly durationMs: number }) => void;
  readonly workers?: number;
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

export const WORKERS = 4;
/** More keys than a Kubernetes cluster of ours will ever have; what comes beyond is found by the next look at all. */
export const QUEUED_KEYS_MAX = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 300_000;

/**
 * Works on keys, never on one by two workers. A key is idle, waiting (for its time), ready or running; what is added
 * while it runs makes it run once more, however often it was added. Failures come back after 0.5 s, doubling up to
 * 5 min, until one turn goes well.
 */
export class WorkQueue {
  readonly #host: Host;
  readonly #options: QueueOptions;
  readonly #log: Log;
  readonly #ready = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #waiting = new Map<string, { readonly timer: Timer; readonly dueMs: number }>();
  readonly #backOffs = new Map<string, BackOff>();
  #isStopped = false;

  constructor(host: Host, options: QueueOptions) {
    this.#host = host;
    this.#options = options;
    this.#log = host.log.area(options.name);
  }

  /** Keys that are ready and not yet taken up. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Works on it as soon as a worker is free. */
  add(key: string): void {
    if (this.#isStopped) return;
    this.#unwait(key);
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    if (!this.#ready.has(key) && this.#ready.size >= QUEUED_KEYS_MAX) {
      this.#log.warn('full, a key is left to the next look at all', { key });
      return;
    }
    this.#ready.add(key);
    this.#pump();
  }

  /** Works on it in a while, or earlier when it is added meanwhile. The earliest of several times counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isStopped) return;
    const dueMs = this.#host.clock.monotonic() + delayMs;
    const waiting = this.#waiting.get(key);
    if (this.#ready.has(key) || this.#again.has(key) || (waiting && waiting.dueMs <= dueMs)) return;
    if (!waiting && this.#waiting.size >= QUEUED_KEYS_MAX) return;
    waiting?.timer.cancel();
    this.#waiting.set(key, { dueMs, timer: this.#host.clock.after(delayMs, () => this.add(key)) });
  }

  /** Takes nothing up any more and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#ready.clear();
    this.#again.clear();
    for (const { timer } of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  #pump(): void {
    const workers = this.#options.workers ?? WORKERS;
    for (const key of this.#ready) {
      if (this.#running.size >= workers) return;
      this.#ready.delete(key);
      // The turn begins after this, so that what it adds finds the key running.
      this.#running.set(
        key,
        Promise.resolve().then(() => this.#turn(key)),
      );
    }
  }

  async #turn(key: string): Promise<void> {
    const startedMs = this.#host.clock.monotonic();
    let nextMs: number | undefined;
    let failed = false;
    try {
      nextMs = (await this.#options.work(key))?.recheckMs;
      this.#backOffs.delete(key);
    } catch (error) {
      failed = true;
      nextMs = this.#backOff(key).nextMs();
      this.#log.warn(`${key} failed, trying again in ${nextMs} ms`, { error });
    }
    this.#options.onTurn?.({ key, failed, durationMs: this.#host.clock.monotonic() - startedMs });
    this.#running.delete(key);
    // What changed meanwhile is looked at now, but a failure is not repeated without its rest.
    if (this.#again.delete(key) && !failed) this.add(key);
    else if (nextMs !== undefined) this.addAfter(key, nextMs);
    this.#pump();
  }

  #backOff(key: string): BackOff {
    let backOff = this.#backOffs.get(key);
    if (!backOff) {
      const { firstRetryMs = RETRY_FIRST_MS, maxRetryMs = RETRY_MAX_MS } = this.#options;
      backOff = new BackOff(this.#host.random, firstRetryMs, maxRetryMs);
      this.#backOffs.set(key, backOff);
    }
    return backOff;
  }

  #unwait(key: string): void {
    this.#waiting.get(key)?.timer.cancel();
    this.#waiting.delete(key);
  }
}
