/** Ports for nodes: each with the one of its members 1000 below and the one kept for gRPC 1000 above. */
import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const PEER_OFFSET = -1000;
const GRPC_OFFSET = 1000;
/** Below the range that systems give to outgoing connections, so that none of those takes one before the node does. */
const LOWEST = 11_000;
const HIGHEST = 30_000;
const TRIES_MAX = 200;
/** A file for each port that a process of tests has taken: a program needs a while until it listens. */
const CLAIMS = join(tmpdir(), `nacos-kube-ports-${userInfo().username}`);
/** Of a process that was killed; longer than any file of tests runs. */
const CLAIM_MS_MAX = 3_600_000;

/** Public ports, free now with their neighbours, and this process's until it ends. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries += 1) {
    if (tries === TRIES_MAX * count) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST}`);
    const port = randomInt(LOWEST, HIGHEST);
    if (await areTaken(withNeighbours(port))) ports.push(port);
  }
  return ports;
}

/** The lowest of `count` ports in steps of `step`, of which each is free with its neighbours. */
export async function freePortRow(count: number, step: number): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const lowest = randomInt(LOWEST, HIGHEST - count * step);
    const row = Array.from({ length: count }, (_, i) => lowest + i * step);
    if (await areTaken([...new Set(row.flatMap(withNeighbours))])) return lowest;
  }
  throw new Error(`no row of ${count} free ports between ${LOWEST} and ${HIGHEST}`);
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

function withNeighbours(port: number): number[] {
  return [port, port + PEER_OFFSET, port + GRPC_OFFSET];
}

/** All of them or none. */
async function areTaken(ports: readonly number[]): Promise<boolean> {
  const claimed = ports.filter(claim);
  if (claimed.length === ports.length && (await Promise.all(ports.map(isFree))).every(Boolean)) return true;
  claimed.forEach(giveUp);
  return false;
}

const claims = new Set<number>();
let isPrepared = false;

function claim(port: number): boolean {
  if (!isPrepared) prepareClaims();
  isPrepared = true;
  for (;;) {
    mkdirSync(CLAIMS, { recursive: true });
    try {
      writeFileSync(join(CLAIMS, `${port}`), `${process.pid}`, { flag: 'wx' });
      claims.add(port);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      // Without a directory: another process was the last one to end.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

function giveUp(port: number): void {
  claims.delete(port);
  removeClaim(port);
}

function prepareClaims(): void {
  for (const port of claimedPorts()) {
    const { mtimeMs } = statSync(join(CLAIMS, `${port}`), { throwIfNoEntry: false }) ?? {};
    if (mtimeMs !== undefined && mtimeMs < Date.now() - CLAIM_MS_MAX) removeClaim(port);
  }
  process.once('exit', () => {
    [...claims].forEach(giveUp);
    try {
      rmdirSync(CLAIMS);
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'ENOENT') throw error;
    }
  });
}

/** Of all processes. */
function claimedPorts(): readonly number[] {
  try {
    return readdirSync(CLAIMS).map(Number);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function removeClaim(port: number): void {
  try {
    unlinkSync(join(CLAIMS, `${port}`));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '0.0.0.0', port }, () => server.close(() => resolve(true)));
  });
}
