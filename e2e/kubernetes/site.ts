/** What the parts of our own cluster share: its folder, its machines and how programs run in them. */
import { join } from 'node:path';
import type { Programs } from './build.ts';
import { type ControlPlaneFiles, controlPlaneFiles } from './control-plane.ts';
import {
  findMachine,
  inNetwork,
  type Machine,
  type Namespaces,
  runInside,
  type State,
  startProgram,
} from './machine.ts';
import type { RunOptions } from './processes.ts';
import type { Description } from './state.ts';

export type MachineName = 'hub' | 'node1' | 'node2' | 'node3';

export interface InsideOptions extends RunOptions {
  /** `network` (the usual): files and processes of this computer, only the network is the machine's. */
  readonly namespaces?: Namespaces;
}

export class Site {
  readonly folder: string;
  readonly nodes: number;
  readonly programs: Programs;
  readonly state: State;
  readonly files: ControlPlaneFiles;
  readonly door: string;

  constructor(folder: string, { nodes, isBound, programs }: Description) {
    this.folder = folder;
    this.nodes = nodes;
    this.programs = programs;
    this.state = { folder, isBound };
    this.files = controlPlaneFiles(folder);
    this.door = join(folder, 'door.sock');
  }

  get nodeIndexes(): number[] {
    return Array.from({ length: this.nodes }, (_, i) => i + 1);
  }

  machine(name: MachineName): Machine {
    return findMachine(this.state, name);
  }

  /** Runs a program to its end in a machine. */
  on(machine: MachineName, program: string, args: readonly string[], options: InsideOptions = {}): Promise<string> {
    const { namespaces = 'network', env, ...others } = options;
    return runInside(this.machine(machine), namespaces, program, args, { ...others, env: this.#env(machine, env) });
  }

  /** The command line that runs a program in a machine's network; it becomes the program, so its PID is the program's. */
  inNetwork(machine: MachineName, program: string, args: readonly string[]): [string, ...string[]] {
    return inNetwork(this.machine(machine), program, args);
  }

  /** Starts a program in a machine that goes on, known and logged by a name. */
  start(
    machine: MachineName,
    name: string,
    program: string,
    args: readonly string[],
    options: { readonly namespaces?: Namespaces; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ): void {
    const env = this.#env(machine, options.env);
    startProgram(this.state, this.machine(machine), name, program, args, { ...options, env });
  }

  #env(machine: MachineName, given: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
    const { libraries, path } = this.programs;
    if (machine === 'hub') return { ...given, PATH: path };
    const iptables = { XTABLES_LIBDIR: join(libraries, 'xtables'), XTABLES_LOCKFILE: '/run/xtables.lock' };
    return { ...given, PATH: path, ...iptables, LD_LIBRARY_PATH: libraries };
  }
}

export function nodeMachine(index: number): MachineName {
  if (index === 1 || index === 2 || index === 3) return `node${index}`;
  throw new Error(`there is no node ${index}`);
}
