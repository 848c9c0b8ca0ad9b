/**
 * Instances that beat, a process of its own: `node bench/beater.ts` takes a `BeatOrder` as JSON on stdin, prints one
 * `BeatResult`. It registers all, lets each beat once a period, evenly spread, and measures a window of that. Open loop:
 * a beat is late from when it was due, so a server that cannot follow shows.
 */
import { type Frame, wrongIn } from './answer.ts';
import { Connection, type Source } from './connection.ts';
import { cpuSeconds, percentile, rssBytes } from './machine.ts';
import { BEATEN, OK, requestsFor } from './requests.ts';
import { upTo } from './rows.ts';
import { exchange } from './server.ts';

export interface BeatOrder {
  readonly host: string;
  readonly port: number;
  readonly contextPath: string;
  readonly prefix: string;
  readonly services: number;
  readonly perService: number;
  readonly periodMs: number;
  readonly windowMs: number;
  readonly serverPid: number | null;
  /** Whether the server tells the delay of its event loop. */
  readonly isOurs: boolean;
}

export interface BeatResult {
  readonly registerSeconds: number;
  readonly beatsPerSecond: number;
  readonly dueToAnswerP50Ms: number;
  readonly dueToAnswerP99Ms: number;
  readonly cpuSecondsPer1000: number | null;
  readonly cpuShare: number | null;
  readonly rssBytes: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly generatorCpu: number;
}

const CONNECTIONS = 64;
const TICK_MS = 5;
const LOOKED_AT_EACH = 256;
const REGISTER_MS_MAX = 120_000;

class Beater implements Source {
  readonly #order: BeatOrder;
  readonly #registers: readonly Buffer[];
  readonly #beats: readonly Buffer[];
  /** Instances in the order in which they are due. */
  readonly #queue: Int32Array;
  readonly #dueMs: Float64Array;
  #head = 0;
  #queued = 0;
  #nextToRegister = 0;
  #registered = 0;
  #latencies = new Float64Array(0);
  #answers = 0;
  #isEnding = false;
  #idle: Connection[] = [];
  readonly #allRegistered = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();

  constructor(order: BeatOrder, registers: readonly Buffer[], beats: readonly Buffer[]) {
    this.#order = order;
    this.#registers = registers;
    this.#beats = beats;
    this.#queue = new Int32Array(beats.length);
    this.#dueMs = new Float64Array(beats.length);
    this.#failed.promise.catch(() => {});
  }

