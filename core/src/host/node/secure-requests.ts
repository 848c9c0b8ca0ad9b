import { readFile } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as startRequest } from 'node:https';
import { type InboundResponse, NetworkError } from '../host.ts';
import type { LineStream, SecureGet, SecureLines, SecureRequest, SecureRequests } from '../secure.ts';
import { headersOf } from './http-headers.ts';
import { toNetworkError } from './network-errors.ts';

export const nodeSecureRequests: SecureRequests = { get, lines };

async function get(request: SecureGet): Promise<InboundResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<InboundResponse>();
  let outgoing: ClientRequest | undefined;
  let isOver = false;
  const fail = (error: unknown) => {
    isOver = true;
    reject(toNetworkError(error, nameOf(request)));
    outgoing?.destroy();
  };
  const timer = setTimeout(
    () => fail(new NetworkError('timeout', `${nameOf(request)}: no answer in ${request.timeoutMs} ms`)),
    request.timeoutMs,
  );
  open(request, fail, (incoming) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= request.bodyBytesMax) chunks.push(chunk);
      else fail(tooLarge(request, `answer is larger than ${request.bodyBytesMax} bytes`));
    });
    incoming.on('end', () =>
      resolve({ status: incoming.statusCode as number, headers: headersOf(incoming.rawHeaders), body: joined(chunks) }),
    );
  }).then((opened) => {
    outgoing = opened;
    if (isOver) opened.destroy(); // the time was up while the files were read
  }, fail);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function lines(request: SecureLines, onLine: (line: string) => void): LineStream {
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
  let outgoing: ClientRequest | undefined;
  let isOver = false;
  const over = () => {
    isOver = true;
    clearTimeout(silence);
    outgoing?.destroy();
  };
  const fail = (error: unknown) => {
    if (isOver) return;
    over();
    reject(toNetworkError(error, nameOf(request)));
  };
  const silence = setTimeout(
    () => fail(new NetworkError('timeout', `${nameOf(request)}: silent for ${request.silenceMs} ms`)),
    request.silenceMs,
  );
  open(request, fail, (incoming) => {
    let rest = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => {
      if (isOver) return;
      silence.refresh();
      if (incoming.statusCode !== 200) return;
      const whole = (rest + text).split('\n');
      rest = whole.pop() as string;
      for (const line of whole) if (line !== '' && !isOver) onLine(line);
      if (rest.length > request.lineCharsMax)
        fail(tooLarge(request, `line is over ${request.lineCharsMax} characters`));
    });
    incoming.on('end', () => {
      over();
      resolve(incoming.statusCode as number); // what is left without an end of line was cut
    });
  }).then((opened) => {
    outgoing = opened;
    if (isOver) opened.destroy();
  }, fail);
  return { ended, close: () => fail(new NetworkError('closed', `${nameOf(request)}: given up`)) };
}

async function open(
  request: SecureRequest,
  fail: (error: unknown) => void,
  onResponse: (incoming: IncomingMessage) => void,
): Promise<ClientRequest> {
  const [authority, token] = await Promise.all([readFile(request.authorityFile), readFile(request.tokenFile, 'utf8')]);
  const outgoing = startRequest({
    host: request.address,
    port: request.port,
    path: request.path,
    ca: authority,
    headers: { authorization: `Bearer ${token.trim()}`, accept: 'application/json' },
    agent: false,
  });
  outgoing.on('error', fail);
  outgoing.on('response', (incoming) => {
    incoming.on('error', fail);
    onResponse(incoming);
  });
  outgoing.end();
  return outgoing;
}

function joined(chunks: readonly Buffer[]): Uint8Array {
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

function tooLarge(request: SecureRequest, what: string): NetworkError {
  return new NetworkError('protocol', `${nameOf(request)}: the ${what}`);
}

function nameOf({ address, port, path }: SecureRequest): string {
  return `GET https://${address}:${port}${path}`;
}
