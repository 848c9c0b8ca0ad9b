import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { type Endpoint, type Log, NetworkError, type TcpListener, type TcpStream } from '../host.ts';
import { plainAddress } from './address.ts';
import { toNetworkError } from './network-errors.ts';

/** One side has ended: the other may finish what it is sending, but not stay for ever. */
export const HALF_CLOSED_MS = 30_000;
export const ACCEPTED_STREAMS_MAX = 10_000;
/** Of what was sent to one that has not answered yet. */
export const SENT_KEPT_BYTES_MAX = 16 * 1024;

export function connectTcp(target: Endpoint, timeoutMs: number): Promise<TcpStream> {
  const doing = `connecting to ${target.address}:${target.port}`;
  return new Promise((resolve, reject) => {
    let socket: Socket;
    try {
      socket = createConnection({ host: target.address, port: target.port, allowHalfOpen: true, noDelay: true });
    } catch (error) {
      reject(toNetworkError(error, doing)); // a port out of range
      return;
    }
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new NetworkError('timeout', `${doing}: no answer in ${timeoutMs} ms`));
    }, timeoutMs);
    const onError = (error: Error) => {
      clearTimeout(timer);
      reject(toNetworkError(error, doing));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(new NodeTcpStream(socket));
    });
  });
}

export function listenTcp(at: Endpoint, onConnection: (stream: TcpStream) => void, log: Log): Promise<TcpListener> {
  const accepted = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  server.maxConnections = ACCEPTED_STREAMS_MAX;
  server.on('connection', (socket) => {
    accepted.add(socket);
    socket.once('close', () => accepted.delete(socket));
    const stream = new NodeTcpStream(socket);
    try {
      onConnection(stream);
    } catch (error) {
      stream.close();
      log.error('a connection was not handled', { error });
    }
  });
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(toNetworkError(error, `listening on ${at.address}:${at.port}`));
    server.once('error', onError);
    server.listen({ host: at.address, port: at.port, backlog: 1024 }, () => {
      server.off('error', onError);
      server.on('error', (error) => log.error('a tcp listener failed', { ...at, error }));
      resolve({ port: portOf(server), stop: () => stop(server, accepted) });
    });
  });
}

function portOf(server: Server): number {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a tcp listener has no port');
  return bound.port;
}

function stop(server: Server, accepted: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of accepted) socket.destroy();
  });
}

class NodeTcpStream implements TcpStream {
  readonly remote: Endpoint;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    socket.on('error', () => {}); // 'close' follows, and is all that anyone has to know
  }

  async join(
    other: TcpStream,
    again?: (sent: Uint8Array) => Promise<TcpStream | undefined>,
    onWaiting: (leave: () => void) => void = () => {},
  ): Promise<void> {
    const near = this.#socket;
    let far = NodeTcpStream.#socketOf(other);
    if (again !== undefined) {
      for (let sent: Buffer | undefined = NOTHING; sent !== undefined; ) {
        sent = await sentInVain(near, far, sent, onWaiting);
        const next = sent && (await again(sent));
        if (next === undefined) break;
        far.destroy();
        far = NodeTcpStream.#socketOf(next);
      }
    }
    await this.#joinSocket(far);
  }

  close(): void {
    this.#socket.destroySoon();
  }

  static #socketOf(stream: TcpStream): Socket {
    if (!(stream instanceof NodeTcpStream)) throw new TypeError('a stream of another network');
    return stream.#socket;
  }

  async #joinSocket(far: Socket): Promise<void> {
    const near = this.#socket;
    const closed = Promise.all([whenClosed(near), whenClosed(far)]);
    near.pipe(far);
    far.pipe(near);
    let cut: NodeJS.Timeout | undefined;
    const onEnd = () => {
      cut ??= setTimeout(() => {
        near.destroy();
        far.destroy();
      }, HALF_CLOSED_MS);
    };
    for (const [one, another] of [
      [near, far],
      [far, near],
    ] as const) {
      if (one.readableEnded) onEnd();
      else one.once('end', onEnd);
      // Closed without an end: reset. What it had sent is passed on, then the other side is closed too.
      if (one.closed) another.destroySoon();
      else one.once('close', () => another.destroySoon());
    }
    await closed;
    clearTimeout(cut);
  }
}

const NOTHING = Buffer.alloc(0);

/**
 * Copies to the far side until that answers, first what another was sent. Resolves with all that it was sent when it ends
 * without a byte, or is left, while the near side still waits; with undefined when nothing is to be repeated, and the two can be
 * joined as they are.
 */
function sentInVain(
  near: Socket,
  far: Socket,
  before: Buffer,
  onWaiting: (leave: () => void) => void,
): Promise<Buffer | undefined> {
  if (near.destroyed) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const sent = [before];
    let bytes = before.length;
    const onSent = (chunk: Buffer) => {
      bytes += chunk.length;
      sent.push(chunk);
      if (bytes > SENT_KEPT_BYTES_MAX) end(undefined);
    };
    const onNearEnd = () => end(undefined);
    const onReadable = () => {
      if (far.readableLength > 0) end(undefined);
      else far.read(); // else its end is not told
    };
    const onFarEnd = () => end(Buffer.concat(sent));
    let isOver = false;
    const end = (result: Buffer | undefined) => {
      isOver = true;
      near.off('data', onSent).off('end', onNearEnd).off('close', onNearEnd).unpipe(far);
      far.off('readable', onReadable).off('end', onFarEnd).off('close', onFarEnd);
      resolve(result);
    };
    if (before.length > 0) far.write(before);
    near.pipe(far);
    near.on('data', onSent).on('end', onNearEnd).on('close', onNearEnd);
    far.on('readable', onReadable).on('end', onFarEnd).on('close', onFarEnd);
    onWaiting(() => {
      if (!isOver) onFarEnd();
    });
  });
}

function whenClosed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
