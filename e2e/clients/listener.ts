/** A port on this machine that members can check, opened and closed by a step. */
import { createServer, type Server } from 'node:net';
import type { Listener } from './stage.ts';

export async function openListener(ip: string, port = 0): Promise<Listener> {
  let server = await listen(ip, port);
  const given = (server.address() as { port: number }).port;
  return {
    ip,
    port: given,
    async close() {
      const isClosed = new Promise((resolve) => server.close(resolve));
      await isClosed;
    },
    async open() {
      server = await listen(ip, given);
    },
  };
}

async function listen(ip: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  return await new Promise((resolve, reject) => {
    server.once('error', reject).listen({ host: ip, port }, () => resolve(server));
  });
}
