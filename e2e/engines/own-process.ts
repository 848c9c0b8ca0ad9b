import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const ENDED_WITHIN_MS = 10_000;
const PAUSED_WITHIN_MS = 10_000;
const POLL_MS = 5;

/** The process of an engine: started, killed, paused and started again while its data stay. */
export class OwnProcess {
  #process: ChildProcess | undefined;

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && !hasEnded(this.#process);
  }

  /** True when it has ended by itself, which it should not. */
  get hasFailed(): boolean {
    return this.#process !== undefined && hasEnded(this.#process);
  }

  start(program: string, args: readonly string[]): void {
    this.#process = spawn(program, args, { stdio: 'ignore' });
  }

  async pause(): Promise<void> {
    if (this.#process?.pid !== undefined) await pauseProcess(this.#process.pid);
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Resolves when it has ended; by SIGKILL at last. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (ending === undefined || hasEnded(ending)) return;
    const ended = once(ending, 'exit');
    ending.kill(signal);
    // A paused process takes no other signal.
    ending.kill('SIGCONT');
    const patience = setTimeout(() => ending.kill('SIGKILL'), ENDED_WITHIN_MS);
    await ended;
    clearTimeout(patience);
  }
}

/**
 * SIGSTOP. Resolves when the last thread has stopped, which on a busy machine is later than the signal: until then the
 * process still answers.
 */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const deadline = performance.now() + PAUSED_WITHIN_MS;
  while (!(await isPaused(pid))) {
    if (performance.now() > deadline) throw new Error(`process ${pid} goes on though it was told to stop`);
    await sleep(POLL_MS);
  }
}

async function isPaused(pid: number): Promise<boolean> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  // A thread that is gone meanwhile answers nothing either.
  const stats = tasks.map((task) => readFile(`/proc/${pid}/task/${task}/stat`, 'utf8').catch(() => ') T'));
  return (await Promise.all(stats)).every((stat) => /\) T/.test(stat));
}

function hasEnded(process: ChildProcess): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}
