/**
 * The ceiling: a bare node:http handler that reads the request and answers fixed bytes. `node bench/bare.ts`, takes the
 * answer by POST /answer (headers of the answer in `x-answer-headers`), prints its port.
 */
import { createServer } from 'node:http';

let headers: Record<string, string> = {};
let body: Buffer = Buffer.alloc(0);

const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/answer') {
      headers = JSON.parse(String(request.headers['x-answer-headers'])) as Record<string, string>;
      body = Buffer.concat(chunks);
      response.end();
      return;
    }
    response.writeHead(200, { ...headers, 'content-length': body.length });
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
process.stdin.on('end', () => process.exit(0)).resume();
