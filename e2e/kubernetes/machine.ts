/**
 * A machine: a PID 1 with mounts, network, processes and host name of its own on this computer, and programs inside.
 * Killing it ends all its processes, mounts and links. Its files say who it is, so that another process can end it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, identify, isAlive, type ProcessId, type RunOptions, run, signal, until } from './processes.ts';

export interface Machine {
  readonly name: string;
  readonly home: string;
  /** The program that holds the namespaces: killing it kills the machine. */
  readonly holder: ProcessId;
  /** Its PID 1, as this computer counts. */
  readonly init: ProcessId;
}

/** Where the files of a cluster lie; everything it leaves on disk is below this folder. */
export interface State {
  readonly folder: string;
  /** Everything dies with the process that started it, however that ends. */
  readonly isBound: boolean;
}

/** `all`: as a process of the machine. `network`: with the files and processes of this computer. */
export type Namespaces = 'all' | 'network';

/** In the environment of every program inside, so that it is known whose it is. */
const MACHINE_MARK = 'NACOS_KUBE_MACHINE';
const UP_TIMEOUT_MS = 10_000;
const GONE_TIMEOUT_MS = 20_000;

export async function startMachine(state: State, name: string): Promise<Machine> {
  const home = join(state.folder, name);
  mkdirSync(home, { recursive: true });
  rmSync(join(home, 'up'), { force: true });
  const init = join(import.meta.dirname, 'machine-init.sh');
  const apart = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--uts', '--ipc'];
  const child = spawnLogged(state, `${name}-init`, 'unshare', [...apart, '/bin/bash', init, home]);
  const holder = identifyChild(child, name);
  await until(
    `machine ${name} is up`,
    async () => {
      if (!isAlive(holder)) throw new Error(`its PID 1 ended: ${logTail(state, `${name}-init`)}`);
      return existsSync(join(home, 'up'));
    },
    { timeoutMs: UP_TIMEOUT_MS, everyMs: 10 },
  );
  const pid1 = identify(childrenOf(holder.pid)[0] ?? 0);
  if (!pid1) throw new Error(`machine ${name} died as soon as it was up: ${logTail(state, `${name}-init`)}`);
  const machine: Machine = { name, home, holder, init: pid1 };
  writeFileSync(machineFile(state, name), JSON.stringify(machine));
  return machine;
}

export function findMachine(state: State, name: string): Machine {
  const file = machineFile(state, name);
  if (!existsSync(file)) throw new Error(`there is no machine ${name} in ${state.folder}`);
  const machine = JSON.parse(readFileSync(file, 'utf8')) as Machine;
  if (!isAlive(machine.init)) throw new Error(`machine ${name} is off`);
  return machine;
}

/** Power off: no program gets to say goodbye; the disk stays. Ready when the last process is gone. */
export async function killMachine(machine: Machine): Promise<void> {
  signal(machine.holder, 'SIGKILL');
  signal(machine.init, 'SIGKILL');
  // The kernel lets a PID 1 go only after every other process of its namespace. Guests may fork while they are looked for.
  const isGone = async () => {
    const guests = guestsOf(machine);
    for (const guest of guests) signal(guest, 'SIGKILL');
    return guests.length === 0 && !isAlive(machine.init);
  };
  await until(`machine ${machine.name} is gone`, isGone, { timeoutMs: GONE_TIMEOUT_MS, everyMs: 10 });
}

/** Processes that only entered the machine's network, with their children: it does not hold them by their PIDs. */
function guestsOf(machine: Machine): ProcessId[] {
  const mark = `${MACHINE_MARK}=${machine.home}`;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    try {
      const isGuest = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
      return isGuest ? (identify(Number(pid)) ?? []) : [];
    } catch {
      return [];
    }
  });
}

/** The command line that runs a program inside; when its caller is killed the program is, too. */
export function inside(machine: Machine, namespaces: Namespaces, program: string, args: readonly string[]): string[] {
  const kinds = namespaces === 'all' ? ['-m', '-n', '-p', '-u', '-i'] : ['-n'];
  // nsenter forks for a PID namespace and doesn't hand its own death on to its child.
  const guard = namespaces === 'all' ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];
  return ['nsenter', '-t', String(machine.init.pid), ...kinds, '--', ...guard, program, ...args];
}

/** As `inside`, with the mark by which the program is known as the machine's guest. */
export function inNetwork(machine: Machine, program: string, args: readonly string[]): [string, ...string[]] {
  return ['env', `${MACHINE_MARK}=${machine.home}`, ...inside(machine, 'network', program, args)];
}

