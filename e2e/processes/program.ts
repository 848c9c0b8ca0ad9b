/** A `nacos-kube` command as a process group of its own, with its log kept, by a Node with the flags that the image has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { NODE_FLAGS } from '@nacos-kube/core/host/node/node-flags.ts';

export const CHECKOUT = resolve(import.meta.dirname, '../..');

const STOP_MS_MAX = 30_000;
const LOG_CHARS_MAX = 2_000_000;

export type Runner = (command: readonly [string, ...string[]]) => readonly [string, ...string[]];

export class NacosKubeProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #log = '';

  /** `runner`: the command for a command, which becomes it: where the process shall run, e.g. in a network namespace. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, runner: Runner = (same) => same) {
    const [program, ...rest] = runner([process.execPath, ...NODE_FLAGS, join(CHECKOUT, 'bin/nacos-kube.ts'), ...args]);
    this.#child = spawn(program, rest, {
      cwd: CHECKOUT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_CHARS_MAX);
      });
    this.#closed = once(this.#child, 'close').catch((error: Error) => {
      this.#log += `${error.message}\n`;
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`the process did not start: ${this.#log}`);
    return this.#child.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** How it ended: a code or a signal; undefined while it runs. */
  get ended(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    return exitCode === null ? (signalCode ?? undefined) : `code ${exitCode}`;
  }

  /** As a person does: SIGTERM and patience; SIGKILL to the whole group if that is in vain, and an error. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.ended !== undefined) return;
    let isForced = false;
    this.#child.kill(signal);
    const timer = setTimeout(() => {
      isForced = true;
      this.#signalGroup('SIGKILL');
    }, STOP_MS_MAX);
    await this.#closed;
    clearTimeout(timer);
    if (isForced) throw new Error(`not stopped ${STOP_MS_MAX} ms after ${signal}:\n${this.#log.slice(-4_000)}`);
  }

  /** SIGKILL to the group: nothing is flushed, nobody is told. */
  async kill9(): Promise<void> {
    if (this.ended === undefined) this.#signalGroup('SIGKILL');
    await this.#closed;
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
