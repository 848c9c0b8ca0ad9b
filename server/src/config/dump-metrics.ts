import type { DumpMark } from './dump-walk.ts';

export interface DumpMetrics {
  readonly dumpQueue: number;
  readonly dumpWrites: number;
  readonly dumpFailures: number;
  readonly dumpDamaged: number;
  /** 1 while the disk takes no writes. */
  readonly dumpFailing: number;
  /** What a start without the store would serve; 0 before the first. */
  readonly dumpGeneration: number;
  /** Since that was made whole; -1 before the first. */
  readonly dumpAgeSeconds: number;
  /** Files that a loss of power may take back. */
  readonly dumpUnsettled: number;
}

export function ageSeconds(whole: DumpMark | undefined, nowMs: number): number {
  return whole === undefined ? -1 : Math.max(0, nowMs - whole.atMs) / 1_000;
}
