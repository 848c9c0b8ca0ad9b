import type { HttpListener, Network, TcpListener, UdpSocket } from '../host/host.ts';
import { SimHttpClient } from './http-client.ts';
import { serveHttp } from './http-server.ts';
import type { Kernel } from './kernel.ts';
import { LOOPBACK_ADDRESS } from './machine.ts';
import type { SimProcess } from './process.ts';
import { connectTcp, listenTcp } from './tcp.ts';
import { SimUdpSocket } from './udp.ts';

/** Everything is copied on its way, so that no two processes ever share a value. */
export function createSimNetwork(kernel: Kernel, process: SimProcess): Network {
  const client = new SimHttpClient(kernel, process);
  /** What the dead ask for never comes. */
  const living = <T>(work: () => Promise<T> | T): Promise<T> => {
    if (!process.isAlive) return new Promise(() => {});
    return Promise.try(work);
  };
  return {
    request: (request) => living(() => client.request(request)),
    serve: (options, handler) => living((): HttpListener => serveHttp(kernel, process, options, handler)),
    udp: (options) => living((): UdpSocket => new SimUdpSocket(kernel, process, options)),
    connect: (target, timeoutMs) => living(() => connectTcp(kernel, process, target, timeoutMs)),
    listen: (target, onConnection) => living((): TcpListener => listenTcp(process, target, onConnection)),
    addresses: () => [LOOPBACK_ADDRESS, process.machine.address],
  };
}
