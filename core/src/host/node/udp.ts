import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Endpoint, type Log, NetworkError, type UdpSocket } from '../host.ts';
import { plainAddress } from './address.ts';
import { toNetworkError } from './network-errors.ts';

/** A datagram that waits on the kernel is held in memory; beyond this the next is refused. */
export const UDP_SENDS_UNDER_WAY_MAX = 10_000;

export function openUdp(at: Endpoint, log: Log): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(at.address) ? 'udp6' : 'udp4' });
    const onError = (error: Error) => {
      socket.close();
      reject(toNetworkError(error, `taking udp ${at.address}:${at.port}`));
    };
    socket.once('error', onError);
    socket.bind({ address: at.address, port: at.port }, () => {
      socket.off('error', onError);
      socket.on('error', (error) => log.warn('a udp socket failed', { ...at, error }));
      resolve(new NodeUdpSocket(socket, log));
    });
  });
}

class NodeUdpSocket implements UdpSocket {
  readonly port: number;
  readonly #socket: Socket;
  readonly #log: Log;
  #underWay = 0;
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, log: Log) {
    this.#socket = socket;
    this.#log = log;
    this.port = socket.address().port;
  }

  send(bytes: Uint8Array, target: Endpoint): Promise<void> {
    const doing = `sending to udp ${target.address}:${target.port}`;
    if (this.#closing !== undefined)
      return Promise.reject(new NetworkError('closed', `${doing}: the socket is closed`));
    if (this.#underWay >= UDP_SENDS_UNDER_WAY_MAX) {
      return Promise.reject(new NetworkError('unreachable', `${doing}: ${this.#underWay} are under way already`));
    }
    this.#underWay++;
    return new Promise((resolve, reject) => {
      const onSent = (error: Error | null) => {
        this.#underWay--;
        if (error === null) resolve();
        else reject(toNetworkError(error, doing));
      };
      try {
        this.#socket.send(bytes, target.port, target.address, onSent);
      } catch (error) {
        onSent(error as Error); // a port out of range is thrown, not called back
      }
    });
  }

  onMessage(run: (bytes: Uint8Array, from: Endpoint) => void): void {
    this.#socket.on('message', (bytes, from) => {
      try {
        run(bytes, { address: plainAddress(from.address), port: from.port });
      } catch (error) {
        this.#log.error('a datagram was not handled', { error });
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()));
    return this.#closing;
  }
}
