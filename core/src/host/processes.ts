/** Programs started on this machine, for the driver behind `nacos-kube up`. `host/node/processes.ts` is the real one. */
export interface Processes {
  /** Resolves once the program runs; rejects with `ProcessError` when it cannot be started. */
  spawn(command: string, args: readonly string[], options: SpawnOptions): Promise<RunningProcess>;
}

export interface SpawnOptions {
  /** Added to this process's own environment; undefined takes a name out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
  /** Each line of standard output and standard error, without its end; a longer one than `LINE_CHARS_MAX` in pieces. */
  readonly onOutput?: (line: string, from: 'stdout' | 'stderr') => void;
}

export const LINE_CHARS_MAX = 16_384;

export interface RunningProcess {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  /** No effect once it has exited. */
  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGSTOP' | 'SIGCONT'): void;
}

export interface ProcessExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

export class ProcessError extends Error {
  override readonly name = 'ProcessError';
}
