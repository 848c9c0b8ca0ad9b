/** The server that is measured: a node that this run starts, or any other that speaks Nacos 1.x. */
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { freePort } from '../e2e/processes/ports.ts';
import { type Check, frameOf, isChunkedWhole, wrongIn } from './answer.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import { requestsFor } from './requests.ts';
import type { Stage } from './stage.ts';

export interface Server {
  readonly host: string;
  readonly port: number;
  readonly contextPath: string;
  /** Null when only its answers are known. */
  readonly pid: number | null;
  readonly isOurs: boolean;
}

const EXCHANGE_MS_MAX = 15_000;
const READY_EACH_MS = 10;
/** Beside the time that a load is to take. */
const LOAD_GRACE_MS = 30_000;

export interface OwnNode extends Server {
  readonly child: ChildProcess;
  readonly readyAfterMs: number;
}

/** Resolves when it is ready. */
export async function startNode(stage: Stage, data: string, readyMsMax: number): Promise<OwnNode> {
  const [host, port] = ['127.0.0.1', await freePort()];
  const flags = { port, data, listen: host, 'log-level': 'warn' };
  const startedMs = performance.now();
  const { child, log } = stage.startNode(Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]));
  const url = `http://${host}:${port}/nacos/v1/console/health/readiness`;
  for (;;) {
    const isReady = await fetch(url, { signal: AbortSignal.timeout(READY_EACH_MS * 100) }).then(
      (response) => response.status === 200,
      () => false,
    );
    const elapsedMs = performance.now() - startedMs;
    if (isReady) {
      return { host, port, contextPath: '/nacos', pid: child.pid!, isOurs: true, child, readyAfterMs: elapsedMs };
    }
    if (child.exitCode !== null || child.signalCode !== null || elapsedMs > readyMsMax) {
      await stage.end(child);
      throw new Error(`the node was not ready ${Math.round(elapsedMs)} ms after its start\n${log()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_EACH_MS));
  }
}

/** A load generator against it. Throws when an answer was wrong. */
export async function load(
  stage: Stage,
  server: Pick<Server, 'host' | 'port' | 'pid'>,
  order: Pick<LoadOrder, 'connections' | 'warmMs' | 'durationMs' | 'requests' | 'check'>,
): Promise<LoadResult> {
  const { host, port, pid } = server;
  const forMs = order.durationMs === 'once' ? order.requests.length : order.durationMs;
  const whole: LoadOrder = { ...order, host, port, serverPid: pid };
  const result = await stage.ask<LoadResult>('load.ts', whole, order.warmMs + forMs + LOAD_GRACE_MS);
  if (result.wrong > 0) {
    throw new Error(
      `${result.wrong} answers, ${result.answers} of them counted, were wrong, first: ${result.complaint}`,
    );
  }
  if (!result.isPatient) tellOnce();
  return result;
}

let isTold = false;

function tellOnce(): void {
  if (!isTold)
    console.error('       without chrt (util-linux) the load takes cores from the server: some 5 to 10 % less');
  isTold = true;
}

const ALL_AT_ONCE = 32;

/** Each request once. */
export async function loadOnce(
  stage: Stage,
  server: Server,
  requests: readonly string[],
  check: Check,
): Promise<LoadResult | undefined> {
  if (requests.length === 0) return undefined;
  return load(stage, server, { connections: ALL_AT_ONCE, warmMs: 0, durationMs: 'once', requests, check });
}

/** What a node exports, by name with its labels; NaN for what it does not. */
export async function scrape({
  host,
  port,
  contextPath,
}: Pick<Server, 'host' | 'port' | 'contextPath'>): Promise<(name: string) => number> {
  const request = requestsFor(contextPath, host, '').get('/actuator/prometheus');
  const answer = await exchange({ host, port }, request, { text: 'nacos_monitor', full: { kind: 'text' } });
  const lines = answer.toString().split('\n');
  return (name) => Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
}

/** One request on a connection of its own, and the whole answer, checked. */
export function exchange(
  { host, port }: Pick<Server, 'host' | 'port'>,
  request: string,
  check: Check,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    let answer: Buffer = Buffer.alloc(0);
    const settle = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve(answer);
      else reject(error);
    };
    socket.setTimeout(EXCHANGE_MS_MAX, () => settle(new Error(`no answer within ${EXCHANGE_MS_MAX} ms`)));
    socket.on('error', settle);
    socket.on('close', () => settle(new Error('the server closed the connection instead of answering')));
    socket.on('data', (chunk: Buffer) => {
      answer = answer.length === 0 ? chunk : Buffer.concat([answer, chunk]);
      const frame = frameOf(answer);
      if (frame === undefined) return;
      if (frame.length === undefined ? !isChunkedWhole(answer, frame) : answer.length < frame.length) return;
      const complaint = wrongIn(answer, frame, check);
      settle(complaint === undefined ? undefined : new Error(complaint));
    });
    socket.write(request);
  });
}
