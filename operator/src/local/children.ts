import type { Host } from '@nacos-kube/core/host/host.ts';
import {
  ProcessError,
  type ProcessExit,
  type Processes,
  type RunningProcess,
} from '@nacos-kube/core/host/processes.ts';
import type { ProcessPlan } from './layout.ts';
import { LogFile } from './log-file.ts';
import type { LocalEvent, ProcessName } from './machine.ts';

const LAST_LINE_CHARS_MAX = 200;

/** How a program of ours is started. */
export interface Launcher {
  readonly processes: Processes;
  readonly command: string;
  /** Before the arguments of each. */
  readonly args: readonly string[];
  /** For all of them; undefined takes a name out of what they would inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The processes that were started, with their output in files. */
export class Children {
  readonly #host: Host;
  readonly #launcher: Launcher;
  readonly #onEvent: (event: LocalEvent) => void;
  readonly #running = new Map<string, RunningProcess>();
  readonly #logs = new Map<string, LogFile>();

  constructor(host: Host, launcher: Launcher, onEvent: (event: LocalEvent) => void) {
    this.#host = host;
    this.#launcher = launcher;
    this.#onEvent = onEvent;
  }

  start(name: ProcessName, plan: ProcessPlan): void {
    this.#host.background(`running ${name.member} ${name.job}`, this.#run(name, plan));
  }

  signal(name: ProcessName, signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#running.get(idOf(name))?.kill(signal);
  }

  /** Once all have ended. */
  async closeLogs(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }

  async #run({ member, job }: ProcessName, plan: ProcessPlan): Promise<void> {
    const id = idOf({ member, job });
    const log = this.#logOf(plan.logFile);
    const { processes, command, args, env } = this.#launcher;
    let lastLine = '';
    let exit: ProcessExit;
    try {
      const running = await processes.spawn(command, [...args, ...plan.args], {
        env: { ...env, ...plan.env },
        onOutput: (line) => {
          lastLine = line;
          log.add(line);
        },
      });
      this.#running.set(id, running);
      this.#onEvent({ kind: 'started', member, job, pid: running.pid });
      exit = await running.exited;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      this.#onEvent({ kind: 'ended', member, job, how: `cannot be started: ${error.message}` });
      return;
    }
    this.#running.delete(id);
    this.#onEvent({ kind: 'ended', member, job, how: describe(exit, lastLine) });
  }

  #logOf(file: string): LogFile {
    const known = this.#logs.get(file);
    if (known !== undefined) return known;
    const log = new LogFile(this.#host, file);
    this.#logs.set(file, log);
    return log;
  }
}

function describe({ code, signal }: ProcessExit, lastLine: string): string {
  if (signal !== null) return `was ended by ${signal}`;
  const last = lastLine === '' ? '' : ` (its last words: ${lastLine.trim().slice(0, LAST_LINE_CHARS_MAX)})`;
  return `ended with code ${code}${last}`;
}

function idOf({ member, job }: ProcessName): string {
  return `${member} ${job}`;
}
