/** A connection of a load generator: one request under way, answers read as cheaply as Node can. */
import { connect, type Socket } from 'node:net';
import { type Frame, frameOf, isChunkedWhole } from './answer.ts';

/** What connections ask for and report to. */
export interface Source {
  /** `wait`: nothing is due, `wake` it later; `end`: close. */
  take(connection: Connection, nowMs: number): Buffer | 'wait' | 'end';
  answered(connection: Connection, answer: Buffer, frame: Frame, nowMs: number): void;
}

const READ_BYTES = 64 * 1024;

export class Connection {
  /** Notes of the source on the request under way. */
  sentMs = 0;
  index = 0;
  readonly #source: Source;
  readonly #host: string;
  readonly #port: number;
  readonly #read = Buffer.allocUnsafeSlow(READ_BYTES);
  #long = Buffer.alloc(0);
  #longBytes = 0;
  #frame: Frame | undefined;
  #socket: Socket | undefined;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(source: Source, host: string, port: number) {
    this.#source = source;
    this.#host = host;
    this.#port = port;
  }

  drive(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#open();
    });
  }

  #open(): void {
    const [host, port] = [this.#host, this.#port];
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

  /** After a `wait`. */
  wake(): void {
    if (this.#socket !== undefined) this.#send(this.#socket);
  }

  #send(socket: Socket): void {
    const request = this.#source.take(this, performance.now());
    if (request === 'wait') return;
    if (request === 'end') {
      this.#socket = undefined;
      socket.destroy();
      this.#resolve();
      return;
    }
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
    this.#source.answered(this, answer, frame, performance.now());
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
