/**
 * Writers that publish without end, each to keys of its own, and remember what was acknowledged: what a key may hold
 * afterwards follows from that alone. At a `turn` they go on to fresh keys, so that no later write hides a lost one.
 */
import { randomInt } from 'node:crypto';
import { delay } from '../kubernetes/processes.ts';

/** What one key was given: contents are the numbers of the attempts. */
export interface KeyHistory {
  readonly dataId: string;
  attempted: number;
  /** 0: none yet. */
  acknowledged: number;
}

export interface PublishStreamOptions {
  /** Base URLs, each with the context path; every attempt goes to one of them by chance. */
  readonly servers: readonly string[];
  readonly writers?: number;
  readonly keysPerWriter?: number;
}

const GROUP = 'KILL';
/** A node that lives answers by then. Where this passes nobody knows whether the write comes later, so it is a failure. */
const ANSWER_MS_MAX = 30_000;
const PAUSE_MS = 2;
const FAILURES_KEPT_MAX = 20;

export class PublishStream {
  /** Of all turns. */
  readonly keys: KeyHistory[] = [];
  readonly #servers: readonly string[];
  readonly #writers: Promise<void>[];
  readonly failures: string[] = [];
  acknowledged = 0;
  failed = 0;
  #turn = 0;
  #isStopped = false;
  #broken: Error | undefined;

  constructor({ servers, writers = 6, keysPerWriter = 5 }: PublishStreamOptions) {
    this.#servers = servers;
    this.#writers = Array.from({ length: writers }, (_, writer) => this.#write(writer, keysPerWriter));
  }

  /** What was written so far is left as it is from here on, but for attempts that are under way. */
  turn(): void {
    this.#turn += 1;
  }

  /** Resolves after so many further acknowledgements; rejects when there are none for too long. */
  async progress(count: number, withinMs = 60_000): Promise<void> {
    const wanted = this.acknowledged + count;
    const deadline = performance.now() + withinMs;
    while (this.acknowledged < wanted) {
      if (this.#broken) throw this.#broken;
      if (performance.now() > deadline)
        throw new Error(`${count} publishes were not acknowledged within ${withinMs} ms: ${this.failures.join('; ')}`);
      await delay(10);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
    if (this.#broken) throw this.#broken;
  }

  async #write(writer: number, keyCount: number): Promise<void> {
    while (!this.#isStopped) {
      const turn = this.#turn;
      const keys = Array.from({ length: keyCount }, (_, i) => this.#fresh(`turn-${turn}.writer-${writer}.key-${i}`));
      for (let i = 0; turn === this.#turn && !this.#isStopped && !this.#broken; i += 1) {
        await this.#publish(keys[i % keyCount]!);
        await delay(PAUSE_MS);
      }
      if (this.#broken) return;
    }
  }

  #fresh(dataId: string): KeyHistory {
    const key = { dataId, attempted: 0, acknowledged: 0 };
    this.keys.push(key);
    return key;
  }

  /** One attempt at a time per key, so that a later content is a newer one. */
  async #publish(key: KeyHistory): Promise<void> {
    key.attempted += 1;
    const server = this.#servers[randomInt(this.#servers.length)]!;
    try {
      const response = await fetch(`${server}/v1/cs/configs`, {
        method: 'POST',
        body: new URLSearchParams({ dataId: key.dataId, group: GROUP, content: `${key.attempted}` }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      const text = await response.text();
      if (response.status !== 200 || text !== 'true') throw new Error(`${response.status} ${text}`);
      key.acknowledged = key.attempted;
      this.acknowledged += 1;
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') this.#broken = new Error(`${server} did not answer a publish`);
      this.failed += 1;
      this.failures.push(`${server}: ${reasonOf(error)}`);
      if (this.failures.length > FAILURES_KEPT_MAX) this.failures.shift();
    }
  }
}

/** What a node gives for a key: the number of the attempt, 0 for none. */
export async function readKey(server: string, { dataId }: KeyHistory): Promise<number> {
  const response = await fetch(`${server}/v1/cs/configs?dataId=${dataId}&group=${GROUP}`, {
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  const text = await response.text();
  if (response.status === 404) return 0;
  if (response.status !== 200 || !/^\d+$/.test(text))
    throw new Error(`${server} answered a read of ${dataId} with ${response.status} ${text.slice(0, 200)}`);
  return Number(text);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
