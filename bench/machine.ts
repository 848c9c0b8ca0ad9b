/** What the kernel says of a process and does for it: CPU and memory. Linux only. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const CLOCK_TICKS = 100;

/** User and system time of all its threads. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/**
 * From now on this process takes no core at the moment that it wakes. Callers are on other machines; one of this machine
 * that takes the core whenever an answer comes costs the server a switch or two for each of them. False where it cannot
 * be had: without chrt (util-linux), or where it may not.
 */
export function wakePatiently(): boolean {
  const args = ['--all-tasks', '--batch', '--pid', '0', String(process.pid)];
  return spawnSync('chrt', args, { stdio: 'ignore' }).status === 0;
}

/** Time of its main thread since its start, ms: with a core, and waiting for one. */
export function busyMs(): number {
  const [running = 0, waiting = 0] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number);
  return (running + waiting) / 1e6;
}

export function rssBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory any more`);
  return Number(kilobytes) * 1024;
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
