/**
 * Holds polls, a process of its own: `node bench/hold.ts` takes a `HoldOrder` as JSON on stdin, prints one `HoldResult`.
 * Each round publishes once and waits until every poll is answered; each of them is then asked again.
 */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { bodyOf, type Frame, frameOf } from './answer.ts';
import { percentile, rssBytes } from './machine.ts';
import { requestsFor, TRUE } from './requests.ts';
import { contentOf } from './rows.ts';
import { exchange } from './server.ts';

export interface HoldOrder {
  readonly host: string;
  readonly port: number;
  readonly contextPath: string;
  readonly prefix: string;
  readonly dataId: string;
  readonly polls: number;
  /** Addresses to call from; polls are spread over them. Null: the system's choice. */
  readonly from: readonly string[] | null;
  readonly rounds: number;
  readonly settleMs: number;
  readonly serverPid: number | null;
}

export interface HoldResult {
  readonly rounds: readonly { readonly p50Ms: number; readonly p99Ms: number; readonly lastMs: number }[];
  readonly rssBeforeBytes: number | null;
  readonly rssHeldBytes: number | null;
}

/** As clients ask. */
const HOLD_MS = 30_000;
const ROUND_MS_MAX = 20_000;
/** More would overflow the queue of connections that a server has not accepted yet. */
const CONNECTING_MAX = 200;

class Poll {
  readonly #told: (changed: string) => void;
  readonly #failed: (error: Error) => void;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);

  constructor(told: (changed: string) => void, failed: (error: Error) => void) {
    this.#told = told;
    this.#failed = failed;
  }

  connect(host: string, port: number, localAddress: string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) });
      this.#socket = socket;
      socket.once('connect', resolve);
      socket.on('error', (error) => {
        reject(error);
        this.#failed(error);
      });
      socket.on('close', () => this.#failed(new Error('the server closed the connection of a held poll')));
      socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    });
  }

  ask(request: string): void {
    this.#socket!.write(request);
  }

  close(): void {
    this.#socket?.removeAllListeners('close');
    this.#socket?.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const frame = frameOf(this.#received);
    if (frame === undefined || !isWhole(this.#received, frame)) return;
    const answer = this.#received;
    this.#received = Buffer.alloc(0);
    if (frame.status === 200) this.#told(bodyOf(answer, frame).toString());
    else this.#failed(new Error(`a poll was answered ${frame.status}`));
  }
}

function isWhole(bytes: Buffer, { length }: Frame): boolean {
  return length === undefined ? bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n')) : bytes.length >= length;
}

async function main(order: HoldOrder): Promise<HoldResult> {
  const { host, port, dataId, rounds, serverPid, settleMs } = order;
  const to = requestsFor(order.contextPath, `${host}:${port}`, order.prefix);
  const contents = Array.from({ length: rounds + 1 }, (_, round) => contentOf(`round-${round}`));
  const publish = (round: number) => exchange(order, to.publish(dataId, contents[round]!), TRUE);
  const listen = (round: number): string => to.listen(dataId, md5Of(contents[round]!), HOLD_MS);
  const expected = `${encodeURIComponent(`${order.prefix}${dataId}\u0002DEFAULT_GROUP\u0001`)}`;
  await publish(0);
  await settled(settleMs);
  const rssBeforeBytes = serverPid === null ? null : rssBytes(serverPid);

  const wave = new Wave();
  const told = (changed: string): void => {
    if (changed.trim() === expected) wave.answered();
    else wave.fail(new Error(`a poll was told ${JSON.stringify(changed)}, not ${JSON.stringify(expected)}`));
  };
  const polls = Array.from({ length: order.polls }, () => new Poll(told, (error) => wave.fail(error)));
  try {
    await connectAll(polls, order);
    for (const poll of polls) poll.ask(listen(0));
    await settled(settleMs);
    const rssHeldBytes = serverPid === null ? null : rssBytes(serverPid);
    const results: HoldResult['rounds'][number][] = [];
    for (let round = 1; round <= rounds; round++) {
      if (round > 1) {
        for (const poll of polls) poll.ask(listen(round - 1));
        await settled(settleMs);
      }
      const answered = wave.start(polls.length);
      await publish(round);
      const sorted = Float64Array.from(await answered).sort();
      results.push({ p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99), lastMs: sorted.at(-1)! });
    }
    return { rounds: results, rssBeforeBytes, rssHeldBytes };
  } finally {
    for (const poll of polls) poll.close();
  }
}

/** The answers to one publish. One that comes while none is awaited was not held, which is a failure. */
class Wave {
  #tookMs: number[] = [];
  #startedMs = 0;
  #count = 0;
  #failure: Error | undefined;
  #resolve: ((tookMs: number[]) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  start(count: number): Promise<number[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#tookMs = [];
    this.#count = count;
    const timer = setTimeout(() => {
      this.fail(new Error(`${this.#tookMs.length} of ${count} polls answered within ${ROUND_MS_MAX} ms`));
    }, ROUND_MS_MAX);
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    this.#resolve = resolve;
    this.#reject = reject;
    // A failure may come while the publish itself is awaited.
    promise.catch(() => {});
    this.#startedMs = performance.now();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#resolve = undefined;
    });
  }

  answered(): void {
    if (this.#resolve === undefined) {
      this.fail(new Error('a poll was answered before anything changed'));
      return;
    }
    this.#tookMs.push(performance.now() - this.#startedMs);
    if (this.#tookMs.length === this.#count) this.#resolve(this.#tookMs);
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject?.(error);
  }
}

async function connectAll(polls: readonly Poll[], { host, port, from }: HoldOrder): Promise<void> {
  let next = 0;
  const connectNext = async (): Promise<void> => {
    while (next < polls.length) {
      const at = next++;
      await polls[at]!.connect(host, port, from?.[at % from.length]);
    }
  };
  await Promise.all(Array.from({ length: CONNECTING_MAX }, connectNext));
}

function md5Of(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function settled(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(await main(JSON.parse(Buffer.concat(chunks).toString()) as HoldOrder)));
process.exit(0);
