import type { Log, Network } from '../host.ts';
import { ownAddresses } from './address.ts';
import { createHttpClient } from './http-client.ts';
import { serveHttp } from './http-server.ts';
import { connectTcp, listenTcp } from './tcp.ts';
import { openUdp } from './udp.ts';

export function createNodeNetwork(log: Log): Network {
  const client = createHttpClient();
  return {
    request: (request) => client.request(request),
    serve: (options, handler) => serveHttp(options, handler, log),
    udp: (options) => openUdp(options, log),
    connect: connectTcp,
    listen: (target, onConnection) => listenTcp(target, onConnection, log),
    addresses: ownAddresses,
  };
}
