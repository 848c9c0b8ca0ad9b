import { connect, createServer, type Server, type Socket } from 'node:net';

export interface RelayOrder {
  /** Addresses: where it listens, and where it passes everything on to. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

/** Stands before the peer port of a member and counts what goes through, both ways. */
export class CountingRelay {
  bytes = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static start(order: RelayOrder): Promise<CountingRelay> {
    return new Promise((resolve, reject) => {
      const relay = new CountingRelay(order);
      relay.#server.once('error', reject);
      relay.#server.listen(order.port, order.from, () => resolve(relay));
    });
  }

  private constructor({ to, port }: RelayOrder) {
    this.#server = createServer({ noDelay: true }, (caller) => {
      const member = connect({ host: to, port, noDelay: true });
      this.#pass(caller, member);
      this.#pass(member, caller);
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
