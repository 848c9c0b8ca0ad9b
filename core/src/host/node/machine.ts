import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type { Machine, MachineLoad } from '../host.ts';

/** Asked again within this time it answers the same: reading the cores is not free, and a share of nothing is none. */
export const SAMPLE_MS = 1_000;

export interface CpuTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

/** How busy this machine is, as its kernel tells. */
export function createNodeMachine(nowMs: () => number, readTimes: () => CpuTimes = cpuTimes): Machine {
  let sampled = { atMs: nowMs(), times: readTimes(), cpu: -1 };
  return {
    load(): MachineLoad {
      const atMs = nowMs();
      if (sampled.cpu < 0 || atMs - sampled.atMs >= SAMPLE_MS) {
        const times = readTimes();
        const busyMs = times.busyMs - sampled.times.busyMs;
        const totalMs = times.totalMs - sampled.times.totalMs;
        sampled = { atMs, times, cpu: totalMs > 0 ? Math.min(1, Math.max(0, busyMs / totalMs)) : sampled.cpu };
      }
      const [load = -1] = loadavg();
      return { cpu: sampled.cpu, load, memory: 1 - freemem() / totalmem() };
    },
  };
}

function cpuTimes(): CpuTimes {
  let [busyMs, totalMs] = [0, 0];
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq;
    busyMs += busy;
    totalMs += busy + times.idle;
  }
  return { busyMs, totalMs };
}
