import type { Random } from '../host/host.ts';
import type { CheckPeriod } from '../model/switches.ts';
import { DueWheel } from './due-wheel.ts';
import { DEFAULT_PARAMETERS, nextPeriodMs, PERIOD_CEILING_MS, type ProbeParameters } from './parameters.ts';
import {
  type ProbeResult,
  type ProbeTarget,
  type ProbeVerdict,
  sameQuestion,
  type TargetId,
  targetId,
} from './target.ts';

export const FIRST_DELAY_MS = 2_000;
export const TARGETS_MAX = 100_000;
/** A probe that starts this much after its time is counted as late. */
export const LATE_MS = 1_000;
/** Weight of the newest in the mean of the measured periods. */
const PERIOD_WEIGHT = 0.02;

/** A probe that has started; whoever takes it brings it back with its result. */
export interface ProbeRun {
  readonly target: ProbeTarget;
}

interface Watched {
  target: ProbeTarget;
  periodMs: number;
  dueMs: number;
  startedMs: number | undefined;
  isRunning: boolean;
  /** No longer watched, or watched anew: what comes of it counts for nothing. */
  isGone: boolean;
  isVerified: boolean;
  succeeded: number;
  failed: number;
}

/**
 * Who is asked when, and what the answers mean. A target waits > runs > waits; the period counts from start to start.
 * `checkTimes` results of a kind make a verdict, a `down` makes one at once (spec/naming.md 6).
 *
 * Whoever takes less than is due stretches the periods of all alike: the longest due comes first.
 */
export class ProbeMachine {
  readonly #random: Random;
  readonly #periodMaxMs: number | undefined;
  readonly #watched = new Map<TargetId, Watched>();
  readonly #due = new DueWheel<Watched>();
  #parameters: ProbeParameters = DEFAULT_PARAMETERS;
  #meanPeriodMs: number | undefined;
  late = 0;
  /** Times that a target was due while its last probe was still running. */
  skipped = 0;

  /** `periodMaxMs` stands in for what the switches say. */
  constructor(random: Random, periodMaxMs?: number) {
    this.#random = random;
    this.#periodMaxMs = periodMaxMs;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** Targets that are due and were not taken; some may have gone. */
  get overdue(): number {
    return this.#due.readyCount;
  }

  /** Between two probes of a target as measured, a mean over the last ones; undefined before there are any. */
  get meanPeriodMs(): number | undefined {
    return this.#meanPeriodMs;
  }

  set parameters(parameters: ProbeParameters) {
    this.#parameters = parameters;
  }

  /** A known target keeps its counters, unless something else is asked of it. False: there is no room for it. */
  put(target: ProbeTarget, nowMs: number): boolean {
    const id = targetId(target);
    const known = this.#watched.get(id);
    if (known !== undefined && sameQuestion(known.target, target)) {
      known.target = target;
      return true;
    }
    if (known === undefined && this.#watched.size >= TARGETS_MAX) return false;
    if (known !== undefined) known.isGone = true;
    const fresh = this.#fresh(target, nowMs);
    this.#watched.set(id, fresh);
    this.#due.add(fresh, fresh.dueMs);
    return true;
  }

  remove(id: TargetId): void {
    const known = this.#watched.get(id);
    if (known === undefined) return;
    known.isGone = true;
    this.#watched.delete(id);
  }

  clear(): void {
    for (const known of this.#watched.values()) known.isGone = true;
    this.#watched.clear();
    this.#due.clear();
    this.#meanPeriodMs = undefined;
  }

  /** What is to be asked now, at most `limit`, the longest due first; each is running from here on. */
  takeDue(nowMs: number, limit: number): ProbeRun[] {
    this.#due.advance(nowMs);
    const taken: Watched[] = [];
    while (taken.length < limit) {
      const watched = this.#due.shift();
      if (watched === undefined) break;
      if (watched.isGone) continue;
      if (watched.isRunning) this.#skip(watched);
      else {
        this.#start(watched, nowMs);
        taken.push(watched);
      }
      watched.dueMs = nowMs + watched.periodMs;
      this.#due.add(watched, watched.dueMs);
    }
    return taken;
  }

  /** A verdict when the result changes what is shown, or is the first one about this target. */
  finished(run: ProbeRun, result: ProbeResult): ProbeVerdict | undefined {
    const watched = run as Watched;
    watched.isRunning = false;
    if (watched.isGone) return undefined;
    this.#adapt(watched, result);
    const isUp = result.outcome === 'ok';
    watched.succeeded = isUp ? watched.succeeded + 1 : 0;
    watched.failed = isUp ? 0 : watched.failed + 1;
    const { checkTimes } = this.#parameters;
    const isEnough = result.outcome === 'down' || watched.succeeded >= checkTimes || watched.failed >= checkTimes;
    const { service, key, healthy } = watched.target;
    if (!isEnough || (watched.isVerified && healthy === isUp)) return undefined;
    watched.isVerified = true;
    watched.target = { ...watched.target, healthy: isUp };
    return { service, key, healthy: isUp };
  }

  /** There is no result, and the next probe comes as planned. */
  abandoned(run: ProbeRun): void {
    (run as Watched).isRunning = false;
  }

  /** The time that a target's next probe is away from its last. */
  periodMsOf(run: ProbeRun): number {
    return (run as Watched).periodMs;
  }

  #start(watched: Watched, nowMs: number): void {
    if (nowMs - watched.dueMs > LATE_MS) this.late++;
    watched.isRunning = true;
    if (watched.startedMs !== undefined) {
      const periodMs = nowMs - watched.startedMs;
      this.#meanPeriodMs ??= periodMs;
      this.#meanPeriodMs += PERIOD_WEIGHT * (periodMs - this.#meanPeriodMs);
    }
    watched.startedMs = nowMs;
  }

  #skip(watched: Watched): void {
    this.skipped++;
    this.#adapt(watched, { outcome: 'timeout', tookMs: 0 });
  }

  #adapt(watched: Watched, result: ProbeResult): void {
    const { kind } = watched.target.check;
    watched.periodMs = nextPeriodMs(kind, this.#bounds(watched.target), watched.periodMs, result);
  }

  #bounds({ check }: ProbeTarget): CheckPeriod {
    const bounds = this.#parameters.periods[check.kind];
    return this.#periodMaxMs === undefined ? bounds : { ...bounds, max: this.#periodMaxMs };
  }

  #fresh(target: ProbeTarget, nowMs: number): Watched {
    const spreadMs = this.#random.int(
      1 + this.#random.int(Math.min(this.#parameters.periods.TCP.max, PERIOD_CEILING_MS)),
    );
    return {
      target,
      periodMs: this.#bounds(target).min,
      dueMs: nowMs + FIRST_DELAY_MS + spreadMs,
      startedMs: undefined,
      isRunning: false,
      isGone: false,
      isVerified: false,
      succeeded: 0,
      failed: 0,
    };
  }
}
