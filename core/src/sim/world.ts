import type { Host } from '../host/host.ts';
import { DiskState, type UnsyncedFate } from './disk-state.ts';
import { Kernel } from './kernel.ts';
import type { LinkQuality } from './links.ts';
import { Machine } from './machine.ts';
import { type ProcessSettings, SimProcess } from './process.ts';
import { Trace } from './trace.ts';

const TRACE_LINES_MAX = 2_000;
/** 2026-01-01T00:00:00Z: no replay depends on the day it runs. */
const START_MS = 1_767_225_600_000;
const FINISH_MS_MAX = 600_000;

export interface WorldSettings {
  readonly seed: number;
  readonly startMs?: number;
  /** With 0 there is no trace at all, which makes a run that nobody looks at faster. */
  readonly traceLinesMax?: number;
  /** Gets each line of the trace as it comes. */
  readonly echo?: (line: string) => void;
}

/**
 * Processes, machines and the links between them in one real process, without real time: the same seed and the same
 * calls give the same run, event by event. The code under test may only wait for what its host gives it; work of
 * Node's own threads (asynchronous zlib, crypto, files) would end whenever it likes and break the replay.
 */
export class World {
  readonly seed: number;
  readonly #kernel: Kernel;
  readonly #trace: Trace;
  readonly #processes = new Map<string, SimProcess>();
  readonly #lives = new Map<string, number>();

  constructor(settings: WorldSettings) {
    this.seed = settings.seed;
    this.#trace = new Trace(settings.traceLinesMax ?? TRACE_LINES_MAX, settings.echo);
    this.#kernel = new Kernel(settings.seed, settings.startMs ?? START_MS, this.#trace);
  }

  // ------------------------------------------------------------------------------------------ processes