  async run(): Promise<BeatResult> {
    const { host, port, periodMs, windowMs, serverPid, isOurs } = this.#order;
    const startedMs = performance.now();
    const connections = upTo(CONNECTIONS).map(() => new Connection(this, host, port));
    const drives = Promise.all(connections.map((connection) => connection.drive()));
    drives.catch((error) => this.#failed.reject(error as Error));
    const ticks = setInterval(() => this.#wake(), TICK_MS);
    try {
      await this.#orFailed(this.#allRegistered.promise, REGISTER_MS_MAX);
      const registerSeconds = (performance.now() - startedMs) / 1_000;
      if (registerSeconds * 1_000 < periodMs) this.#spread();
      await this.#orFailed(delay(periodMs));
      if (isOurs) await this.#loopDelayP99Ms(); // reading it starts it anew
      this.#latencies = new Float64Array((windowMs / periodMs + 1) * this.#beats.length);
      this.#answers = 0;
      const [windowStartedMs, ownBefore] = [performance.now(), process.cpuUsage()];
      const cpuBefore = serverPid === null ? 0 : cpuSeconds(serverPid);
      await this.#orFailed(delay(windowMs));
      const elapsedMs = performance.now() - windowStartedMs;
      const answers = this.#answers;
      const cpu = serverPid === null ? null : cpuSeconds(serverPid) - cpuBefore;
      const own = process.cpuUsage(ownBefore);
      const latencies = this.#latencies.subarray(0, answers).slice().sort();
      return {
        registerSeconds,
        beatsPerSecond: answers / (elapsedMs / 1_000),
        dueToAnswerP50Ms: percentile(latencies, 0.5),
        dueToAnswerP99Ms: percentile(latencies, 0.99),
        cpuSecondsPer1000: cpu === null ? null : (cpu / answers) * 1_000,
        cpuShare: cpu === null ? null : cpu / (elapsedMs / 1_000),
        rssBytes: serverPid === null ? null : rssBytes(serverPid),
        loopDelayP99Ms: isOurs ? await this.#loopDelayP99Ms() : null,
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
    if (this.#queued > 0 && this.#dueMs[this.#head]! <= nowMs) {
      connection.index = this.#queue[this.#head]!;
      connection.sentMs = this.#dueMs[this.#head]!;
      this.#head = (this.#head + 1) % this.#queue.length;
      this.#queued--;
      return this.#beats[connection.index]!;
    }
    if (this.#nextToRegister < this.#registers.length) {
      connection.index = -1 - this.#nextToRegister;
      return this.#registers[this.#nextToRegister++]!;
    }
    this.#idle.push(connection);
    return 'wait';
  }

  answered(connection: Connection, answer: Buffer, frame: Frame, nowMs: number): void {
    const isBeat = connection.index >= 0;
    const check = isBeat ? BEATEN : OK;
    const isLookedAt = this.#answers % LOOKED_AT_EACH === 0 || frame.status !== 200 || !answer.includes(check.text);
    const complaint = isLookedAt ? wrongIn(answer, frame, check) : undefined;
    if (complaint !== undefined) this.#failed.reject(new Error(complaint));
    if (isBeat) {
      if (this.#answers < this.#latencies.length) this.#latencies[this.#answers] = nowMs - connection.sentMs;
      this.#answers++;
      // One that is late by a whole period does not beat twice to make up for it.
      const nextMs = connection.sentMs + this.#order.periodMs;
      this.#enqueue(connection.index, nextMs > nowMs ? nextMs : nowMs + this.#order.periodMs);
      return;
    }
    this.#enqueue(-1 - connection.index, nowMs + this.#order.periodMs);
    this.#registered++;
    if (this.#registered === this.#registers.length) this.#allRegistered.resolve();
  }

  /** Evenly over one period, in the order in which they registered. */
  #spread(): void {
    const startMs = performance.now();
    for (let n = 0; n < this.#queued; n++) {
      const at = (this.#head + n) % this.#queue.length;
      this.#dueMs[at] = startMs + (n / this.#queued) * this.#order.periodMs;
    }
  }

  #enqueue(index: number, dueMs: number): void {
    const at = (this.#head + this.#queued) % this.#queue.length;
    this.#queue[at] = index;
    this.#dueMs[at] = dueMs;
    this.#queued++;
  }

  #wake(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const connection of idle) connection.wake();
  }

  async #loopDelayP99Ms(): Promise<number | null> {
    const { host, contextPath, prefix } = this.#order;
    const scrape = requestsFor(contextPath, host, prefix).get('/actuator/prometheus');
    const text = await exchange(this.#order, scrape, { text: 'nodejs_', full: { kind: 'text' } });
    const seconds = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text.toString())?.[1];
    return seconds === undefined ? null : Number(seconds) * 1_000;
  }

  #orFailed(work: Promise<void>, deadlineMs?: number): Promise<void> {
    const late = deadlineMs === undefined ? [] : [lateAfter(deadlineMs)];
    return Promise.race([work, this.#failed.promise, ...late]);
  }
}

async function main(order: BeatOrder): Promise<BeatResult> {
  const { host, port, services, perService, contextPath, prefix } = order;
  const to = requestsFor(contextPath, `${host}:${port}`, prefix);
  const instances = upTo(services * perService);
  const registers = instances.map((n) => Buffer.from(to.register(`beating-${n % services}`, n)));
  const beats = instances.map((n) => Buffer.from(to.beat(`beating-${n % services}`, n, false)));
  const result = await new Beater(order, registers, beats).run();
  // That they beat must have kept them all.
  for (const n of [0, services >> 1, services - 1]) {
    await exchange(order, to.list(`beating-${n}`), { text: '"hosts":[{', full: { kind: 'hosts', count: perService } });
  }
  return result;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function lateAfter(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not all were registered after ${ms} ms`)), ms).unref();
  });
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(await main(JSON.parse(Buffer.concat(chunks).toString()) as BeatOrder)));
