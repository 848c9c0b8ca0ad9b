/**
 * One load generator process: `node bench/load.ts`, takes a `LoadOrder` as JSON on stdin, prints one `LoadResult` as JSON. Closed loop:
 * each connection has one request under way. Bare sockets, since an HTTP client costs more than what it measures.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Whole requests as sent; each connection goes through them in turn, from a different place. */
  readonly requests: readonly string[];
  /** Must stand in every answer, else it counts as wrong. */
  readonly expect: string;
}

export interface LoadResult {
  readonly answers: number;
  readonly wrong: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of one core: near 1 means that the generator is the limit. */
  readonly ownCpu: number;
}

const EMPTY = Buffer.alloc(0);
const HEAD_END = Buffer.from('\r\n\r\n');

async function main(order: LoadOrder): Promise<LoadResult> {
  const requests = order.requests.map((request) => Buffer.from(request));
  const expect = Buffer.from(order.expect);
  const latencies: number[] = [];
  let answers = 0;
  let wrong = 0;
  let isOver = false;
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const endsMs = startedMs + order.durationMs;

  const drive = (socket: Socket, first: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let next = first;
      let sentMs = 0;
      let received: Buffer = EMPTY;
      const send = (): void => {
        sentMs = performance.now();
        socket.write(requests[next++ % requests.length]!);
      };
      socket.on('data', (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const length = answerLength(received);
        if (length === undefined || received.length < length) return;
        answers++;
        if (!received.includes(expect)) wrong++;
        const nowMs = performance.now();
        if (answers % 7 === 0) latencies.push(nowMs - sentMs);
        received = received.subarray(length);
        if (nowMs < endsMs && !isOver) send();
        else {
          socket.destroy();
          resolve();
        }
      });
      socket.on('error', reject);
      send();
    });

  await Promise.all(
    Array.from({ length: order.connections }, async (_, index) => {
      const socket = connect({ port: order.port, host: '127.0.0.1', noDelay: true });
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      await drive(socket, Math.floor((index * requests.length) / order.connections));
    }),
  ).finally(() => {
    isOver = true;
  });
  const elapsedMs = performance.now() - startedMs;
  const cpu = process.cpuUsage(cpuBefore);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  const ownCpu = (cpu.user + cpu.system) / 1000 / elapsedMs;
  return { answers, wrong, elapsedMs, p50Ms: at(0.5), p99Ms: at(0.99), ownCpu };
}

/** Length of the answer at the front, or undefined while its head is not whole. */
function answerLength(received: Buffer): number | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without length: ${head}`);
  return headEnd + HEAD_END.length + Number(length);
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
console.log(JSON.stringify(await main(JSON.parse(Buffer.concat(chunks).toString()) as LoadOrder)));
