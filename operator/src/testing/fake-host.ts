import type {
  Clock,
  Disk,
  Host,
  HttpHandler,
  InboundResponse,
  Log,
  Network,
  OutboundRequest,
  Timer,
} from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { NOW } from './fixtures.ts';

/** Rounds of the microtask queue after which all that can go on without time has gone on. */
const SETTLE_ROUNDS = 60;

/** A host whose time stands still until a test lets it pass. */
export class FakeHost implements Host {
  readonly name = 'test';
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly network: Network;
  readonly disk = {} as Disk;
  readonly requests: OutboundRequest[] = [];
  /** Answers outgoing requests; as it comes nobody is there. */
  answer: (request: OutboundRequest) => Promise<InboundResponse> = async (request) => {
    throw new NetworkError('refused', `nobody listens on ${request.address}:${request.port}`);
  };
  handler: HttpHandler | undefined;
  #seed = 1;

  constructor() {
    this.network = {
      request: (request: OutboundRequest) => {
        this.requests.push(request);
        return this.answer(request);
      },
      serve: async (_options: unknown, handler: HttpHandler) => {
        this.handler = handler;
        return { port: 8080, stop: async () => {} };
      },
    } as unknown as Network;
  }

  readonly random = {
    float: () => {
      this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return this.#seed / 2_147_483_648;
    },
    int: (bound: number) => Math.floor(this.random.float() * bound),
    bytes: (length: number) => Uint8Array.from({ length }, () => this.random.int(256)),
    uuid: () => `uuid-${this.random.int(1_000_000)}`,
  };

  background(name: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.log.error(`${name} failed`, { error }));
  }

  /** Lets time pass, timer by timer, with everything that follows from each. */
  async advance(ms: number): Promise<void> {
    await settle();
    await this.clock.advance(ms);
  }
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { dueMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  now(): number {
    return NOW + this.#nowMs;
  }
  monotonic(): number {
    return this.#nowMs;
  }
  after(delayMs: number, run: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }
  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = () => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers
        .filter(({ dueMs }) => dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

export class FakeLog implements Log {
  readonly lines: string[] = [];
  debug(message: string): void {
    this.lines.push(`debug ${message}`);
  }
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string, facts?: { readonly error?: unknown }): void {
    this.lines.push(`warn ${message} ${facts?.error ?? ''}`);
  }
  error(message: string, facts?: { readonly error?: unknown }): void {
    this.lines.push(`error ${message} ${facts?.error ?? ''}`);
  }
  area(): Log {
    return this;
  }
}

export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round++) await Promise.resolve();
}

export function httpAnswer(body: unknown, status = 200): InboundResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: {}, body: new TextEncoder().encode(text) };
}
