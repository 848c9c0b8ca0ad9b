/**
 * Changes or beats over several members, a process of its own: `node bench/scenes/replication-load.ts` takes a
 * `SpreadOrder` as JSON on stdin, prints one `SpreadResult`. With a rate it is an open loop: a request is late from when
 * it was due, so members that cannot follow show.
 */
import { type Check, type Frame, wrongIn } from '../answer.ts';
import { Connection, type Source } from '../connection.ts';
import { cpuSeconds, percentile } from '../machine.ts';
import { BEATEN, OK, requestsFor } from '../requests.ts';
import { upTo } from '../rows.ts';

export interface SpreadOrder {
  /** Connections take turns over them. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly contextPath: string;
  readonly prefix: string;
  readonly connections: number;
  /** All are registered already, with weight 1; `changes` give each of them another weight again and again. */
  readonly work: 'changes' | 'beats';
  readonly services: number;
  readonly instances: number;
  /** Null: as fast as they are answered. */
  readonly perSecond: number | null;
  /** Before anything counts. */
  readonly warmMs: number;
  readonly windowMs: number;
  readonly serverPids: readonly number[];
}

export interface SpreadResult {
  readonly perSecond: number;
  /** From when it was due, or else from when it was sent. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all members together. */
  readonly perCpuSecond: number;
  readonly generatorCpu: number;
}

const TICK_MS = 2;
const LOOKED_AT_EACH = 256;
const LATENCIES_MAX = 4_000_000;

class Spread implements Source {
  readonly #order: SpreadOrder;
  readonly #requests: readonly Buffer[];
  readonly #check: Check;
  readonly #latencies = new Float64Array(LATENCIES_MAX);
  readonly #failed = Promise.withResolvers<never>();
  #startMs = 0;
  #sent = 0;
  #answers = 0;
  #isEnding = false;
  #idle: Connection[] = [];

  constructor(order: SpreadOrder) {
    this.#order = order;
    this.#requests = requestsOf(order);
    this.#check = order.work === 'beats' ? BEATEN : OK;
    this.#failed.promise.catch(() => {});
  }

  async run(): Promise<SpreadResult> {
    const { targets, connections, warmMs, windowMs, serverPids } = this.#order;
    this.#startMs = performance.now();
    const drives = upTo(connections).map((n) => {
      const { host, port } = targets[n % targets.length]!;
      return new Connection(this, host, port).drive();
    });
    for (const drive of drives) drive.catch((error) => this.#failed.reject(error as Error));
    const ticks = setInterval(() => this.#wake(), TICK_MS);
    try {
      await this.#orFailed(warmMs);
      const cpuOf = () => serverPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
      const [cpuBefore, ownBefore, startedMs] = [cpuOf(), process.cpuUsage(), performance.now()];
      this.#answers = 0;
      await this.#orFailed(windowMs);
      const [answers, elapsedMs, own] = [this.#answers, performance.now() - startedMs, process.cpuUsage(ownBefore)];
      const latencies = this.#latencies.slice(0, Math.min(answers, LATENCIES_MAX)).sort();
      return {
        perSecond: answers / (elapsedMs / 1_000),
        p50Ms: percentile(latencies, 0.5),
        p99Ms: percentile(latencies, 0.99),
        perCpuSecond: answers / (cpuOf() - cpuBefore),
        generatorCpu: (own.user + own.system) / 1_000 / elapsedMs,
      };
    } finally {
      this.#isEnding = true;
      clearInterval(ticks);
      this.#wake();
    }
  }

  take(connection: Connection, nowMs: number): Buffer | 'wait' | 'end' {
    if (this.#isEnding) return 'end';
    const { perSecond } = this.#order;
    const dueMs = perSecond === null ? nowMs : this.#startMs + (this.#sent * 1_000) / perSecond;
    if (dueMs > nowMs) {
      this.#idle.push(connection);
      return 'wait';
    }
    connection.sentMs = dueMs;
    return this.#requests[this.#sent++ % this.#requests.length]!;
  }

  answered(connection: Connection, answer: Buffer, frame: Frame, nowMs: number): void {
    if (this.#answers < LATENCIES_MAX) this.#latencies[this.#answers] = nowMs - connection.sentMs;
    const isLookedAt =
      this.#answers++ % LOOKED_AT_EACH === 0 || frame.status !== 200 || !answer.includes(this.#check.text);
    const complaint = isLookedAt ? wrongIn(answer, frame, this.#check) : undefined;
    if (complaint !== undefined) this.#failed.reject(new Error(complaint));
  }

  #wake(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) connection.wake();
  }

  #orFailed(ms: number): Promise<void> {
    return Promise.race([new Promise<void>((resolve) => setTimeout(resolve, ms)), this.#failed.promise]);
  }
}

function requestsOf({ work, contextPath, prefix, targets, services, instances }: SpreadOrder): Buffer[] {
  const { host, port } = targets[0]!;
  const to = requestsFor(contextPath, `${host}:${port}`, prefix);
  const serviceOf = (n: number): string => spreadService(n % services);
  const texts =
    work === 'beats'
      ? upTo(instances).map((n) => to.beat(serviceOf(n), n, false))
      : [2, 1].flatMap((weight) =>
          upTo(instances).map((n) => to.register(serviceOf(n), n, { isLasting: true, weight })),
        );
  return texts.map((text) => Buffer.from(text));
}

export function spreadService(n: number): string {
  return `spread-${n}`;
}

if (import.meta.main) {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  console.log(JSON.stringify(await new Spread(JSON.parse(Buffer.concat(chunks).toString()) as SpreadOrder).run()));
}
