/**
 * The load generator, a process of its own: `node bench/load.ts` takes a `LoadOrder` as JSON on stdin, prints one
 * `LoadResult` as JSON. Closed loop: each connection has one request under way. Bare sockets, since an HTTP client costs
 * more than what it measures.
 */
import { type Check, type Frame, wrongIn } from './answer.ts';
import { Connection, type Source } from './connection.ts';
import { busyMs, cpuSeconds, percentile, wakePatiently } from './machine.ts';

export interface LoadOrder {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Before anything counts. */
  readonly warmMs: number;
  /** `once`: each request once, as fast as they are answered. */
  readonly durationMs: number | 'once';
  /** Whole requests as sent, one after the other over all connections. */
  readonly requests: readonly string[];
  readonly check: Check;
  /** Whose CPU to read over the time that counts; null: nobody's. */
  readonly serverPid: number | null;
}

export interface LoadResult {
  readonly answers: number;
  readonly wrong: number;
  /** The first wrong answer. */
  readonly complaint: string | null;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How much of the time it had a core or waited for one: near 1 means that the generator is the limit. */
  readonly ownCpu: number;
  /** It takes no core from the server at the moment that it wakes. */
  readonly isPatient: boolean;
  readonly serverCpuSeconds: number | null;
}

const LATENCIES_MAX = 4_000_000;
/** Of answers that look like one that was right, each so-manieth is looked at in full all the same. */
const LOOKED_AT_EACH = 256;

class Load implements Source {
  readonly #order: LoadOrder;
  readonly #isPatient: boolean;
  readonly #requests: readonly Buffer[];
  readonly #expected: Buffer;
  readonly #knownLengths = new Set<number>();
  readonly #latencies = new Float64Array(LATENCIES_MAX);
  #next = 0;
  #answers = 0;
  #wrong = 0;
  #complaint: string | null = null;
  #isCounting = false;
  #endsMs = Number.POSITIVE_INFINITY;

  constructor(order: LoadOrder, isPatient: boolean) {
    this.#order = order;
    this.#isPatient = isPatient;
    this.#requests = order.requests.map((request) => Buffer.from(request));
    this.#expected = Buffer.from(order.check.text);
  }

  async run(): Promise<LoadResult> {
    const { connections, warmMs, durationMs, serverPid } = this.#order;
    const count = durationMs === 'once' ? Math.min(connections, this.#requests.length) : connections;
    const { host, port } = this.#order;
    const drives = Promise.all(Array.from({ length: count }, () => new Connection(this, host, port).drive()));
    drives.catch(() => {});
    if (warmMs > 0) await Promise.race([drives, new Promise((resolve) => setTimeout(resolve, warmMs))]);
    const busyBefore = busyMs();
    const serverBefore = serverPid === null ? null : cpuSeconds(serverPid);
    const startedMs = performance.now();
    this.#isCounting = true;
    if (durationMs !== 'once') this.#endsMs = startedMs + durationMs;
    await drives;
    const elapsedMs = performance.now() - startedMs;
    const serverCpuSeconds = serverPid === null || serverBefore === null ? null : cpuSeconds(serverPid) - serverBefore;
    const busy = busyMs() - busyBefore;
    const latencies = this.#latencies.subarray(0, Math.min(this.#answers, LATENCIES_MAX)).sort();
    return {
      answers: this.#answers,
      wrong: this.#wrong,
      complaint: this.#complaint,
      elapsedMs,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      ownCpu: busy / elapsedMs,
      isPatient: this.#isPatient,
      serverCpuSeconds,
    };
  }

  take(connection: Connection, nowMs: number): Buffer | 'end' {
    if (nowMs >= this.#endsMs) return 'end';
    if (this.#next === this.#requests.length) {
      if (this.#order.durationMs === 'once') return 'end';
      this.#next = 0;
    }
    connection.sentMs = nowMs;
    return this.#requests[this.#next++]!;
  }

  answered(connection: Connection, answer: Buffer, frame: Frame, nowMs: number): void {
    if (this.#isCounting) {
      if (this.#answers < LATENCIES_MAX) this.#latencies[this.#answers] = nowMs - connection.sentMs;
      this.#answers++;
    }
    if (
      frame.status === 200 &&
      frame.length !== undefined &&
      this.#knownLengths.has(frame.length) &&
      this.#answers % LOOKED_AT_EACH !== 0
    ) {
      if (answer.includes(this.#expected, frame.bodyStart)) return;
    }
    const complaint = wrongIn(answer, frame, this.#order.check);
    if (complaint === undefined) {
      this.#knownLengths.add(answer.length);
      return;
    }
    this.#wrong++;
    this.#complaint ??= complaint;
  }
}

const isPatient = wakePatiently();
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const order = JSON.parse(Buffer.concat(chunks).toString()) as LoadOrder;
console.log(JSON.stringify(await new Load(order, isPatient).run()));
