import { type Clock, type Host, type Log, type LogFacts, type Timer, UNKNOWN_LOAD } from '../host/host.ts';
import { describeError, textLine } from '../host/node/log-line.ts';
import type { End } from './connection.ts';
import { createSimDisk } from './disk.ts';
import type { EventOwner } from './event-queue.ts';
import type { Kernel } from './kernel.ts';
import type { Machine } from './machine.ts';
import { createSimNetwork } from './network.ts';

export interface ProcessSettings {
  /** Processes of one address share ports, loopback and disk. */
  readonly address: string;
  /** How far its wall clock is from true time. */
  readonly clockSkewMs?: number;
  /** How fast its clocks run: 1.01 gains a second in 100. */
  readonly clockRate?: number;
}

/** One life of a process, from its start to its death. What was left of it then never runs: its promises stay open. */
export class SimProcess implements EventOwner {
  readonly name: string;
  readonly settings: ProcessSettings;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly host: Host;
  readonly ends = new Set<End>();
  readonly #kernel: Kernel;
  readonly #rate: number;
  readonly #startedMs: number;
  #skewMs: number;
  #isAlive = true;
  #pausedUntilMs = 0;

  constructor(kernel: Kernel, name: string, settings: ProcessSettings, machine: Machine, life: number) {
    this.#kernel = kernel;
    this.name = name;
    this.settings = settings;
    this.machine = machine;
    this.#rate = settings.clockRate ?? 1;
    this.#skewMs = settings.clockSkewMs ?? 0;
    this.#startedMs = kernel.nowMs;
    this.clock = this.#createClock();
    machine.processes.add(this);
    this.host = {
      name,
      clock: this.clock,
      random: kernel.prng.split(`process ${name} ${life}`),
      network: createSimNetwork(kernel, this),
      disk: createSimDisk(kernel, this),
      log: this.#createLog('main'),
      // The trace shows the same lines whatever a program of the world asks for.
      logLevels: { set: () => {}, of: () => 'info' },
      machine: { load: () => UNKNOWN_LOAD },
      background: (workName, work) => {
        work.catch((error) => this.host.log.error('background work failed', { work: workName, error }));
      },
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  pause(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#kernel.nowMs + durationMs);
  }

  jumpClock(byMs: number): void {
    this.#skewMs += byMs;
  }

  /** Killed: the kernel lives on, closes its connections and keeps what it wrote. */
  kill(): void {
    this.#die();
    for (const end of [...this.ends]) end.close('reset');
  }

  /** Lost with its machine: nobody is told. */
  vanish(): void {
    this.#die();
    for (const end of [...this.ends]) end.vanish();
  }

  failed(error: unknown): void {
    this.host.log.error('an event was not handled', { error });
  }

  #die(): void {
    this.#isAlive = false;
    this.machine.processes.delete(this);
    this.machine.releaseAllOf(this);
  }

  #createClock(): Clock {
    const elapsedMs = () => (this.#kernel.nowMs - this.#startedMs) * this.#rate;
    const after = (delayMs: number, run: () => void): Timer => {
      const event = this.#kernel.schedule(Math.max(0, delayMs) / this.#rate, run, this);
      return {
        cancel: () => {
          event.cancelled = true;
        },
      };
    };
    return {
      now: () => {
        const { startMs, nowMs } = this.#kernel;
        return Math.floor(startMs + this.#startedMs + (nowMs - this.#startedMs) * this.#rate + this.#skewMs);
      },
      // Its origin is nobody's business, so it is not that of any other clock.
      monotonic: () => 1_000 + elapsedMs(),
      after,
      every: (periodMs, run) => {
        if (!(periodMs >= 1)) throw new RangeError(`period out of range: ${periodMs} ms`);
        // As Node does it: what was missed is not made up for.
        const tick = () => {
          timer = after(periodMs, tick);
          run();
        };
        let timer = after(periodMs, tick);
        return { cancel: () => timer.cancel() };
      },
      sleep: (delayMs) => new Promise((resolve) => after(delayMs, resolve)),
    };
  }

  #createLog(area: string): Log {
    const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, facts?: LogFacts) => {
      const isRead = level === 'error' || !this.#kernel.trace.isOff;
      if (!this.#isAlive || level === 'debug' || !isRead) return;
      const timeMs = this.clock.now();
      const shown = facts === undefined ? undefined : Object.fromEntries(Object.entries(facts).map(withoutStack));
      const line = textLine({ timeMs, level, process: this.name, area, message, facts: shown });
      // The trace has a time of its own in front.
      const text = line.slice(line.indexOf(' ') + 1);
      this.#kernel.note(text);
      if (level === 'error') this.#kernel.problem(text);
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      area: (name) => this.#createLog(name),
    };
  }
}

/** Stacks name files and lines of the machine at hand: two runs would not give the same trace. */
function withoutStack([name, value]: [string, unknown]): [string, unknown] {
  return [name, value instanceof Error ? describeError(value) : value];
}
