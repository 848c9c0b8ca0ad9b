/**
 * The ceilings: servers that read a request and answer fixed bytes. `node bench/bare.ts http` is a node:http handler,
 * `socket` finds the end of a request in what a bare socket reads. Tells its port, and is told the answer, by messages.
 */
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';

/** The whole answer of the server that is compared, in base64. */
export interface Taught {
  readonly answer: string;
}

const HEAD_END = '\r\n\r\n';
/** Which node:http writes itself. */
const OWN_HEADERS = new Set(['content-length', 'connection', 'date', 'keep-alive']);

function httpCeiling(): { readonly server: Server; readonly teach: (answer: Buffer) => void } {
  let headers: Record<string, string> = {};
  let body: Buffer = Buffer.alloc(0);
  const server = createHttpServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
    const answer = (): void => {
      response.writeHead(200, headers);
      response.end(body);
    };
    if (request.headers['content-length'] === undefined) {
      answer();
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', answer);
  });
  const teach = (answer: Buffer): void => {
    const headEnd = answer.indexOf(HEAD_END);
    const lines = answer.toString('latin1', 0, headEnd).split('\r\n').slice(1);
    const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
    body = answer.subarray(headEnd + HEAD_END.length);
    headers = Object.fromEntries(pairs.filter(([name]) => !OWN_HEADERS.has(name!.toLowerCase())));
    headers['content-length'] = String(body.length);
  };
  return { server, teach };
}

function socketCeiling() {
  let taught: Buffer = Buffer.alloc(0);
  const server = createSocketServer({ noDelay: true }, (socket) => {
    let unread: Buffer | undefined;
    socket.on('data', (chunk: Buffer) => {
      const request = unread === undefined ? chunk : Buffer.concat([unread, chunk]);
      const headEnd = request.indexOf(HEAD_END);
      const isWhole = headEnd >= 0 && request.length >= headEnd + HEAD_END.length + bodyLength(request, headEnd);
      unread = isWhole ? undefined : request;
      if (isWhole) socket.write(taught);
    });
    socket.on('error', () => socket.destroy());
  });
  const teach = (answer: Buffer): void => {
    taught = answer;
  };
  return { server, teach };
}

function bodyLength(request: Buffer, headEnd: number): number {
  const at = request.indexOf('Content-Length: ');
  return at < 0 || at > headEnd ? 0 : Number.parseInt(request.toString('latin1', at + 16, at + 26), 10);
}

const { server, teach } = process.argv[2] === 'socket' ? socketCeiling() : httpCeiling();
process.on('message', ({ answer }: Taught) => {
  teach(Buffer.from(answer, 'base64'));
  process.send!('taught');
});
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port));
