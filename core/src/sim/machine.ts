import { NetworkError } from '../host/host.ts';
import type { DiskState } from './disk-state.ts';
import type { SimProcess } from './process.ts';

export const LOOPBACK_ADDRESS = '127.0.0.1';
const LOOPBACKS: ReadonlySet<string> = new Set([LOOPBACK_ADDRESS, '::1', 'localhost']);
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);
const FREE_PORTS_FROM = 32_768;
const PORT_MAX = 65_535;

/** Something that took a port: a listener or a UDP socket. */
export interface Bound {
  readonly process: SimProcess;
  readonly bindAddress: string;
}

/** One address with its ports and its disk. Processes of one address share both, as containers of a pod do. */
export class Machine {
  readonly address: string;
  readonly disk: DiskState;
  /** False from a crash until one of its processes is started again: nothing answers then, not even to refuse. */
  isUp = true;
  readonly processes = new Set<SimProcess>();
  readonly #ports = { tcp: new Map<number, Bound[]>(), udp: new Map<number, Bound[]>() };
  #nextFreePort = FREE_PORTS_FROM;

  constructor(address: string, disk: DiskState) {
    this.address = address;
    this.disk = disk;
  }

  isOwn(address: string): boolean {
    return address === this.address || LOOPBACKS.has(address);
  }

  /** Takes the port, a free one for 0, and gives its number. */
  bind(kind: 'tcp' | 'udp', bound: Bound, port: number): number {
    const at = `${kind} ${bound.bindAddress}:${port} on ${this.address}`;
    if (!ANY.has(bound.bindAddress) && !this.isOwn(bound.bindAddress)) {
      throw new NetworkError('unreachable', `taking ${at}: not an address of this machine`);
    }
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX)
      throw new NetworkError('protocol', `no such port: ${at}`);
    const taken = port === 0 ? this.freePort() : port;
    const others = this.#ports[kind].get(taken) ?? [];
    if (others.some((other) => overlap(other.bindAddress, bound.bindAddress))) {
      throw new NetworkError('in-use', `taking ${at}: the port is taken`);
    }
    this.#ports[kind].set(taken, [...others, bound]);
    return taken;
  }

  release(kind: 'tcp' | 'udp', bound: Bound, port: number): void {
    const others = (this.#ports[kind].get(port) ?? []).filter((other) => other !== bound);
    if (others.length === 0) this.#ports[kind].delete(port);
    else this.#ports[kind].set(port, others);
  }

  /** Who gets what is sent to an address of this machine. */
  boundAt(kind: 'tcp' | 'udp', address: string, port: number): Bound | undefined {
    const isLoopback = LOOPBACKS.has(address);
    return this.#ports[kind].get(port)?.find(({ bindAddress }) => {
      return ANY.has(bindAddress) || LOOPBACKS.has(bindAddress) === isLoopback;
    });
  }

  freePort(): number {
    for (;;) {
      const port = this.#nextFreePort;
      this.#nextFreePort = port === PORT_MAX ? FREE_PORTS_FROM : port + 1;
      if (!this.#ports.tcp.has(port) && !this.#ports.udp.has(port)) return port;
    }
  }

  releaseAllOf(process: SimProcess): void {
    for (const kind of ['tcp', 'udp'] as const) {
      for (const [port, bounds] of this.#ports[kind]) {
        for (const bound of bounds) if (bound.process === process) this.release(kind, bound, port);
      }
    }
  }
}

function overlap(one: string, other: string): boolean {
  return ANY.has(one) || ANY.has(other) || LOOPBACKS.has(one) === LOOPBACKS.has(other);
}
