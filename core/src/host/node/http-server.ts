import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Endpoint, HttpHandler, HttpHeaders, HttpListener, HttpRequest, HttpResponse, Log } from '../host.ts';
import { NetworkError, type ServeOptions } from '../host.ts';
import { plainAddress } from './address.ts';
import { firstOfEach } from './http-headers.ts';
import { toNetworkError } from './network-errors.ts';

export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
/** A caller that takes nothing of an answer for this long is cut. */
export const READER_TIMEOUT_MS = 30_000;
export const KEEP_ALIVE_MS = 75_000;
export const CONNECTIONS_PER_ADDRESS_MAX = 10_000;
/** Answers that wait for the end of the turn; from then on a caller who takes none of its own is read no further. */
export const OUTGOING_MAX = 1_024;
/** How often Node looks for requests that are overdue. */
const OVERDUE_CHECK_MS = 2_000;
/** After a refused body we go on reading for a while, else the kernel resets the connection over the answer. */
const LINGER_MS = 1_000;
const REFUSALS_LOGGED_EACH_MS = 60_000;

/**
 * The adapter between Node's HTTP server and handlers of plain values. A handler that answers at once is answered
 * in the same turn of the loop; routes are found by the caller, as all our paths are static.
 */
export function serveHttp(options: ServeOptions, handler: HttpHandler, log: Log): Promise<HttpListener> {
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: OVERDUE_CHECK_MS,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    noDelay: true,
    optimizeEmptyRequests: true,
  });
  const listener = new NodeHttpListener(server, options, handler, log);
  return listener.listen();
}

class NodeHttpListener implements HttpListener {
  readonly #server: Server;
  readonly #options: ServeOptions;
  readonly #handler: HttpHandler;
  readonly #log: Log;
  readonly #connections: AddressCounts;
  #outgoing: { readonly response: ServerResponse; readonly answer: HttpResponse }[] = [];
  #isRetired = false;
  #onEmpty: (() => void) | undefined;
  #stopping: Promise<void> | undefined;

  constructor(server: Server, options: ServeOptions, handler: HttpHandler, log: Log) {
    this.#server = server;
    this.#options = options;
    this.#handler = handler;
    this.#log = log;
    this.#connections = new AddressCounts(options.connectionsPerAddressMax ?? CONNECTIONS_PER_ADDRESS_MAX, log);
    server.on('connection', (socket: Socket) => {
      this.#connections.admit(socket);
      socket.once('close', () => this.#closed());
    });
    server.on('request', (incoming, response) => this.#onRequest(incoming, response));
    server.on('checkContinue', (incoming, response) => {
      if (Number(incoming.headers['content-length'] ?? 0) <= options.bodyBytesMax) response.writeContinue();
      this.#onRequest(incoming, response);
    });
    server.on('clientError', (error, socket) => {
      this.#sendAll(); // the answers to what came before it on this connection
      answerBroken(error as NodeJS.ErrnoException, socket as Socket);
    });
  }

  listen(): Promise<HttpListener> {
    const { address, port } = this.#options;
    return new Promise((resolve, reject) => {
      const onError = (error: Error) => reject(toNetworkError(error, `listening on ${address}:${port}`));
      this.#server.once('error', onError);
      this.#server.listen({ host: address, port, backlog: 1024 }, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#log.error('the http listener failed', { address, port, error }));
        resolve(this);
      });
    });
  }

  get port(): number {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : this.#options.port;
  }

  async retire(lingerMs: number): Promise<void> {
    this.#isRetired = true;
    if (lingerMs <= 0 || this.#connections.total === 0) return;
    const { promise: empty, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, lingerMs);
    this.#onEmpty = resolve;
    await empty;
    clearTimeout(timer);
    this.#onEmpty = undefined;
    this.#server.closeIdleConnections();
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= new Promise((resolve) => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
    });
    return this.#stopping;
  }

  #closed(): void {
    if (this.#connections.total === 0) this.#onEmpty?.();
  }

