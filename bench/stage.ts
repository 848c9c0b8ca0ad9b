/** Everything that a run starts: children ended by their ids, folders removed, whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_FLAGS } from '@nacos-kube/core/host/node/node-flags.ts';

const CHECKOUT = join(import.meta.dirname, '..');
const LOG_CHARS_MAX = 20_000;

export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

export class Stage {
  readonly #children = new Set<ChildProcess>();
  readonly #folders = new Set<string>();
  /** As `nacos-kube up` has it. */
  #compiled: string | undefined;
  #isInterrupted = false;

  /** Aborts what is under way: it fails, and what it left is cleaned up as after any failure. */
  interrupt(): void {
    this.#isInterrupted = true;
    for (const child of this.#children) child.kill('SIGKILL');
  }

  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  throwIfInterrupted(): void {
    if (this.#isInterrupted) throw new InterruptedError('interrupted');
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'nacos-kube-bench-'));
    this.#folders.add(folder);
    return folder;
  }

  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
    this.#folders.delete(folder);
  }

  /** A program of this checkout, with a channel for messages; it ends when the channel does. */
  start(args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [...NODE_FLAGS, ...args], {
      cwd: CHECKOUT,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#keep(child);
    return child;
  }

  /** A node: it knows nothing of channels. What it logs is kept for a failure. */
  startNode(args: readonly string[]): { readonly child: ChildProcess; readonly log: () => string } {
    this.#compiled ??= this.folder();
    const child = spawn(process.execPath, [...NODE_FLAGS, 'bin/nacos-kube.ts', 'server', ...args], {
      cwd: CHECKOUT,
      env: { ...process.env, NODE_COMPILE_CACHE: this.#compiled },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-LOG_CHARS_MAX);
      });
    }
    this.#keep(child);
    return { child, log: () => log };
  }

  /** Runs a program of this folder that takes JSON on stdin and prints JSON; killed when it takes longer. */
  async ask<T>(program: string, order: unknown, deadlineMs: number, args: readonly string[] = []): Promise<T> {
    const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
      cwd: CHECKOUT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#keep(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    let [printed, complaint] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2_000);
    });
    child.stdin.on('error', () => {}); // it ended before it read its order: the exit says so
    child.stdin.end(JSON.stringify(order));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    clearTimeout(timer);
    if (code === 0) return JSON.parse(printed) as T;
    const how = signal === 'SIGKILL' ? `was killed, at the latest after ${deadlineMs} ms` : `ended with ${code}`;
    throw new Error(`${program} ${how}\n${complaint}`);
  }

  async end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'exit');
    child.kill('SIGKILL');
    await closed;
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.end(child)));
  }

  async close(): Promise<void> {
    await this.endAll();
    for (const folder of this.#folders) this.removeFolder(folder);
  }

  #keep(child: ChildProcess): void {
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    child.once('error', () => this.#children.delete(child));
  }
}