export function runInside(
  machine: Machine,
  namespaces: Namespaces,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { cwd, env = process.env, ...others } = options;
  // The working folder is one of the machine's, so it is entered there.
  const command = cwd ? ['env', '-C', cwd, program, ...args] : [program, ...args];
  const [nsenter = '', ...rest] = inside(machine, namespaces, command[0] ?? '', command.slice(1));
  return run(nsenter, rest, { ...others, env: { ...env, [MACHINE_MARK]: machine.home } });
}

/** A program that goes on: its output is in the log of its name, its end is its machine's or `signalProgram`. */
export function startProgram(
  state: State,
  machine: Machine,
  name: string,
  program: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly namespaces?: Namespaces } = {},
): void {
  const command = options.cwd ? ['env', '-C', options.cwd, program, ...args] : [program, ...args];
  const line = inside(machine, options.namespaces ?? 'all', command[0] ?? '', command.slice(1));
  const env = { ...(options.env ?? process.env), [MACHINE_MARK]: machine.home };
  const child = spawnLogged(state, name, line[0] ?? '', line.slice(1), env);
  const started: StartedProgram = { ...identifyChild(child, name), namespaces: options.namespaces ?? 'all' };
  mkdirSync(join(state.folder, 'programs'), { recursive: true });
  writeFileSync(join(state.folder, 'programs', `${name}.json`), JSON.stringify(started));
}

/**
 * Signals the program itself, which is the child of the nsenter that was started. One that only entered the network took
 * the nsenter's place and leads a process group, which gets the signal as from a terminal.
 * A stopped program stops its nsenter too (it waits with WUNTRACED and follows), so both are woken.
 */
export function signalProgram(state: State, name: string, what: NodeJS.Signals): void {
  const program = startedProgram(state, name);
  if (!program || !isAlive(program)) throw new Error(`no program ${name} is running`);
  if (program.namespaces === 'network') process.kill(-program.pid, what);
  else for (const pid of childrenOf(program.pid)) process.kill(pid, what);
  if (program.namespaces === 'all' && what === 'SIGCONT') signal(program, what);
}

export function isProgramAlive(state: State, name: string): boolean {
  const program = startedProgram(state, name);
  return program !== undefined && isAlive(program);
}

export function logTail(state: State, name: string, lines = 15): string {
  const file = logFile(state, name);
  if (!existsSync(file)) return '(no log)';
  const text = readFileSync(file, 'utf8').trimEnd();
  return text === '' ? '(empty log)' : text.split('\n').slice(-lines).join('\n');
}

export function logFile(state: State, name: string): string {
  return join(state.folder, 'log', `${name}.log`);
}

/** Ends every machine and program that the files of this state know, alive or half dead. */
export async function killEverything(state: State): Promise<void> {
  for (const name of existsSync(state.folder) ? readdirSync(state.folder) : []) {
    const file = machineFile(state, name);
    if (existsSync(file)) await killMachine(JSON.parse(readFileSync(file, 'utf8')) as Machine);
  }
  const programs = join(state.folder, 'programs');
  for (const file of existsSync(programs) ? readdirSync(programs) : []) {
    const id = JSON.parse(readFileSync(join(programs, file), 'utf8')) as ProcessId;
    signal(id, 'SIGKILL');
  }
}

function machineFile(state: State, name: string): string {
  return join(state.folder, name, 'machine.json');
}

interface StartedProgram extends ProcessId {
  readonly namespaces: Namespaces;
}

function startedProgram(state: State, name: string): StartedProgram | undefined {
  const file = join(state.folder, 'programs', `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as StartedProgram) : undefined;
}

function spawnLogged(
  state: State,
  name: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  const file = logFile(state, name);
  mkdirSync(join(state.folder, 'log'), { recursive: true });
  const log = openSync(file, 'a');
  try {
    const line = [...(state.isBound ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []), program, ...args];
    // In a session of its own: Ctrl-C is for the one who started it, who then ends all in order.
    const child = spawn(line[0] ?? '', line.slice(1), { env, detached: true, stdio: ['ignore', log, log] });
    child.on('error', () => {});
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

function identifyChild(child: ChildProcess, name: string): ProcessId {
  const id = child.pid === undefined ? undefined : identify(child.pid);
  if (!id) throw new Error(`${name} can't be started`);
  return id;
}
