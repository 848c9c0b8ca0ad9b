import { type Endpoint, NetworkError, type UdpSocket } from '../host/host.ts';
import { findMachine } from './connection.ts';
import type { Kernel } from './kernel.ts';
import { type Bound, LOOPBACK_ADDRESS } from './machine.ts';
import type { SimProcess } from './process.ts';

const DATAGRAM_BYTES_MAX = 65_507;

type Receive = (bytes: Uint8Array, from: Endpoint) => void;

export class SimUdpSocket implements UdpSocket, Bound {
  readonly process: SimProcess;
  readonly bindAddress: string;
  readonly port: number;
  readonly #kernel: Kernel;
  readonly #receivers: Receive[] = [];
  #isOpen = true;

  constructor(kernel: Kernel, process: SimProcess, at: Endpoint) {
    this.#kernel = kernel;
    this.process = process;
    this.bindAddress = at.address;
    this.port = process.machine.bind('udp', this, at.port);
  }

  send(bytes: Uint8Array, target: Endpoint): Promise<void> {
    const kernel = this.#kernel;
    const { machine, name } = this.process;
    const doing = `sending to udp ${target.address}:${target.port}`;
    if (!this.process.isAlive) return new Promise(() => {});
    if (!this.#isOpen) return Promise.reject(new NetworkError('closed', `${doing}: the socket is closed`));
    if (bytes.length > DATAGRAM_BYTES_MAX) return Promise.reject(new NetworkError('unreachable', `${doing}: too long`));
    const to = findMachine(kernel, machine, target.address);
    if (to === undefined) return Promise.reject(new NetworkError('unreachable', `${doing}: no such address`));

    const isInside = to === machine && target.address !== machine.address;
    const from = { address: isInside ? LOOPBACK_ADDRESS : machine.address, port: this.port };
    const toAddress = isInside ? target.address : to.address;
    const content = new Uint8Array(bytes);
    const fly = () => {
      const arrive = () => {
        const socket = to.isUp ? to.boundAt('udp', toAddress, target.port) : undefined;
        if (socket instanceof SimUdpSocket) socket.#receive(new Uint8Array(content), from);
      };
      kernel.schedule(kernel.links.delayMs(machine.address, to.address), arrive);
    };
    const passes = kernel.links.passes(machine.address, to.address);
    kernel.note(
      `${name} udp ${from.port} > ${target.address}:${target.port} ${bytes.length} B${passes ? '' : ' lost'}`,
    );
    if (passes) {
      fly();
      if (kernel.links.isDoubled(machine.address, to.address)) fly();
    }
    return Promise.resolve();
  }

  onMessage(run: Receive): void {
    this.#receivers.push(run);
  }

  close(): Promise<void> {
    if (this.#isOpen) this.process.machine.release('udp', this, this.port);
    this.#isOpen = false;
    return Promise.resolve();
  }

  /** A paused process gets it when it goes on: the kernel keeps it. */
  #receive(bytes: Uint8Array, from: Endpoint): void {
    const deliver = () => {
      if (!this.#isOpen) return;
      for (const run of this.#receivers) run(bytes, from);
    };
    this.#kernel.schedule(0, deliver, this.process);
  }
}
