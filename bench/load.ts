/**
 * The load generator, a process of its own: `node bench/load.ts` takes a `LoadOrder` as JSON on stdin, prints one
 * `LoadResult` as JSON. Closed loop: each connection has one request under way. Bare sockets, since an HTTP client costs
 * more than what it measures.
 */
import { connect, type Socket } from 'node:net';
import { type Check, type Frame, frameOf, isChunkedWhole, wrongIn } from './answer.ts';
import { cpuSeconds, percentile } from './machine.ts';

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
  /** Of one core: near 1 means that the generator is the limit. */
  readonly ownCpu: number;
  readonly serverCpuSeconds: number | null;
}

const READ_BYTES = 64 * 1024;
const LATENCIES_MAX = 4_000_000;
/** Of answers that look like one that was right, each so-manieth is looked at in full all the same. */
const LOOKED_AT_EACH = 256;

class Load {
  readonly #order: LoadOrder;
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

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#requests = order.requests.map((request) => Buffer.from(request));
    this.#expected = Buffer.from(order.check.text);
  }

  async run(): Promise<LoadResult> {
    const { connections, warmMs, durationMs, serverPid } = this.#order;
    const count = durationMs === 'once' ? Math.min(connections, this.#requests.length) : connections;
    const drives = Promise.all(Array.from({ length: count }, () => new Connection(this, this.#order).drive()));
    drives.catch(() => {});
    if (warmMs > 0) await Promise.race([drives, new Promise((resolve) => setTimeout(resolve, warmMs))]);
    const cpuBefore = process.cpuUsage();
    const serverBefore = serverPid === null ? null : cpuSeconds(serverPid);
    const startedMs = performance.now();
    this.#isCounting = true;
    if (durationMs !== 'once') this.#endsMs = startedMs + durationMs;
    await drives;
    const elapsedMs = performance.now() - startedMs;
    const serverCpuSeconds = serverPid === null || serverBefore === null ? null : cpuSeconds(serverPid) - serverBefore;
    const cpu = process.cpuUsage(cpuBefore);
    const latencies = this.#latencies.subarray(0, Math.min(this.#answers, LATENCIES_MAX)).sort();
    return {
      answers: this.#answers,
      wrong: this.#wrong,
      complaint: this.#complaint,
      elapsedMs,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      ownCpu: (cpu.user + cpu.system) / 1000 / elapsedMs,
      serverCpuSeconds,
    };
  }

  /** Undefined when the time is over. */
  take(nowMs: number): Buffer | undefined {
    if (nowMs >= this.#endsMs) return undefined;
    if (this.#next === this.#requests.length) {
      if (this.#order.durationMs === 'once') return undefined;
      this.#next = 0;
    }
    return this.#requests[this.#next++];
  }

  answered(answer: Buffer, frame: Frame, tookMs: number): void {
    if (this.#isCounting) {
      if (this.#answers < LATENCIES_MAX) this.#latencies[this.#answers] = tookMs;
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

class Connection {
  readonly #load: Load;
  readonly #order: LoadOrder;
  readonly #read = Buffer.allocUnsafeSlow(READ_BYTES);
  #long = Buffer.alloc(0);
  #longBytes = 0;
  #frame: Frame | undefined;
  #sentMs = 0;
  #socket: Socket | undefined;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(load: Load, order: LoadOrder) {
    this.#load = load;
    this.#order = order;
  }

  drive(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#open();
    });
  }

  #open(): void {
    const { host, port } = this.#order;
    // Read into one buffer of our own: half the cost of a stream's.
    const callback = (bytes: number): boolean => this.#received(socket, bytes);
    const socket: Socket = connect({ host, port, noDelay: true, onread: { buffer: this.#read, callback } });
    this.#socket = socket;
    socket.once('connect', () => this.#send(socket));
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#reject(error);
    });
    socket.on('close', () => {
      if (socket === this.#socket) this.#reject(new Error('the server closed a connection instead of answering'));
    });
  }

  #send(socket: Socket): void {
    const nowMs = performance.now();
    const request = this.#load.take(nowMs);
    if (request === undefined) {
      this.#socket = undefined;
      socket.destroy();
      this.#resolve();
      return;
    }
    this.#sentMs = nowMs;
    socket.write(request);
  }

  #received(socket: Socket, bytes: number): boolean {
    if (socket !== this.#socket) return true;
    const part = this.#read.subarray(0, bytes);
    const answer = this.#longBytes > 0 ? this.#append(part) : part;
    const frame = this.#frame ?? frameOf(answer);
    const isWhole =
      frame !== undefined &&
      (frame.length === undefined ? isChunkedWhole(answer, frame) : answer.length >= frame.length);
    if (frame === undefined || !isWhole) {
      this.#frame = frame;
      if (this.#longBytes === 0) this.#append(answer);
      return true;
    }
    this.#frame = undefined;
    this.#longBytes = 0;
    this.#load.answered(answer, frame, performance.now() - this.#sentMs);
    if (frame.isLast) {
      this.#socket = undefined;
      socket.destroy();
      this.#open();
    } else {
      this.#send(socket);
    }
    return true;
  }

  /** Answers that come in several reads are put together in a buffer that grows as needed and stays. */
  #append(part: Buffer): Buffer {
    const bytes = this.#longBytes + part.length;
    if (bytes > this.#long.length) {
      const longer = Buffer.allocUnsafeSlow(Math.max(2 * bytes, this.#frame?.length ?? 0));
      this.#long.copy(longer, 0, 0, this.#longBytes);
      this.#long = longer;
    }
    part.copy(this.#long, this.#longBytes);
    this.#longBytes = bytes;
    return this.#long.subarray(0, bytes);
  }
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(await new Load(JSON.parse(Buffer.concat(chunks).toString()) as LoadOrder).run()));