  #onRequest(incoming: IncomingMessage, response: ServerResponse): void {
    const length = incoming.headers['content-length'];
    // Many clients say that their body is empty: then there is nothing to wait for either.
    if ((length === undefined || length === '0') && incoming.headers['transfer-encoding'] === undefined) {
      this.#handle(incoming, response, EMPTY);
    } else if (Number(length ?? 0) > this.#options.bodyBytesMax) {
      this.#refuseBody(incoming, response);
    } else {
      this.#readBody(incoming, response);
    }
  }

  #readBody(incoming: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > this.#options.bodyBytesMax) {
        chunks.length = 0;
        incoming.off('data', onData);
        incoming.off('end', onEnd);
        this.#refuseBody(incoming, response);
      } else {
        chunks.push(chunk);
      }
    };
    const onEnd = () => {
      const only = chunks.length === 1 ? chunks[0] : undefined;
      const body = only ?? Buffer.concat(chunks, bytes);
      chunks.length = 0; // these listeners live until the answer: a held poll must not keep its body (F20)
      this.#handle(incoming, response, body);
    };
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    incoming.on('error', ignore); // gone in the middle of its body: nobody is left to answer
  }

  #refuseBody(incoming: IncomingMessage, response: ServerResponse): void {
    incoming.on('error', () => {});
    response.writeHead(413, { 'content-length': '0', connection: 'close' });
    response.flushHeaders();
    const linger = setTimeout(() => response.end(), LINGER_MS);
    incoming.once('end', () => response.end());
    response.once('close', () => clearTimeout(linger));
    incoming.resume();
  }

  #handle(incoming: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
    let answer: HttpResponse | Promise<HttpResponse>;
    try {
      answer = this.#handler(new NodeHttpRequest(incoming, response, body));
    } catch (error) {
      this.#fail(response, error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (value) => this.#send(response, value),
        (error) => this.#fail(response, error),
      );
    } else {
      this.#send(response, answer);
    }
  }

  /**
   * Answers leave when all that was ready to be read has been: whoever waits for one is woken once and finds the others
   * too. Sent one by one between two requests, each would wake a sleeper, which costs as much as all that we do for it.
   */
  #send(response: ServerResponse, answer: HttpResponse): void {
    this.#outgoing.push({ response, answer });
    if (this.#outgoing.length === 1) setImmediate(this.#sendAll);
    else if (this.#outgoing.length >= OUTGOING_MAX) this.#sendAll();
  }

  readonly #sendAll = (): void => {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const { response, answer } of outgoing) {
      try {
        this.#sendNow(response, answer);
      } catch (error) {
        this.#fail(response, error);
      }
    }
  };

  #sendNow(response: ServerResponse, answer: HttpResponse): void {
    const { status, body, headers, tail } = answer;
    let bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
    if (tail !== undefined) bytes += Buffer.byteLength(tail);
    const fields: string[] = hasNoBody(status) ? [] : ['content-length', String(bytes)];
    if (headers !== undefined) for (const field of fieldsOf(headers)) fields.push(field);
    if (this.#isRetired || this.#stopping !== undefined) fields.push('connection', 'close');
    response.writeHead(status, fields);
    if (tail === undefined) {
      response.end(body);
    } else {
      response.write(body); // held back until the end of this turn, so both leave in one piece
      response.end(tail);
    }
    if (!response.writableFinished && (response.socket?.writableLength ?? 0) > 0) cutSlowReader(response);
  }

  #fail(response: ServerResponse, error: unknown): void {
    const { method, url } = response.req;
    this.#log.error('a request failed', { method, path: url?.split('?', 1)[0], error });
    if (response.headersSent) response.destroy();
    else this.#sendNow(response, { status: 500, body: '' });
  }
}

const EMPTY = new Uint8Array(0);

class NodeHttpRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: Uint8Array;
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  #headers: HttpHeaders | undefined;

  constructor(incoming: IncomingMessage, response: ServerResponse, body: Uint8Array) {
    const url = incoming.url as string;
    const mark = url.indexOf('?');
    // HEAD is a GET whose answer Node sends without the body.
    this.method = incoming.method === 'HEAD' ? 'GET' : (incoming.method as string);
    this.path = mark < 0 ? url : pathOf(url, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    this.body = body;
    this.#incoming = incoming;
    this.#response = response;
  }

  get headers(): HttpHeaders {
    this.#headers ??= firstOfEach(this.#incoming.headers, this.#incoming.rawHeaders);
    return this.#headers;
  }

  get remote(): Endpoint {
    return remoteOf(this.#incoming.socket);
  }

  onGone(run: () => void): void {
    const response = this.#response;
    if (response.writableEnded) return;
    if (response.destroyed || response.socket?.destroyed === true) {
      queueMicrotask(run);
      return;
    }
    response.once('close', () => {
      if (!response.writableEnded) run();
    });
    letGo(this.#incoming);
  }
}

/** Of each length the last one that came: most come again, and a text made anew has to be found among all others. */
const paths: string[] = [];
const PATH_CHARS_MAX = 128;

function pathOf(url: string, length: number): string {
  const known = paths[length];
  if (known !== undefined && url.startsWith(known)) return known;
  const path = url.slice(0, length);
  if (length <= PATH_CHARS_MAX) paths[length] = path;
  return path;
}

/** An answer that is held for long keeps the request: what nobody reads again is not kept with it (F20). */
function letGo(incoming: IncomingMessage): void {
  incoming.rawHeaders = NONE;
  incoming.headers = NO_HEADERS;
  incoming.removeAllListeners('data');
  incoming.removeAllListeners('end');
}

const NONE: string[] = [];
const NO_HEADERS: IncomingMessage['headers'] = {};

const remotes = new WeakMap<Socket, Endpoint>();

function remoteOf(socket: Socket): Endpoint {
  let remote = remotes.get(socket);
  if (remote === undefined) {
    remote = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    remotes.set(socket, remote);
  }
  return remote;
}

/** Connections by address, as a single caller must not take all that the process may have. */
class AddressCounts {
  readonly #max: number;
  readonly #log: Log;
  readonly #counts = new Map<string, number>();
  total = 0;
  #refused = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(max: number, log: Log) {
    this.#max = max;
    this.#log = log;
  }

  admit(socket: Socket): void {
    const address = socket.remoteAddress;
    if (address === undefined) return;
    const count = this.#counts.get(address) ?? 0;
    if (count >= this.#max) {
      this.#refuse(socket, address);
      return;
    }
    this.#counts.set(address, count + 1);
    this.total++;
    socket.once('close', () => {
      this.total--;
      const left = (this.#counts.get(address) ?? 1) - 1;
      if (left === 0) this.#counts.delete(address);
      else this.#counts.set(address, left);
    });
  }

  #refuse(socket: Socket, address: string): void {
    socket.destroy();
    this.#refused++;
    const nowMs = performance.now();
    if (nowMs - this.#loggedAtMs < REFUSALS_LOGGED_EACH_MS) return;
    this.#loggedAtMs = nowMs;
    this.#log.warn('too many connections from one address', { address, max: this.#max, refused: this.#refused });
  }
}

const knownFields = new WeakMap<HttpResponse['headers'] & object, readonly string[]>();

/** Name, value, name, value: the form that Node takes without looking each name up. Answers that are kept share theirs. */
function fieldsOf(headers: HttpResponse['headers'] & object): readonly string[] {
  let fields = knownFields.get(headers);
  if (fields === undefined) {
    fields = Object.entries(headers).flat();
    knownFields.set(headers, fields);
  }
  return fields;
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304 || status < 200;
}

/** Each turn in which the kernel takes some of the answer starts the time anew. */
function cutSlowReader(response: ServerResponse): void {
  const socket = response.socket as Socket;
  const cut = () => socket.destroy(new NetworkError('timeout', 'the caller does not take its answer'));
  socket.on('error', ignore);
  socket.setTimeout(READER_TIMEOUT_MS, cut);
  response.once('finish', () => {
    socket.off('timeout', cut);
    socket.off('error', ignore);
  });
}

function ignore(): void {}

function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = BROKEN_STATUS.get(error.code ?? '') ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () => socket.destroy());
}

const BROKEN_STATUS: ReadonlyMap<string, string> = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
]);
