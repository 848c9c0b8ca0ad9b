import type { Host, Timer } from '../host/host.ts';
import { type ProbeGuard, targetRefusal } from './guard.ts';
import { httpCheck } from './http-check.ts';
import { ProbeMachine, type ProbeRun } from './machine.ts';
import type { MysqlProbe } from './mysql-check.ts';
import { DEFAULT_PARAMETERS, measuredMs, type ProbeParameters } from './parameters.ts';
import { clusterOfKey, RoundTrips } from './round-trips.ts';
import {
  CHECK_KINDS,
  type CheckKind,
  PROBE_OUTCOMES,
  type ProbeOutcome,
  type ProbeResult,
  type ProbeTarget,
  type ProbeVerdict,
  type TargetId,
  targetId,
} from './target.ts';
import { tcpCheck } from './tcp-check.ts';

export const CONNECT_TIMEOUT_MS = 500;
/** Enough for as many a second as are started, though each waits for its whole time. */
export const PROBES_AT_ONCE_MAX = 512;
/** The kernels on the way remember a connection for two minutes: 120,000 of them they can bear. */
export const PROBES_PER_SECOND_MAX = 1_000;
const TICK_MS = 100;
const REPORT_PERIOD_MS = 60_000;
const NO_ROOM = 'too many targets';

export interface ProberEvents {
  /** Told of every probe, for metrics. */
  onResult?(target: ProbeTarget, result: ProbeResult): void;
  onVerdict(verdict: ProbeVerdict): void;
}

export interface ProberOptions {
  /** A connection that takes longer is a failure; default `CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** The longest time between two probes of a target, whatever the switches say. */
  readonly periodMaxMs?: number;
  /** Without it databases are not asked (S9). */
  readonly mysql?: MysqlProbe | undefined;
}

/**
 * Probes the targets it is given, as the machine says, at most `PROBES_PER_SECOND_MAX` a second and
 * `PROBES_AT_ONCE_MAX` at once. Targets that need more, some 5,000 at the periods that are switched on from the start,
 * wait their turn: the period becomes longer for all alike (100,000 are each probed about every 100 s), `late` counts,
 * and the log says so once a minute.
 */
export class Prober {
  readonly #host: Host;
  readonly #events: ProberEvents;
  readonly #machine: ProbeMachine;
  readonly #connectTimeoutMs: number;
  readonly #mysql: MysqlProbe | undefined;
  /** All that were given, those that are not probed with the reason why. */
  readonly #given = new Map<TargetId, { readonly target: ProbeTarget; readonly refusal: string | undefined }>();
  readonly #refused = new Map<string, number>();
  /** Those that found no room, the first one first. */
  readonly #waiting = new Set<TargetId>();
  readonly #toldRefusals = new Set<string>();
  readonly #results = new Map<CheckKind, Map<ProbeOutcome, number>>();
  readonly roundTrips = new RoundTrips();
  #guard: ProbeGuard = { forbidden: new Set(), isLoopbackAllowed: false };
  #parameters = DEFAULT_PARAMETERS;
  #timer: Timer | undefined;
  #running = 0;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #reportedLate = 0;

  constructor(host: Host, events: ProberEvents, options: ProberOptions = {}) {
    this.#host = host;
    this.#events = events;
    this.#machine = new ProbeMachine(host.random, options.periodMaxMs);
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#mysql = options.mysql;
  }

  // ------------------------------------------------------------------------------------------- figures

  /** Targets that are probed. */
  get targetCount(): number {
    return this.#machine.size;
  }

  get lateCount(): number {
    return this.#machine.late;
  }

  get overdueCount(): number {
    return this.#machine.overdue;
  }

  get runningCount(): number {
    return this.#running;
  }

  /** Between two probes of one target, as measured lately; undefined before there was any. */
  get periodMs(): number | undefined {
    return this.#machine.meanPeriodMs;
  }

  /** Targets that are not probed, by reason. */
  get refused(): ReadonlyMap<string, number> {
    return this.#refused;
  }

