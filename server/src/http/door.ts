import type { Host, HttpHandler, HttpListener, HttpRequest, HttpResponse } from '@nacos-kube/core/host/host.ts';
import { text } from '@nacos-kube/core/http/answers.ts';
import { createPipeline } from '@nacos-kube/core/http/pipeline.ts';
import type { Policy, Route } from '@nacos-kube/core/http/route.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import { StoreError } from '../store/store.ts';
import type { AccessLog } from './access-log.ts';
import { type TrafficGate, TURNED_AWAY } from './traffic-gate.ts';

/** Above the largest configuration (10 MiB) with its escapes. */
export const BODY_BYTES_MAX = 32 * 1024 * 1024;
const STOP_GRACE_MS = 5_000;

export interface DoorOptions {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly contextPath: string;
  /** A larger body is refused before anything looks at it; default `BODY_BYTES_MAX`. */
  readonly bodyBytesMax?: number;
  readonly routes: readonly Route[];
  readonly authorize: (policy: Policy, request: HttpRequest) => void;
  readonly clientIp: (request: HttpRequest) => string;
  readonly observe?: (path: string, method: string, status: number, durationMs: number) => void;
  /** Turns requests away before anything else looks at them. */
  readonly gate?: TrafficGate;
  readonly accessLog?: AccessLog;
  /** Adds to every answer what proves who gave it. */
  readonly seal?: (request: HttpRequest, answer: HttpResponse) => HttpResponse;
}

/** A port and all that is served on it. */
export class Door implements Part {
  readonly name: string;
  readonly #host: Host;
  readonly #options: DoorOptions;
  #listener: HttpListener | undefined;

  constructor(host: Host, options: DoorOptions) {
    this.name = options.name;
    this.#host = host;
    this.#options = options;
  }

  get routes(): readonly Route[] {
    return this.#options.routes;
  }

  async start(): Promise<void> {
    const { address, port, name, seal, gate, accessLog, bodyBytesMax = BODY_BYTES_MAX, ...options } = this.#options;
    const pipeline = createPipeline({
      ...options,
      now: () => this.#host.clock.monotonic(),
      answerFailure,
      answerUnknown: (request) => answerUnknown(request, options.contextPath),
      log: this.#host.log.area('http'),
    });
    const sealed: HttpHandler =
      seal === undefined ? pipeline : async (request) => seal(request, await pipeline(request));
    const gated = gate === undefined ? sealed : this.#gated(gate, sealed);
    const handler = accessLog === undefined ? gated : accessLog.around(gated);
    this.#listener = await this.#host.network.serve({ address, port, bodyBytesMax }, handler);
    this.#host.log.info(`${name} is open`, { address, port: this.#listener.port });
  }

  /** Each answer is the last on its connection from now on; resolves when nobody is connected, or after `lingerMs`. */
  async retire(lingerMs: number): Promise<void> {
    await this.#listener?.retire(lingerMs);
  }

  async stop(): Promise<void> {
    await this.#listener?.stop(STOP_GRACE_MS);
  }

  #gated(gate: TrafficGate, inside: HttpHandler): HttpHandler {
    return (request) => {
      const answer = gate.isShut ? gate.refuse(request) : undefined;
      if (answer === undefined) return inside(request);
      this.#options.observe?.(TURNED_AWAY, request.method, answer.status, 0);
      return answer;
    };
  }
}

/** A store that cannot be written is no fault of the request: clients try another member, or again. */
function answerFailure(error: unknown): HttpResponse | undefined {
  if (!(error instanceof StoreError)) return undefined;
  const why = error.because === undefined ? '' : ` (${error.because})`;
  switch (error.kind) {
    case 'unavailable':
    case 'read-only':
    case 'misconfigured':
    case 'damaged':
      return text(`caused: the store is ${error.kind}${why}, try again later;`, 503);
    case 'invalid':
      return text(`caused: ${error.because ?? error.message};`, 400);
  }
}

/** Naming answers 501 where it has no such call, never 404 (spec/naming.md 0.1). */
function answerUnknown({ method, path }: HttpRequest, contextPath: string): HttpResponse {
  if (!path.startsWith(`${contextPath}/v1/ns/`)) return text('not found', 404);
  return text(`no such api:${method}:${path.replace(/[^\x21-\x7e]/g, '?')}`, 501);
}
