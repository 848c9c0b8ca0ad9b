/**
 * The way into the cluster's network, which has no link to this computer's: a process in the hub's network listens on a
 * unix socket, which any network can reach, and connects on to the address that the first line names.
 *
 *     caller: "10.96.0.1 443\n"    door: "ok\n" or "connect ECONNREFUSED ...\n"    then bytes both ways
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Forward {
  /** On 127.0.0.1 of this computer. */
  readonly port: number;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 2_000;
const LINE_BYTES_MAX = 300;
const CONNECT_TIMEOUT_MS = 10_000;

if (import.meta.main) serveDoor(process.argv[2] ?? '');

/** Opens a connection to an address of the cluster; rejects with what the hub saw. */
export async function connectThrough(socketPath: string, host: string, port: number): Promise<Socket> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  socket.write(`${host} ${port}\n`);
  const answer = await readLine(socket);
  if (answer === 'ok') return socket;
  socket.destroy();
  throw new Error(`${host}:${port} in the cluster: ${answer}`);
}

/** Listens on a port of this computer and carries every connection to an address of the cluster. */
export async function openForward(socketPath: string, host: string, port: number, localPort = 0): Promise<Forward> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
    open.add(caller.once('close', () => open.delete(caller)));
    connectThrough(socketPath, host, port).then(
      (far) => join(caller, far),
      // As where nothing listens: the caller sees a reset, not a silent end.
      () => caller.resetAndDestroy(),
    );
    caller.on('error', () => caller.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, { port: localPort, host: '127.0.0.1' });
  server.unref();
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    port: address.port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const caller of open) caller.destroy();
      }),
  };
}

function serveDoor(socketPath: string): void {
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    caller.on('error', () => caller.destroy());
    readLine(caller).then(
      (line) => {
        const [host = '', port = ''] = line.split(' ');
        const far = connect({ host, port: Number(port), allowHalfOpen: true });
        far.setTimeout(CONNECT_TIMEOUT_MS, () => far.destroy(new Error('no answer')));
        const refuse = (error: Error) => caller.end(`${error.message.replaceAll('\n', ' ')}\n`);
        far.once('error', refuse);
        far.once('connect', () => {
          far.off('error', refuse);
          far.setTimeout(0);
          caller.write('ok\n');
          join(caller, far);
        });
      },
      () => caller.destroy(),
    );
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(socketPath, () => console.log(`door open at ${socketPath}`));
}

function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.pipe(to);
  }
}

/** The first line; what follows it stays in the socket, which is paused. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (act: () => void) => {
      socket.off('data', onData).off('error', onEnd).off('close', onEnd).off('end', onEnd);
      socket.pause();
      act();
    };
    const onEnd = (error?: Error | boolean) =>
      settle(() => reject(error instanceof Error ? error : new Error('the door closed the connection')));
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\n');
      if (end === -1 && bytes.length <= LINE_BYTES_MAX) return;
      if (end === -1) return settle(() => reject(new Error('the first line is too long')));
      settle(() => {
        const rest = bytes.subarray(end + 1);
        if (rest.length > 0) socket.unshift(rest);
        resolve(bytes.subarray(0, end).toString());
      });
    };
    socket.on('data', onData).on('error', onEnd).on('close', onEnd).on('end', onEnd);
  });
}

function listen(server: Server, options: { readonly port: number; readonly host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
