import { Worker } from 'node:worker_threads';
import type { FileOutcome, FileOutcomes, FileTask, FileTasks } from './file-tasks.ts';

/** Fewer that are asked for in one turn are done by Node's own pool: the thread is for those who write many files. */
export const TASKS_WORTH_A_THREAD = 8;
/** What is larger costs more to hand over than it spares. */
export const HANDED_OVER_BYTES_MAX = 64 * 1024;
/** Then it ends, and is started by whoever needs it next. */
const IDLE_MS = 20_000;
/** After it ended by itself the pool does all for a while. */
const RESTART_DELAY_MS = 10_000;

interface Asked {
  readonly task: FileTask;
  /** The same without the thread. */
  readonly alone: () => Promise<FileOutcome>;
  resolve(outcome: FileOutcome | Promise<FileOutcome>): void;
}

/**
 * A thread that does file work of one turn together. Each call to Node's pool costs a way there and back, several of
 * which make one file; of many small files the ways cost ten times the work.
 */
export class FileThread {
  #gathered: Asked[] = [];
  readonly #module: URL;
  readonly #underWay = new Map<number, readonly Asked[]>();
  #worker: Worker | undefined;
  #rounds = 0;
  #idle: NodeJS.Timeout | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  /** `module`: for tests. */
  constructor(module = new URL('./file-worker.ts', import.meta.url)) {
    this.#module = module;
  }

  /** Either way the outcome is that of `alone`. */
  ask(task: FileTask, alone: () => Promise<FileOutcome>): Promise<FileOutcome> {
    const { promise, resolve } = Promise.withResolvers<FileOutcome>();
    this.#gathered.push({ task, alone, resolve });
    // Behind all that runs in this turn, and what that sets off.
    if (this.#gathered.length === 1) process.nextTick(() => this.#begin());
    return promise;
  }

  #begin(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    if (gathered.length < TASKS_WORTH_A_THREAD || performance.now() < this.#notBeforeMs) {
      for (const { alone, resolve } of gathered) resolve(alone());
      return;
    }
    const id = ++this.#rounds;
    const worker = this.#running();
    this.#underWay.set(id, gathered);
    worker.ref();
    worker.postMessage({ id, tasks: gathered.map(({ task }) => task) } satisfies FileTasks);
  }

  #running(): Worker {
    clearTimeout(this.#idle);
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#module);
    this.#worker = worker;
    worker.on('message', (message: FileOutcomes) => this.#ended(message));
    worker.on('error', () => {}); // its exit follows, and says enough
    worker.on('exit', () => this.#lost(worker));
    return worker;
  }

  #ended({ id, outcomes }: FileOutcomes): void {
    const asked = this.#underWay.get(id) ?? [];
    this.#underWay.delete(id);
    for (const [i, { resolve }] of asked.entries()) resolve(outcomes[i]!);
    if (this.#underWay.size > 0) return;
    // It keeps no process alive that has nothing else to do.
    this.#worker?.unref();
    this.#idle = setTimeout(() => void this.#worker?.terminate(), IDLE_MS).unref();
  }

  /** Nobody knows what was done of it, so it is done again, which for each of the tasks comes to the same. */
  #lost(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    const left = [...this.#underWay.values()].flat();
    this.#underWay.clear();
    if (left.length > 0) this.#notBeforeMs = performance.now() + RESTART_DELAY_MS;
    for (const { alone, resolve } of left) resolve(alone());
  }
}
