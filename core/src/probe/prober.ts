import { type Host, NetworkError, type Timer } from '../host/host.ts';
import { type ProbeGuard, probeRefusal } from './guard.ts';
import { ProbeMachine, type ProbeResult, type ProbeTarget, type ProbeVerdict } from './machine.ts';

export const CONNECT_TIMEOUT_MS = 500;
export const PROBES_AT_ONCE_MAX = 256;
const TICK_MS = 100;

export interface ProberEvents {
  /** Told of every probe, for metrics. */
  onResult?(target: ProbeTarget, result: ProbeResult): void;
  onVerdict(verdict: ProbeVerdict): void;
}

export interface ProberOptions {
  /** A connection that takes longer is a failure; default `CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** The longest time between two probes of a target; default `PROBE_PERIOD_MAX_MS`. */
  readonly periodMaxMs?: number;
}

/** Tries the ports of the targets it is given, as the machine says. */
export class Prober {
  readonly #host: Host;
  readonly #events: ProberEvents;
  readonly #machine: ProbeMachine;
  readonly #connectTimeoutMs: number;
  #timer: Timer | undefined;
  #running = 0;
  /** Targets that the guard keeps out, by reason. */
  readonly refused = new Map<string, number>();

  constructor(host: Host, events: ProberEvents, options: ProberOptions = {}) {
    this.#host = host;
    this.#events = events;
    this.#machine = new ProbeMachine(host.random, options.periodMaxMs);
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  }

  get targetCount(): number {
    return this.#machine.size;
  }

  get lateCount(): number {
    return this.#machine.late;
  }

  setTargets(targets: readonly ProbeTarget[], guard: ProbeGuard): void {
    this.refused.clear();
    const allowed = targets.filter((target) => {
      const reason = probeRefusal(target.ip, guard);
      if (reason !== undefined) this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
      return reason === undefined;
    });
    this.#machine.setTargets(allowed, this.#host.clock.monotonic());
  }

  start(): void {
    this.#timer ??= this.#host.clock.every(TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#machine.setTargets([], this.#host.clock.monotonic());
  }

  #tick(): void {
    const due = this.#machine.takeDue(this.#host.clock.monotonic(), PROBES_AT_ONCE_MAX - this.#running);
    for (const target of due) this.#host.background('probe', this.#probe(target));
  }

  async #probe(target: ProbeTarget): Promise<void> {
    this.#running++;
    const startedMs = this.#host.clock.monotonic();
    const kind = await this.#connect(target).finally(() => {
      this.#running--;
    });
    const nowMs = this.#host.clock.monotonic();
    const result = { kind, tookMs: nowMs - startedMs };
    this.#events.onResult?.(target, result);
    const verdict = this.#machine.finished(target, result, nowMs);
    if (verdict !== undefined && this.#timer !== undefined) this.#events.onVerdict(verdict);
  }

  async #connect({ ip, port }: ProbeTarget): Promise<ProbeResult['kind']> {
    try {
      (await this.#host.network.connect({ address: ip, port }, this.#connectTimeoutMs)).close();
      return 'connected';
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      return error.kind === 'timeout' || error.kind === 'refused' ? error.kind : 'failed';
    }
  }
}
