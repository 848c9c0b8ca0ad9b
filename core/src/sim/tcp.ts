import type { Endpoint, TcpListener, TcpStream } from '../host/host.ts';
import { connect, type End, type Listening } from './connection.ts';
import type { Kernel } from './kernel.ts';
import type { SimProcess } from './process.ts';

export async function connectTcp(
  kernel: Kernel,
  process: SimProcess,
  target: Endpoint,
  timeoutMs: number,
): Promise<TcpStream> {
  return new SimTcpStream(await connect(kernel, process, target, timeoutMs));
}

export function listenTcp(process: SimProcess, at: Endpoint, onConnection: (stream: TcpStream) => void): TcpListener {
  const accepted = new Set<SimTcpStream>();
  const { machine } = process;
  const listening: Listening = {
    process,
    bindAddress: at.address,
    accept(end) {
      const stream = new SimTcpStream(end, () => accepted.delete(stream));
      accepted.add(stream);
      onConnection(stream);
    },
  };
  const port = machine.bind('tcp', listening, at.port);
  return {
    port,
    async stop() {
      machine.release('tcp', listening, port);
      for (const stream of [...accepted]) stream.close();
    },
  };
}

class SimTcpStream implements TcpStream {
  readonly remote: Endpoint;
  readonly #end: End;
  readonly #closed = Promise.withResolvers<void>();
  readonly #onClosed: () => void;

  constructor(end: End, onClosed: () => void = () => {}) {
    this.#end = end;
    this.remote = end.remote;
    this.#onClosed = onClosed;
    end.onClose(() => this.#finish());
  }

  async join(other: TcpStream): Promise<void> {
    if (!(other instanceof SimTcpStream)) throw new TypeError('a stream of another network');
    this.#passTo(other);
    other.#passTo(this);
    await Promise.all([this.#closed.promise, other.#closed.promise]);
  }

  close(): void {
    this.#end.close();
    this.#finish();
  }

  #passTo(other: SimTcpStream): void {
    this.#end.onMessage((value) => other.#end.send(value));
    void this.#closed.promise.then(() => other.close());
  }

  #finish(): void {
    this.#closed.resolve();
    this.#onClosed();
  }
}
