import type { Host } from '@nacos-kube/core/host/host.ts';
import type { Revision } from '../store.ts';
import type { RedisCalls } from './calls.ts';
import type { RedisConnection } from './connection.ts';
import type { RedisLink } from './link.ts';
import { type ChangeEntry, revisionOf } from './rows.ts';

/** Redis answers at once when there is something, and after so long when there is nothing. */
const BLOCK_MS = 5000;
const ANSWERS_WITHIN_MS = BLOCK_MS + 3000;
/** So many changes within so long are one hint. */
const PAUSE_MS = 10;
const AFTER_FAILURE_MS = 1000;

type Read = readonly [readonly [stream: string, entries: readonly ChangeEntry[]]] | null;

/**
 * Waits behind the changes that were read, on a connection of its own, which such waiting holds up. One entry is enough
 * to know that there are more; who is told reads them.
 */
export class ChangeWatch {
  readonly #host: Host;
  readonly #link: RedisLink;
  readonly #stream: string;
  readonly #run: () => void;
  #isRunning = false;
  #reached: Revision = 0;

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

  /** All up to here was read. */
  reached(revision: Revision): void {
    this.#reached = revision;
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
    ).then(([newest]) => (newest === undefined ? 0 : revisionOf(newest[0])));
    const server = this.#link.address;
    this.#run();
    while (this.#isRunning && this.#link.address === server) {
      const wait = ['COUNT', 1, 'BLOCK', BLOCK_MS, 'STREAMS', this.#stream, `${Math.max(last, this.#reached)}-0`];
      const read = await this.#ask<Read>((connection) => connection.command('XREAD', ...wait));
      if (read === null) continue;
      // Told once, also when nobody reads.
      last = revisionOf(read[0][1][0]![0]);
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
