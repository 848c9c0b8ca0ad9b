import { type Host, type Log, NetworkError, type TcpListener, type TcpStream } from '@nacos-kube/core/host/host.ts';
import { LOOPBACK } from './layout.ts';

export const CONNECTIONS_MAX = 4_096;
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * The one address of the cluster: TCP to the members that are ready, one after the other. Who gets unready keeps the
 * connections it has and gets no new one; a member that cannot be reached is passed over for the next.
 */
export class Vip {
  readonly #host: Host;
  readonly #port: number;
  readonly #log: Log;
  #listener: TcpListener | undefined;
  #ready: readonly number[] = [];
  #turn = 0;
  #open = 0;
  #isClosing = false;
  /** Connections that nobody could take. */
  refused = 0;

  constructor(host: Host, port: number) {
    this.#host = host;
    this.#port = port;
    this.#log = host.log.area('vip');
  }

  async start(): Promise<void> {
    const at = { address: LOOPBACK, port: this.#port };
    this.#listener = await this.#host.network.listen(at, (stream) => {
      this.#host.background('a connection of the VIP', this.#serve(stream));
    });
  }

  /** Ports of the members that are ready. */
  setReady(ports: readonly number[]): void {
    this.#ready = ports;
  }

  /** Takes no new connection; those that are open go on. */
  close(): void {
    this.#isClosing = true;
  }

  async stop(): Promise<void> {
    this.#isClosing = true;
    await this.#listener?.stop();
  }

  /** How many it leads to. */
  get members(): number {
    return this.#ready.length;
  }

  get openConnections(): number {
    return this.#open;
  }

  async #serve(client: TcpStream): Promise<void> {
    if (this.#isClosing || this.#open >= CONNECTIONS_MAX) return this.#refuse(client);
    this.#open++;
    try {
      const member = await this.#connect();
      if (member === undefined) this.#refuse(client);
      else await client.join(member);
    } finally {
      this.#open--;
    }
  }

  async #connect(): Promise<TcpStream | undefined> {
    for (const port of this.#inTurn()) {
      try {
        return await this.#host.network.connect({ address: LOOPBACK, port }, CONNECT_TIMEOUT_MS);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        this.#log.debug('a member does not take a connection', { port, error });
      }
    }
    return undefined;
  }

  /** All that are ready, beginning with the one whose turn it is. */
  #inTurn(): readonly number[] {
    const first = this.#ready.length === 0 ? 0 : this.#turn++ % this.#ready.length;
    return [...this.#ready.slice(first), ...this.#ready.slice(0, first)];
  }

  #refuse(client: TcpStream): void {
    this.refused++;
    client.close();
  }
}
