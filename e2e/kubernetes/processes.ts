/** Programs that are run to their end, and processes that must still be known when the one who started them is dead. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface RunOptions {
  /** What the program reads; nothing when absent. */
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The program is killed and `run` rejects when it takes longer: 60 s unless told. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
const OUTPUT_CHARS_MAX = 64 * 1024 * 1024;
const MESSAGE_CHARS_MAX = 4_000;

export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, how: string, code: number | null, stdout: string, stderr: string) {
    const said = `${stderr.trim()}\n${stdout.trim()}`.trim();
    super(`${command} ${how}${said === '' ? '' : `: ${said.slice(-MESSAGE_CHARS_MAX)}`}`);
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Runs a program to its end and gives what it wrote to stdout; rejects with ProgramError unless it ended with 0. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { timeoutMs = TIMEOUT_MS, input = '' } = options;
  const command = [program, ...args].join(' ').slice(0, 300);
  const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(0, OUTPUT_CHARS_MAX);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, OUTPUT_CHARS_MAX);
  });
  // A program may end without reading what it was given; its exit code says whether that was wrong.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`${program} can't be started`, { cause })));
      child.once('close', resolve);
    });
    if (isTimedOut) throw new ProgramError(command, `took longer than ${timeoutMs} ms`, code, stdout, stderr);
    if (code !== 0) throw new ProgramError(command, `ended with ${code ?? child.signalCode}`, code, stdout, stderr);
    return stdout;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until the answer is neither false nor undefined; the error names what was awaited and the last failure. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | undefined>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, everyMs = 100 } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      const why = cause instanceof Error ? `: ${cause.message}` : '';
      throw new Error(`not within ${timeoutMs} ms: ${what}${why}`, { cause });
    }
    await delay(everyMs);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  const folders = [...path.split(delimiter), '/usr/local/go/bin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** A process that isn't taken for another one that got its number later. */
export interface ProcessId {
  readonly pid: number;
  readonly startedAt: string;
}

export function identify(pid: number): ProcessId | undefined {
  const stat = statOf(pid);
  return stat && { pid, startedAt: stat.startedAt };
}

export function isAlive({ pid, startedAt }: ProcessId): boolean {
  const stat = statOf(pid);
  return stat?.startedAt === startedAt && stat.state !== 'Z';
}

/** False when the process is gone already. */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    return process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

export function childrenOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const texts = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'));
    return texts.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

function statOf(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name may hold blanks and brackets; the fields after the last bracket do not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startedAt: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
