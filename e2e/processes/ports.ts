/** Ports for nodes: each with the one of its members 1000 below and the one kept for gRPC 1000 above. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const PEER_OFFSET = -1000;
const GRPC_OFFSET = 1000;
/** Below the range that systems give to outgoing connections, so that none of those takes one before the node does. */
const LOWEST = 11_000;
const HIGHEST = 30_000;
const TRIES_MAX = 200;

/** Public ports, free now with their neighbours; suites that run beside each other draw at random. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  const taken = new Set<number>();
  for (let tries = 0; ports.length < count; tries += 1) {
    if (tries === TRIES_MAX * count) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST}`);
    const port = randomInt(LOWEST, HIGHEST);
    const wanted = withNeighbours(port);
    if (wanted.some((one) => taken.has(one)) || !(await areFree(wanted))) continue;
    for (const one of wanted) taken.add(one);
    ports.push(port);
  }
  return ports;
}

/** The lowest of `count` ports in steps of `step`, of which each is free with its neighbours. */
export async function freePortRow(count: number, step: number): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const lowest = randomInt(LOWEST, HIGHEST - count * step);
    const row = Array.from({ length: count }, (_, i) => lowest + i * step);
    if (await areFree(row.flatMap(withNeighbours))) return lowest;
  }
  throw new Error(`no row of ${count} free ports between ${LOWEST} and ${HIGHEST}`);
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

function withNeighbours(port: number): number[] {
  return [port, port + PEER_OFFSET, port + GRPC_OFFSET];
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const answers = await Promise.all(ports.map(isFree));
  return answers.every(Boolean);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '0.0.0.0', port }, () => server.close(() => resolve(true)));
  });
}