  /** Probes since the start, those that never were included. */
  *results(): Iterable<{ readonly kind: CheckKind; readonly outcome: ProbeOutcome; readonly count: number }> {
    for (const kind of CHECK_KINDS) {
      for (const outcome of PROBE_OUTCOMES) yield { kind, outcome, count: this.#results.get(kind)?.get(outcome) ?? 0 };
    }
  }

  // ------------------------------------------------------------------------------------------- targets

  put(target: ProbeTarget): void {
    const id = targetId(target);
    const known = this.#given.get(id);
    if (known?.refusal !== undefined) this.#count(known.refusal, -1);
    const refusal =
      targetRefusal(target, this.#guard, this.#mysql !== undefined) ??
      (this.#machine.put(target, this.#host.clock.monotonic()) ? undefined : NO_ROOM);
    if (refusal !== undefined) {
      this.#machine.remove(id);
      this.#count(refusal, 1);
    }
    this.#given.set(id, { target, refusal });
    if (refusal === NO_ROOM) this.#waiting.add(id);
    else this.#waiting.delete(id);
  }

  remove(id: TargetId): void {
    const known = this.#given.get(id);
    if (known === undefined) return;
    if (known.refusal !== undefined) this.#count(known.refusal, -1);
    this.#given.delete(id);
    this.#waiting.delete(id);
    this.#machine.remove(id);
    const [next = ''] = this.#waiting;
    const waiting = this.#given.get(next);
    if (waiting !== undefined) this.put(waiting.target);
  }

  clear(): void {
    this.#given.clear();
    this.#waiting.clear();
    this.#refused.clear();
    this.#toldRefusals.clear();
    this.#machine.clear();
  }

  set guard(guard: ProbeGuard) {
    const isSame =
      guard.isLoopbackAllowed === this.#guard.isLoopbackAllowed &&
      guard.forbidden.symmetricDifference(this.#guard.forbidden).size === 0;
    this.#guard = guard;
    if (!isSame) for (const { target } of [...this.#given.values()]) this.put(target);
  }

  set parameters(parameters: ProbeParameters) {
    this.#parameters = parameters;
    this.#machine.parameters = parameters;
  }

  // ------------------------------------------------------------------------------------------- probing

  get isStarted(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    this.#timer ??= this.#host.clock.every(TICK_MS, () => this.#tick());
  }

  /** Forgets the targets, too; results of probes under way count for nothing. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.clear();
  }

  #tick(): void {
    const nowMs = this.#host.clock.monotonic();
    const room = Math.min(PROBES_AT_ONCE_MAX - this.#running, (PROBES_PER_SECOND_MAX * TICK_MS) / 1_000);
    for (const run of this.#machine.takeDue(nowMs, room)) this.#host.background('probe', this.#probe(run));
    this.#report(nowMs);
  }

  async #probe(run: ProbeRun): Promise<void> {
    const { target } = run;
    this.#running++;
    const startedMs = this.#host.clock.monotonic();
    try {
      const outcome = await this.#ask(target);
      this.#finished(run, target, { outcome, tookMs: this.#host.clock.monotonic() - startedMs });
    } catch (error) {
      // A fault of this program says nothing about the target.
      this.#machine.abandoned(run);
      throw error;
    } finally {
      this.#running--;
    }
  }

  #finished(run: ProbeRun, target: ProbeTarget, result: ProbeResult): void {
    const { kind } = target.check;
    const counts = this.#results.get(kind) ?? new Map<ProbeOutcome, number>();
    this.#results.set(kind, counts.set(result.outcome, (counts.get(result.outcome) ?? 0) + 1));
    this.#events.onResult?.(target, result);
    const beforeMs = this.#machine.periodMsOf(run);
    const verdict = this.#machine.finished(run, result);
    const measured = measuredMs(kind, this.#parameters.periods[kind], beforeMs, result);
    const cluster = clusterOfKey(target.key);
    this.roundTrips.observe(target.service, cluster, Math.trunc(measured), this.#machine.periodMsOf(run));
    if (verdict !== undefined && this.#timer !== undefined) this.#events.onVerdict(verdict);
  }

  async #ask(target: ProbeTarget): Promise<ProbeOutcome> {
    const { check } = target;
    switch (check.kind) {
      case 'TCP':
        return tcpCheck(this.#host, target, this.#connectTimeoutMs);
      case 'HTTP':
        return httpCheck(this.#host, target, check, this.#connectTimeoutMs);
      case 'MYSQL':
        return (await this.#mysql?.(target, check)) ?? 'failed';
    }
  }

  /** A reason is told once while there are targets that it keeps out, and probes that were late once a minute. */
  #report(nowMs: number): void {
    for (const reason of this.#toldRefusals) if (!this.#refused.has(reason)) this.#toldRefusals.delete(reason);
    const untold = [...this.#refused].filter(([reason]) => !this.#toldRefusals.has(reason));
    for (const [reason, count] of untold) {
      this.#toldRefusals.add(reason);
      this.#host.log.warn(`persistent instances are not probed and keep their health: ${reason}`, { count });
    }
    const late = this.#machine.late - this.#reportedLate;
    if (late === 0 || nowMs - this.#reportedMs < REPORT_PERIOD_MS) return;
    this.#reportedMs = nowMs;
    this.#reportedLate = this.#machine.late;
    this.#host.log.warn('probes start late: there are too many, or this process is too busy', {
      late,
      targets: this.#machine.size,
      periodMs: Math.round(this.#machine.meanPeriodMs ?? 0),
      perSecondMax: PROBES_PER_SECOND_MAX,
    });
  }

  #count(refusal: string, difference: 1 | -1): void {
    const count = (this.#refused.get(refusal) ?? 0) + difference;
    if (count === 0) this.#refused.delete(refusal);
    else this.#refused.set(refusal, count);
  }
}
