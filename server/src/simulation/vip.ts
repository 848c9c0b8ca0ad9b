import type { Host, TcpStream, Timer } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { PUBLIC_PORT, type SimulatedCluster } from './cluster.ts';

export const VIP = 'vip';
const CONNECT_MS = 1_000;
/** As often a member is asked whether it is ready, and so late the address may know it. */
export const LOOK_MS = 500;
/** Looks in a row without any answer, after which a member counts as hanging. */
export const SILENT_LOOKS_MAX = 3;
const SILENT_LOOK_MS = 1_000;
/** A connection that no member takes waits for so long. */
export const WAIT_MS = 2_500;

type Behind = Pick<SimulatedCluster, 'names' | 'ready' | 'isPaused'>;

/**
 * One address before all nodes, as `nacos-kube up` has it (operator/src/local/vip.ts): each new connection goes to one
 * that was ready when it was looked at last, which it need not be any more, and waits for a while when nobody is.
 */
export async function startVip(host: Host, behind: Behind): Promise<void> {
  const vip = new SimulatedVip(host, behind);
  host.clock.every(LOOK_MS, () => vip.look());
  await host.network.listen({ address: '0.0.0.0', port: PUBLIC_PORT }, (stream) => {
    host.background('a connection', vip.pass(stream));
  });
}

class SimulatedVip {
  readonly #host: Host;
  readonly #behind: Behind;
  readonly #silentSinceMs = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #ready: readonly string[] = [];

  constructor(host: Host, behind: Behind) {
    this.#host = host;
    this.#behind = behind;
  }

  look(): void {
    const nowMs = this.#host.clock.monotonic();
    const answering = this.#behind.ready().map(({ name }) => name);
    this.#ready = this.#behind.names.filter((name) => {
      if (!answering.includes(name)) return false;
      if (!this.#behind.isPaused(name)) {
        this.#silentSinceMs.delete(name);
        return true;
      }
      // Who was not sent anybody before it fell silent is not while it is.
      if (!this.#ready.includes(name)) return false;
      const sinceMs = this.#silentSinceMs.get(name) ?? nowMs;
      this.#silentSinceMs.set(name, sinceMs);
      return nowMs - sinceMs < SILENT_LOOKS_MAX * SILENT_LOOK_MS;
    });
    if (this.#ready.length > 0) for (const wake of [...this.#waiting]) wake();
  }

  async pass(stream: TcpStream): Promise<void> {
    const { clock } = this.#host;
    const untilMs = clock.monotonic() + WAIT_MS;
    for (;;) {
      const onward = await this.#connect();
      if (onward !== undefined) return stream.join(onward);
      const leftMs = untilMs - clock.monotonic();
      if (leftMs <= 0) break;
      await this.#nextReady(leftMs);
    }
    stream.close();
  }

  async #connect(): Promise<TcpStream | undefined> {
    const ready = this.#ready;
    const first = ready.length === 0 ? 0 : this.#host.random.int(ready.length);
    for (const name of [...ready.slice(first), ...ready.slice(0, first)]) {
      try {
        return await this.#host.network.connect({ address: name, port: PUBLIC_PORT }, CONNECT_MS);
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
      }
    }
    return undefined;
  }

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
}
