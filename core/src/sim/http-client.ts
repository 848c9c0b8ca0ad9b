import { type InboundResponse, NetworkError, type NetworkErrorKind, type OutboundRequest } from '../host/host.ts';
import { connect, type End } from './connection.ts';
import { bytesOf, hasBrokenHeader, lowerCased, type RequestMessage, type ResponseMessage } from './http-message.ts';
import type { Kernel } from './kernel.ts';
import type { SimProcess } from './process.ts';

const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;
const IDLE_PER_TARGET_MAX = 32;
/** Below the time for which servers keep an idle connection. */
const IDLE_MS_MAX = 74_000;
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

interface Idle {
  readonly end: End;
  readonly sinceMs: number;
}

/** As the real client: kept connections, one deadline, a repeat only where a kept connection proved dead. */
export class SimHttpClient {
  readonly #kernel: Kernel;
  readonly #process: SimProcess;
  readonly #idle = new Map<string, Idle[]>();

  constructor(kernel: Kernel, process: SimProcess) {
    this.#kernel = kernel;
    this.#process = process;
  }

  async request(request: OutboundRequest): Promise<InboundResponse> {
    const what = `${request.method} ${request.address}:${request.port}${request.path.split('?', 1)[0]}`;
    if (!/^\/[!-~]*$/.test(request.path) || hasBrokenHeader(request.headers)) {
      throw new NetworkError('protocol', `${what}: not a request that can be sent`);
    }
    const { clock, name } = this.#process;
    const deadlineMs = clock.monotonic() + request.timeoutMs;
    try {
      let response: InboundResponse | 'stale' = 'stale';
      const kept = this.#takeIdle(request);
      if (kept !== undefined) response = await this.#exchange(kept, true, request, request.timeoutMs, what);
      if (response === 'stale') {
        const leftMs = deadlineMs - clock.monotonic();
        const end = await this.#connect(request, Math.max(0, leftMs), what);
        response = await this.#exchange(end, false, request, Math.max(0, deadlineMs - clock.monotonic()), what);
      }
      if (response === 'stale') throw new NetworkError('reset', `${what}: the connection was closed`);
      this.#kernel.note(`${name} < ${what} ${response.status}`);
      return response;
    } catch (error) {
      if (error instanceof NetworkError) this.#kernel.note(`${name} < ${what} ${error.kind}`);
      throw error;
    }
  }

  async #connect(request: OutboundRequest, timeoutMs: number, what: string): Promise<End> {
    try {
      return await connect(this.#kernel, this.#process, request, timeoutMs);
    } catch (cause) {
      if (!(cause instanceof NetworkError)) throw cause;
      throw new NetworkError(cause.kind, `${what}: ${cause.message}`, { cause });
    }
  }

  #exchange(
    end: End,
    isReused: boolean,
    request: OutboundRequest,
    timeoutMs: number,
    what: string,
  ): Promise<InboundResponse | 'stale'> {
    return new Promise((resolve, reject) => {
      const fail = (kind: NetworkErrorKind, message: string) => {
        timer.cancel();
        end.close('reset');
        reject(new NetworkError(kind, `${what}: ${message}`));
      };
      const timer = this.#process.clock.after(timeoutMs, () => fail('timeout', `no answer in ${request.timeoutMs} ms`));
      end.onClose(() => {
        if (!isReused || !IDEMPOTENT.has(request.method)) {
          fail('reset', 'the connection was closed');
          return;
        }
        timer.cancel();
        resolve('stale');
      });
      end.onMessage((value) => {
        const response = value as ResponseMessage;
        const bytesMax = request.bodyBytesMax ?? RESPONSE_BYTES_MAX;
        if (response.body.length > bytesMax) {
          fail('protocol', `the answer is larger than ${bytesMax} bytes`);
          return;
        }
        timer.cancel();
        if (response.isLast) end.close();
        else this.#keep(request, end);
        resolve({ status: response.status, headers: response.headers, body: response.body });
      });
      end.send(messageOf(request));
    });
  }

  #takeIdle(request: OutboundRequest): End | undefined {
    const idle = this.#idle.get(targetOf(request)) ?? [];
    for (;;) {
      const last = idle.pop();
      if (last === undefined) return undefined;
      if (!last.end.isOpen) continue;
      if (this.#process.clock.monotonic() - last.sinceMs < IDLE_MS_MAX) return last.end;
      last.end.close();
    }
  }

  #keep(request: OutboundRequest, end: End): void {
    const target = targetOf(request);
    const idle = this.#idle.get(target) ?? [];
    this.#idle.set(target, idle);
    end.onClose(() => {
      this.#idle.set(
        target,
        (this.#idle.get(target) ?? []).filter((kept) => kept.end !== end),
      );
    });
    if (idle.length < IDLE_PER_TARGET_MAX) idle.push({ end, sinceMs: this.#process.clock.monotonic() });
    else end.close();
  }
}

function targetOf(request: OutboundRequest): string {
  return `${request.address}:${request.port}`;
}

function messageOf(request: OutboundRequest): RequestMessage {
  const body = bytesOf(request.body);
  const headers = lowerCased(request.headers);
  headers.host ??= targetOf(request);
  if (request.body !== undefined) headers['content-length'] = String(body.length);
  return { kind: 'request', method: request.method, url: request.path, headers, body };
}
