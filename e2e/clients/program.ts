/**
 * A client in a process of its own, spoken to by JSON lines: `{"id":1,"call":"config.get",...}` is answered
 * `{"id":1,"value":...}` or `{"id":1,"error":{...}}`; what it reports by itself are lines with `event`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onLines } from './lines.ts';

/** An instance as both clients take and give it. */
export interface Instance {
  readonly ip: string;
  readonly port: number;
  readonly weight?: number;
  readonly healthy?: boolean;
  readonly enabled?: boolean;
  readonly ephemeral?: boolean;
  readonly clusterName?: string;
  readonly serviceName?: string;
  readonly instanceId?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a client reports without being asked. */
export type Report =
  /** A subscriber was told a new list. */
  | { readonly event: 'instances'; readonly service: string; readonly instances: readonly Instance[] }
  /** A listener was told a content; null when the configuration is gone. */
  | { readonly event: 'config'; readonly dataId: string; readonly content: string | null }
  /** A packet came by UDP: its text. */
  | { readonly event: 'push'; readonly packet: string }
  /** A list was replaced by a different one that came by a push or by a poll. */
  | { readonly event: 'applied'; readonly by: 'push' | 'poll'; readonly key: string; readonly hosts: string };

export type Line = Report | { readonly id: number; readonly value?: unknown; readonly error?: CallFailure };

interface CallFailure {
  readonly code?: number;
  readonly message: string;
}

export interface ProgramOptions {
  /** `java` or `npm`, for messages. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
}

const CALL_MS_MAX = 60_000;
const STOP_MS_MAX = 15_000;
const STDERR_CHARS_MAX = 100_000;

export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: number | undefined;

  constructor(program: string, call: string, { code, message }: CallFailure) {
    super(`${program}, ${call}: ${message}${code === undefined ? '' : ` (${code})`}`);
    this.code = code;
  }
}

export class ClientProgram {
  readonly name: string;
  /** Everything reported so far; a test notes its length and looks at what came after. */
  readonly reports: Report[] = [];
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (line: Extract<Line, { id: number }>) => void>();
  readonly #exited: Promise<unknown>;
  #lastId = 0;
  #stderr = '';
  #isEnded = false;

  constructor({ name, command: [program, ...args], env }: ProgramOptions) {
    this.name = name;
    this.#child = spawn(program, args, { env, stdio: 'pipe' });
    this.#exited = once(this.#child, 'close').catch((error: Error) => {
      this.#stderr += `${error.message}\n`;
    });
    void this.#exited.then(() => this.#end());
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX);
    });
    if (this.#child.stdout) onLines(this.#child.stdout, (line) => this.#take(line));
  }

  /** What it wrote besides: warnings of the client's log. */
  get stderr(): string {
    return this.#stderr;
  }

  async call<T>(call: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<T> {
    if (this.#isEnded) throw new CallError(this.name, call, { message: `the program has ended\n${this.#stderr}` });
    this.#lastId += 1;
    const id = this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    try {
      const line = await new Promise<Extract<Line, { id: number }>>((resolve) => {
        this.#calls.set(id, resolve);
        const message = `no answer within ${CALL_MS_MAX} ms\n${this.#stderr}`;
        timer = setTimeout(() => resolve({ id, error: { message } }), CALL_MS_MAX);
        this.#child.stdin?.write(`${JSON.stringify({ id, call, ...parameters })}\n`);
      });
      if (line.error) throw new CallError(this.name, call, line.error);
      return line.value as T;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  /** The reports since a mark, of one kind. */
  reportsOf<K extends Report['event']>(kind: K, since = 0): Extract<Report, { event: K }>[] {
    return this.reports.slice(since).filter((report): report is Extract<Report, { event: K }> => report.event === kind);
  }

  /** Lets it shut its clients down. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#exited;
    clearTimeout(timer);
  }

  /** As a machine that loses its power: no deregistration, no farewell. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #take(text: string): void {
    const line = JSON.parse(text) as Line;
    if ('event' in line) this.reports.push(line);
    else this.#calls.get(line.id)?.(line);
  }

  #end(): void {
    this.#isEnded = true;
    const message = `the program has ended\n${this.#stderr}`;
    for (const [id, resolve] of this.#calls) resolve({ id, error: { message } });
  }
}