  /** A new process; its name is also a name of its address. */
  process(name: string, settings: ProcessSettings): Host {
    if (this.#processes.has(name)) throw new Error(`process ${name} exists; restart it instead`);
    const machine = this.#machine(settings.address);
    this.#kernel.names.set(name, settings.address);
    return this.#start(name, settings, machine);
  }

  /** Ends it if it lives, and starts it anew on what its disk holds. `main` is run as its background work. */
  restart(name: string, main?: (host: Host) => Promise<void> | void): Host {
    const old = this.#find(name);
    if (old.isAlive) this.kill(name);
    old.machine.isUp = true;
    const host = this.#start(name, old.settings, old.machine);
    if (main !== undefined) host.background('main', Promise.try(main, host));
    return host;
  }

  /** kill -9: its connections are reset, what it wrote stays. */
  kill(name: string): void {
    this.#note(`${name} is killed`);
    this.#find(name).kill();
  }

  /** Its machine loses power: all processes there end, unsynced writes suffer their fate, peers hear nothing. */
  crash(name: string, unsynced: UnsyncedFate = 'lost'): void {
    const { machine } = this.#find(name);
    this.#note(`machine ${machine.address} of ${name} crashes, unsynced writes ${unsynced}`);
    for (const process of [...machine.processes]) process.vanish();
    machine.isUp = false;
    machine.disk.crash(unsynced);
  }

  /** SIGSTOP, a long collection of garbage: all it would do comes late, and its clocks go on meanwhile. */
  pause(name: string, durationMs: number): void {
    this.#note(`${name} is paused for ${durationMs} ms`);
    this.#find(name).pause(durationMs);
  }

  jumpClock(name: string, byMs: number): void {
    this.#note(`the clock of ${name} jumps by ${byMs} ms`);
    this.#find(name).jumpClock(byMs);
  }

  isAlive(name: string): boolean {
    return this.#find(name).isAlive;
  }

  disk(name: string, faults: { readonly full?: boolean; readonly slowMs?: number }): void {
    this.#note(`the disk of ${name}: ${JSON.stringify(faults)}`);
    const { disk } = this.#find(name).machine;
    if (faults.full !== undefined) disk.isFull = faults.full;
    if (faults.slowMs !== undefined) disk.slowMs = faults.slowMs;
  }

  // ---------------------------------------------------------------------------------------------- links

  /** Cuts each group from the others; a single group from all that is in no group. */
  partition(...groups: readonly (string | readonly string[])[]): void {
    const sides = groups.map((group) => this.#addresses(typeof group === 'string' ? [group] : group));
    if (sides.length === 1) {
      const rest = [...this.#kernel.machines.keys()].filter((address) => !sides[0]?.includes(address));
      sides.push(rest);
    }
    this.#note(`partition ${sides.map((side) => side.join(' ')).join(' | ')}`);
    for (const side of sides) {
      for (const other of sides) {
        if (side === other) continue;
        for (const from of side) for (const to of other) this.#kernel.links.cut(from, to);
      }
    }
  }

  /** One way only: nothing gets from the first to the second. */
  cut(from: string, to: string): void {
    this.#note(`cut ${from} > ${to}`);
    const [fromAddress, toAddress] = this.#addresses([from, to]) as [string, string];
    this.#kernel.links.cut(fromAddress, toAddress);
  }

  /** One way only, what was cut. */
  mend(from: string, to: string): void {
    this.#note(`mend ${from} > ${to}`);
    const [fromAddress, toAddress] = this.#addresses([from, to]) as [string, string];
    this.#kernel.links.mend(fromAddress, toAddress);
  }

  /** Of what goes from the first to the second so much is held for 5 to 60 s: newer things overtake it. */
  hold(from: string, to: string, rate: number): void {
    this.#note(`hold ${from} > ${to}: ${rate}`);
    const [fromAddress, toAddress] = this.#addresses([from, to]) as [string, string];
    this.#kernel.links.hold(fromAddress, toAddress, rate);
  }

  heal(): void {
    this.#note('all links are whole');
    this.#kernel.links.heal();
  }

  /** Of one direction, or of all links that were not set themselves. */
  link(quality: Partial<LinkQuality>, from?: string, to?: string): void {
    this.#note(`link ${from ?? '*'} > ${to ?? '*'}: ${JSON.stringify(quality)}`);
    if (from === undefined || to === undefined) {
      this.#kernel.links.setOrdinary(quality);
      return;
    }
    const [fromAddress, toAddress] = this.#addresses([from, to]) as [string, string];
    this.#kernel.links.set(fromAddress, toAddress, quality);
  }

  // ----------------------------------------------------------------------------------------------- time

  /** True time since the world began. */
  get nowMs(): number {
    return this.#kernel.nowMs;
  }

  get eventCount(): number {
    return this.#kernel.eventCount;
  }

  async advance(durationMs: number): Promise<void> {
    await this.#kernel.runUntil(this.#kernel.nowMs + durationMs);
  }

  /** Goes on until the condition holds; false when it does not within that time. */
  until(condition: () => boolean, withinMs: number): Promise<boolean> {
    return this.#kernel.runUntil(this.#kernel.nowMs + withinMs, condition);
  }

  /** Goes on until the promise settles, and gives what it gives. */
  async finish<T>(promise: Promise<T>, withinMs = FINISH_MS_MAX): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    if (!(await this.until(() => isSettled, withinMs))) throw new Error(`not finished within ${withinMs} ms`);
    return promise;
  }

  // -------------------------------------------------------------------------------------------- what was

  /** A draw for the scenario itself, e.g. which fault comes next. */
  random(purpose: string) {
    return this.#kernel.prng.split(`scenario ${purpose}`);
  }

  /** Says something in the trace. */
  note(text: string): void {
    this.#note(text);
  }

  /** The last lines of what happened. */
  trace(): readonly string[] {
    return this.#trace.lines();
  }

  /** Over all that happened: two runs that differ anywhere differ here. */
  fingerprint(): string {
    return `${this.#trace.fingerprint()}-${this.#kernel.eventCount}`;
  }

  /** What was logged as an error, the first ones. */
  problems(): readonly string[] {
    return this.#kernel.problems;
  }

  #note(text: string): void {
    this.#kernel.note(`-- ${text}`);
  }

  #start(name: string, settings: ProcessSettings, machine: Machine): Host {
    const life = (this.#lives.get(name) ?? 0) + 1;
    this.#lives.set(name, life);
    this.#note(`${name} starts on ${machine.address}`);
    const process = new SimProcess(this.#kernel, name, settings, machine, life);
    this.#processes.set(name, process);
    return process.host;
  }

  #machine(address: string): Machine {
    let machine = this.#kernel.machines.get(address);
    if (machine === undefined) {
      machine = new Machine(address, new DiskState(this.#kernel, this.#kernel.prng.split(`disk ${address}`)));
      this.#kernel.machines.set(address, machine);
    }
    return machine;
  }

  #find(name: string): SimProcess {
    const process = this.#processes.get(name);
    if (process === undefined) throw new Error(`no process ${name}`);
    return process;
  }

  /** Of processes by name, or addresses as they are. */
  #addresses(names: readonly string[]): string[] {
    const addresses = names.map((name) => {
      return this.#kernel.machines.has(name) ? name : this.#find(name).machine.address;
    });
    return [...new Set(addresses)];
  }
}
