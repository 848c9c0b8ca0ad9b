import type { Random } from '../host/host.ts';

/** A persistent instance whose port is to be tried. */
export interface ProbeTarget {
  /** `namespace##GROUP@@service` */
  readonly service: string;
  /** `ip:port:cluster` */
  readonly key: string;
  readonly ip: string;
  readonly port: number;
  /** As the node shows it now. */
  readonly healthy: boolean;
}

export interface ProbeResult {
  readonly kind: 'connected' | 'timeout' | 'refused' | 'failed';
  readonly tookMs: number;
}

export interface ProbeVerdict {
  readonly service: string;
  readonly key: string;
  readonly healthy: boolean;
}

/** Periods of TCP checks in ms, and how slowly they follow the measured time (spec/naming.md 6). */
export const PROBE_PERIOD_MIN_MS = 1_000;
export const PROBE_PERIOD_MAX_MS = 5_000;
export const PROBE_FACTOR = 0.75;
export const FIRST_DELAY_MS = 2_000;
/** Results of one kind in a row that make a verdict. */
export const CHECK_TIMES = 3;
export const TARGETS_MAX = 100_000;
/** A probe that starts this much after its time is counted as late. */
export const LATE_MS = 1_000;

interface Watched {
  target: ProbeTarget;
  periodMs: number;
  dueMs: number;
  isRunning: boolean;
  isVerified: boolean;
  succeeded: number;
  failed: number;
}

/**
 * Which port is tried when, and what the results mean. A target waits > runs > waits; `CHECK_TIMES` results of a kind
 * make a verdict, a refused connection makes one at once: the machine is there and says that nobody listens.
 */
export class ProbeMachine {
  readonly #random: Random;
  readonly #periodMaxMs: number;
  readonly #watched = new Map<string, Watched>();
  late = 0;
  /** Targets beyond `TARGETS_MAX`, which are not watched. */
  refused = 0;

  constructor(random: Random, periodMaxMs = PROBE_PERIOD_MAX_MS) {
    this.#random = random;
    this.#periodMaxMs = periodMaxMs;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** The whole list: what is missing from it is no longer watched, what is known keeps its counters. */
  setTargets(targets: readonly ProbeTarget[], nowMs: number): void {
    const wanted = new Set(targets.map(idOf));
    for (const id of this.#watched.keys()) if (!wanted.has(id)) this.#watched.delete(id);
    this.refused = 0;
    for (const target of targets) {
      const known = this.#watched.get(idOf(target));
      if (known !== undefined) known.target = target;
      else if (this.#watched.size >= TARGETS_MAX) this.refused++;
      else this.#watched.set(idOf(target), this.#fresh(target, nowMs));
    }
  }

  /** What is to be tried now, at most `limit`, the longest due first; each is running from here on. */
  takeDue(nowMs: number, limit: number): ProbeTarget[] {
    const due = [...this.#watched.values()].filter((one) => !one.isRunning && one.dueMs <= nowMs);
    due.sort((a, b) => a.dueMs - b.dueMs);
    return due.slice(0, limit).map((one) => {
      if (nowMs - one.dueMs > LATE_MS) this.late++;
      one.isRunning = true;
      return one.target;
    });
  }

  /** A verdict when the result changes what is shown, or is the first one about this target. */
  finished(target: ProbeTarget, result: ProbeResult, nowMs: number): ProbeVerdict | undefined {
    const watched = this.#watched.get(idOf(target));
    if (watched === undefined) return undefined;
    watched.isRunning = false;
    watched.periodMs = nextPeriodMs(watched.periodMs, result, this.#periodMaxMs);
    watched.dueMs = nowMs + watched.periodMs;
    const isUp = result.kind === 'connected';
    watched.succeeded = isUp ? watched.succeeded + 1 : 0;
    watched.failed = isUp ? 0 : watched.failed + 1;
    const isEnough = result.kind === 'refused' || watched.succeeded >= CHECK_TIMES || watched.failed >= CHECK_TIMES;
    if (!isEnough || (watched.isVerified && watched.target.healthy === isUp)) return undefined;
    watched.isVerified = true;
    watched.target = { ...watched.target, healthy: isUp };
    return { service: target.service, key: target.key, healthy: isUp };
  }

  #fresh(target: ProbeTarget, nowMs: number): Watched {
    const spreadMs = this.#random.int(1 + this.#random.int(PROBE_PERIOD_MAX_MS));
    return {
      target,
      periodMs: PROBE_PERIOD_MIN_MS,
      dueMs: nowMs + FIRST_DELAY_MS + spreadMs,
      isRunning: false,
      isVerified: false,
      succeeded: 0,
      failed: 0,
    };
  }
}

function nextPeriodMs(periodMs: number, { kind, tookMs }: ProbeResult, periodMaxMs: number): number {
  const measuredMs = kind === 'connected' ? tookMs : kind === 'timeout' ? 2 * periodMs : periodMaxMs;
  const nextMs = PROBE_FACTOR * periodMs + (1 - PROBE_FACTOR) * measuredMs;
  return Math.trunc(Math.min(periodMaxMs, Math.max(PROBE_PERIOD_MIN_MS, nextMs)));
}

function idOf({ service, key }: ProbeTarget): string {
  return `${service}##${key}`;
}
