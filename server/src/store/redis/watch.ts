import type { Host } from '@nacos-kube/core/host/host.ts';
import type { RedisCalls } from './calls.ts';
import type { RedisConnection } from './connection.ts';
import type { RedisLink } from './link.ts';
import type { ChangeEntry } from './rows.ts';

/** Redis answers at once when there is something, and after so long when there is nothing. */
const BLOCK_MS = 5000;
const ANSWERS_WITHIN_MS = BLOCK_MS + 3000;
/** So many changes within so long are one hint. */
const PAUSE_MS = 10;
const ENTRIES_MAX = 1000;
const AFTER_FAILURE_MS = 1000;

type Read = readonly [readonly [stream: string, entries: readonly ChangeEntry[]]] | null;

/** Waits at the end of the stream of changes, on a connection of its own, which such waiting holds up. */
export class ChangeWatch {
  readonly #host: Host;
  readonly #link: RedisLink;
  readonly #stream: string;
  readonly #run: () => void;
  #isRunning = false;

  constructor(host: Host, link: RedisLink, calls: RedisCalls, run: () => void) {
    this.#host = host;
    this.#link = link;
    this.#stream = calls.keyOf('changes');
    this.#run = run;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#link.open();
    this.#host.background('watch the changes in Redis', this.#watch());
  }

  stop(): void {
    this.#isRunning = false;
    this.#link.close();
  }

  async #watch(): Promise<void> {
    while (this.#isRunning) {
      try {
        await this.#watchOne();
      } catch {
        // The link says what is wrong; followers ask by themselves meanwhile.
        if (this.#isRunning) await this.#host.clock.sleep(AFTER_FAILURE_MS);
      }
    }
  }

  /** Until the connection ends: another server may be at another end. */
  async #watchOne(): Promise<void> {
    let last = await this.#ask<readonly ChangeEntry[]>((connection) =>
      connection.command('XREVRANGE', this.#stream, '+', '-', 'COUNT', 1),
    ).then(([newest]) => newest?.[0] ?? '0-0');
    const server = this.#link.address;
    this.#run();
    while (this.#isRunning && this.#link.address === server) {
      const wait = ['COUNT', ENTRIES_MAX, 'BLOCK', BLOCK_MS, 'STREAMS', this.#stream, last];
      const read = await this.#ask<Read>((connection) => connection.command('XREAD', ...wait));
      if (read === null) continue;
      last = read[0][1].at(-1)![0];
      this.#run();
      await this.#host.clock.sleep(PAUSE_MS);
    }
  }

  #ask<T>(send: (connection: RedisConnection) => Promise<unknown>): Promise<T> {
    // As a write, it is not sent again over another connection, where the end of the stream may be elsewhere.
    return this.#link.call({
      isWrite: true,
      withinMs: ANSWERS_WITHIN_MS,
      send: (connection) => send(connection) as Promise<T>,
    });
  }
}
