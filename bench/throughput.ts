/** A row against the server and, in turn with it, against the ceilings. */
import type { StoreOrder, StoreResult } from './bare-sqlite.ts';
import type { Ceiling } from './ceilings.ts';
import type { LoadResult } from './load.ts';
import { median } from './machine.ts';
import { ANY } from './requests.ts';
import { PUBLISHERS, type Row } from './rows.ts';
import { exchange, load, loadOnce, type Server } from './server.ts';
import type { Stage } from './stage.ts';

export interface Measured {
  readonly perSecond: number;
  /** Answers per second of CPU that the server used; null when its process is not known. */
  readonly perCpuSecond: number | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of one core. */
  readonly generatorCpu: number;
}

export interface RowResult {
  readonly name: string;
  readonly server: Measured;
  /** Null when it was not asked for. */
  readonly http: Measured | null;
  readonly socket: Measured | null;
  /** Median over the rounds of server over bare node:http, each per second of CPU. */
  readonly ratio: number | null;
  readonly sqlite: StoreResult | null;
}

export interface Timing {
  readonly warmMs: number;
  readonly roundMs: number;
  readonly rounds: number;
}

const SQLITE_GRACE_MS = 30_000;

export async function measureRow(
  stage: Stage,
  server: Server,
  ceilings: readonly Ceiling[],
  row: Row,
  timing: Timing,
): Promise<RowResult> {
  try {
    for (const { requests, check } of row.prepare) await loadOnce(stage, server, requests, check);
    const answer = await exchange(server, row.requests[0]!, row.check);
    for (const ceiling of ceilings) await ceiling.teach(answer);
    const rounds: Round[] = [];
    for (let round = 0; round < timing.rounds; round++) {
      // No ratio is made of the bare socket, so once is enough.
      const beside = ceilings.filter(({ kind }) => kind !== 'socket' || round === 0);
      rounds.push(await measureRound(stage, server, beside, row, timing));
    }
    for (const { request, check } of row.proof) await exchange(server, request, check);
    return {
      name: row.name,
      server: medianOf(rounds.map((round) => round.server)),
      http: ceilings.length === 0 ? null : medianOf(rounds.map((round) => round.http!)),
      socket: ceilings.length === 0 ? null : rounds[0]!.socket!,
      ratio: medianRatio(rounds),
      sqlite: row.isStored && ceilings.length > 0 ? await sqliteAlone(stage, timing) : null,
    };
  } finally {
    if (!stage.isInterrupted || !server.isOurs) await loadOnce(stage, server, row.clean, ANY);
  }
}

interface Round {
  readonly server: Measured;
  readonly http?: Measured;
  readonly socket?: Measured;
}

async function measureRound(
  stage: Stage,
  server: Server,
  ceilings: readonly Ceiling[],
  row: Row,
  { warmMs, roundMs }: Timing,
): Promise<Round> {
  const measure = async (target: Pick<Server, 'host' | 'port' | 'pid'>): Promise<Measured> => {
    stage.throwIfInterrupted();
    const { connections, requests, check } = row;
    return measuredOf(await load(stage, target, { connections, requests, check, warmMs, durationMs: roundMs }));
  };
  const round: Record<string, Measured> = { server: await measure(server) };
  for (const ceiling of ceilings) round[ceiling.kind] = await measure(ceiling);
  return round as unknown as Round;
}

function measuredOf({ answers, elapsedMs, serverCpuSeconds, p50Ms, p99Ms, ownCpu }: LoadResult): Measured {
  const perCpuSecond = serverCpuSeconds === null ? null : answers / serverCpuSeconds;
  return { perSecond: answers / (elapsedMs / 1_000), perCpuSecond, p50Ms, p99Ms, generatorCpu: ownCpu };
}

async function sqliteAlone(stage: Stage, { roundMs, rounds }: Timing): Promise<StoreResult> {
  const folder = stage.folder();
  try {
    const results: StoreResult[] = [];
    for (let round = 0; round < rounds; round++) {
      const order: StoreOrder = { folder, durationMs: roundMs, group: PUBLISHERS, past: 0 };
      results.push(await stage.ask<StoreResult>('bare-sqlite.ts', order, roundMs + SQLITE_GRACE_MS));
    }
    return {
      perSecond: median(results.map((one) => one.perSecond)),
      perCpuSecond: median(results.map((one) => one.perCpuSecond)),
    };
  } finally {
    stage.removeFolder(folder);
  }
}

function medianRatio(rounds: readonly Round[]): number | null {
  const ratios = rounds.flatMap(({ server, http }) =>
    server.perCpuSecond === null || http?.perCpuSecond == null ? [] : [server.perCpuSecond / http.perCpuSecond],
  );
  return ratios.length === 0 ? null : median(ratios);
}

function medianOf(all: readonly Measured[]): Measured {
  const cpu = all.flatMap((one) => (one.perCpuSecond === null ? [] : [one.perCpuSecond]));
  return {
    perSecond: median(all.map((one) => one.perSecond)),
    perCpuSecond: cpu.length === 0 ? null : median(cpu),
    p50Ms: median(all.map((one) => one.p50Ms)),
    p99Ms: median(all.map((one) => one.p99Ms)),
    generatorCpu: median(all.map((one) => one.generatorCpu)),
  };
}
