import { Agent, type ClientRequest, type IncomingMessage, request as startRequest } from 'node:http';
import { type InboundResponse, NetworkError, type OutboundRequest } from '../host.ts';
import { headersOf } from './http-headers.ts';
import { toNetworkError } from './network-errors.ts';

export const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;
export const CONNECTIONS_PER_TARGET_MAX = 256;
export const CONNECTIONS_MAX = 4_096;
/** Beyond it requests fail at once: a target that hangs must not pile them up. */
export const REQUESTS_UNDER_WAY_MAX = 20_000;
const IDLE_CONNECTIONS_PER_TARGET_MAX = 32;

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

export interface HttpClient {
  request(request: OutboundRequest): Promise<InboundResponse>;
  /** Closes the idle connections, so that the process can end. */
  close(): void;
}

/** Connections are kept for as long as the other side's `Keep-Alive` header promises, less a second. */
export function createHttpClient(): HttpClient {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: CONNECTIONS_PER_TARGET_MAX,
    maxTotalSockets: CONNECTIONS_MAX,
    maxFreeSockets: IDLE_CONNECTIONS_PER_TARGET_MAX,
    scheduling: 'lifo',
  });
  let underWay = 0;

  return {
    async request(request) {
      if (underWay >= REQUESTS_UNDER_WAY_MAX) {
        throw new NetworkError('unreachable', `${nameOf(request)}: ${underWay} requests are under way already`);
      }
      underWay++;
      try {
        return await exchange(request, agent);
      } finally {
        underWay--;
      }
    },
    close: () => agent.destroy(),
  };
}

/** One deadline over the attempts: the second one gets what the first has left. */
async function exchange(request: OutboundRequest, agent: Agent): Promise<InboundResponse> {
  const deadlineMs = performance.now() + request.timeoutMs;
  const first = await attempt(request, agent, request.timeoutMs);
  if (first !== 'stale') return first;
  const leftMs = deadlineMs - performance.now();
  const second = leftMs > 0 ? await attempt(request, undefined, leftMs) : 'stale';
  if (second !== 'stale') return second;
  throw new NetworkError('reset', `${nameOf(request)}: the connection was closed`);
}

/**
 * `stale`: the other side had closed the kept connection before it saw the request, which may go out again. Told by
 * three facts: the connection was used before, not a byte of an answer came, and repeating does no harm.
 */
function attempt(
  request: OutboundRequest,
  agent: Agent | undefined,
  timeoutMs: number,
): Promise<InboundResponse | 'stale'> {
  return new Promise((resolve, reject) => {
    let outgoing: ClientRequest;
    let bytesBefore = 0;
    const fail = (error: unknown) => {
      clearTimeout(timer);
      const silent = outgoing?.socket != null && outgoing.socket.bytesRead === bytesBefore;
      const networkError = toNetworkError(error, nameOf(request));
      if (networkError.kind === 'reset' && outgoing.reusedSocket && silent && IDEMPOTENT.has(request.method)) {
        resolve('stale');
      } else {
        reject(networkError);
      }
    };
    const giveUpAfter = (ms: number) =>
      setTimeout(() => {
        const error = new NetworkError('timeout', `${nameOf(request)}: no answer in ${Math.round(ms)} ms`);
        reject(error);
        outgoing?.destroy(error);
      }, ms);
    let timer = giveUpAfter(request.connectTimeoutMs ?? timeoutMs);

    try {
      outgoing = open(request, agent);
    } catch (error) {
      clearTimeout(timer);
      reject(toNetworkError(error, nameOf(request)));
      return;
    }
    outgoing.on('socket', (socket) => {
      bytesBefore = socket.bytesRead;
      if (request.connectTimeoutMs === undefined) return;
      const connected = () => {
        clearTimeout(timer);
        timer = giveUpAfter(timeoutMs);
      };
      if (socket.connecting) socket.once('connect', connected);
      else connected();
    });
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      if (request.isHeadEnough === true) resolve(headOf(incoming));
      collect(request, outgoing, incoming, fail, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
    });
    outgoing.end(request.body);
  });
}

function open(request: OutboundRequest, agent: Agent | undefined): ClientRequest {
  const { method, body } = request;
  const headers: Record<string, string> = { ...request.headers };
  // Node leaves the body of a GET without a length, which would frame it by chunks.
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  else if (method !== 'GET' && method !== 'HEAD') headers['content-length'] = '0';
  return startRequest({
    host: request.address,
    port: request.port,
    method,
    path: request.path,
    headers,
    // Without an agent of ours a connection of its own, closed after use.
    agent: agent ?? new Agent({ keepAlive: false }),
  });
}

function collect(
  request: OutboundRequest,
  outgoing: ClientRequest,
  incoming: IncomingMessage,
  fail: (error: unknown) => void,
  done: (response: InboundResponse) => void,
): void {
  const bytesMax = request.bodyBytesMax ?? RESPONSE_BYTES_MAX;
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      const error = new NetworkError('protocol', `${nameOf(request)}: the answer is larger than ${bytesMax} bytes`);
      fail(error);
      outgoing.destroy();
    } else {
      chunks.push(chunk);
    }
  });
  incoming.on('error', fail);
  incoming.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
    done({ status: incoming.statusCode as number, headers: headersOf(incoming.rawHeaders), body });
  });
}

function headOf(incoming: IncomingMessage): InboundResponse {
  const status = incoming.statusCode as number;
  return { status, headers: headersOf(incoming.rawHeaders), body: new Uint8Array() };
}

/** Without the query, which may hold a password. */
function nameOf(request: OutboundRequest): string {
  return `${request.method} http://${request.address}:${request.port}${request.path.split('?', 1)[0]}`;
}
