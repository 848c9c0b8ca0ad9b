import {
  type Host,
  type Log,
  NetworkError,
  type TcpListener,
  type TcpStream,
  type Timer,
} from '@nacos-kube/core/host/host.ts';
import { LOOPBACK } from './layout.ts';

export const CONNECTIONS_MAX = 4_096;
const CONNECT_TIMEOUT_MS = 1_000;
/** Below the 3 s in which clients want their answer, so that one who waited in vain is told rather than left. */
export const WAIT_FOR_MEMBER_MS = 2_500;

/**
 * The one address of the cluster: TCP to the members that are ready, one after the other. Who gets unready keeps the
 * connections it has and gets no new one; a member that cannot be reached is passed over for the next.
 *
 * A connection that no member takes waits for a while: that members are ready is known a moment after it is so, and
 * clients who were told by a member itself come before that.
 *
 * A member that is killed still takes connections for some milliseconds, and answers none of them. If all that it was
 * sent is a question that changes nothing, or not a byte, the others are asked in its place, each once. So they are when a
 * member that has such a question hangs; whatever may change something stays where it is.
 */
export class Vip {
  readonly #host: Host;
  readonly #port: number;
  readonly #log: Log;
  readonly #waiting = new Set<() => void>();
  /** By port, what leaves a member that has not answered yet. */
  readonly #unanswered = new Map<number, Set<() => void>>();
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
    if (ports.length > 0) this.#wake();
  }

  /** The member gives no answer to others: what it can be spared is asked of another one. */
  memberIsSilent(port: number): void {
    for (const leave of [...(this.#unanswered.get(port) ?? [])]) leave();
  }

  /** Takes no new connection; those that are open go on. */
  close(): void {
    this.#isClosing = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.close();
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
      const tried = new Set<number>();
      const member = await this.#member(tried);
      if (member === undefined) this.#refuse(client);
      else await this.#join(client, member, tried);
    } finally {
      this.#open--;
    }
  }

  async #join(client: TcpStream, member: TcpStream, tried: Set<number>): Promise<void> {
    let forget = () => {};
    const onWaiting = (leave: () => void) => {
      const port = [...tried].at(-1) as number;
      const those = this.#unanswered.getOrInsert(port, new Set()).add(leave);
      forget = () => void those.delete(leave);
    };
    const again = (sent: Uint8Array) => {
      forget();
      return this.#another(sent, tried);
    };
    try {
      await client.join(member, again, onWaiting);
    } finally {
      forget();
    }
  }

  async #member(tried: Set<number>): Promise<TcpStream | undefined> {
    const untilMs = this.#host.clock.monotonic() + WAIT_FOR_MEMBER_MS;
    for (;;) {
      const member = await this.#connect(tried);
      const leftMs = untilMs - this.#host.clock.monotonic();
      if (member !== undefined || this.#isClosing || leftMs <= 0) return member;
      await this.#nextReady(leftMs);
      if (this.#isClosing) return undefined;
    }
  }

  /** To one that was not `tried`; then it is. */
  async #connect(tried: Set<number>): Promise<TcpStream | undefined> {
    for (const port of this.#inTurn()) {
      if (tried.has(port)) continue;
      try {
        const member = await this.#host.network.connect({ address: LOOPBACK, port }, CONNECT_TIMEOUT_MS);
        tried.add(port);
        return member;
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        this.#log.debug('a member does not take a connection', { port, error });
      }
    }
    return undefined;
  }

  async #another(sent: Uint8Array, tried: Set<number>): Promise<TcpStream | undefined> {
    if (this.#isClosing || !isRepeatable(sent)) return undefined;
    this.#log.debug('a member ended or hangs without an answer, asking another', {
      tried: [...tried],
      bytes: sent.length,
    });
    return this.#connect(tried);
  }

  /** All that are ready, beginning with the one whose turn it is. */
  #inTurn(): readonly number[] {
    const first = this.#ready.length === 0 ? 0 : this.#turn++ % this.#ready.length;
    return [...this.#ready.slice(first), ...this.#ready.slice(0, first)];
  }

  /** Until it is told who is ready, which is with each look at a member, or the time is over. */
  #nextReady(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const wake = () => {
        timer?.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      timer = this.#host.clock.after(withinMs, wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #refuse(client: TcpStream): void {
    this.refused++;
    client.close();
  }
}

/** Nothing, or one whole request that changes nothing where it is answered, without a body. */
function isRepeatable(sent: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(sent);
  return text === '' || (/^(?:GET|HEAD) [^\r\n]+\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(text) && !BODY_FOLLOWS.test(text));
}

const BODY_FOLLOWS = /\r\n(?:content-length: *0*[1-9]|transfer-encoding:)/i;
