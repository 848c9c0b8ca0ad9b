import {
  type Clock,
  type Disk,
  DiskError,
  type DiskErrorKind,
  type Host,
  type Log,
  type Timer,
} from '@nacos-kube/core/host/host.ts';

/** A host for tests: time moves when told to, files are a map, nothing is random. */
export interface FakeHost extends Host {
  readonly files: Map<string, Uint8Array>;
  readonly warnings: string[];
  /** What background work ended with; a test looks that there is none. */
  readonly crashes: unknown[];
  diskFault: DiskErrorKind | undefined;
  writes: number;
  advance(ms: number): Promise<void>;
}

/** Hosts that are given the clock of another share its time; `advance` of any of them moves all. */
export function createFakeHost(name = 'node-1', sharing?: FakeHost): FakeHost {
  const time = sharing === undefined ? new FakeTime() : (sharing.clock as FakeTime);
  const files = new FakeFiles();
  const warnings: string[] = [];
  const crashes: unknown[] = [];
  const host: FakeHost = {
    name,
    files,
    warnings,
    crashes,
    diskFault: undefined,
    writes: 0,
    clock: time,
    random: { float: () => 0, int: () => 0, bytes: (length) => new Uint8Array(length), uuid: () => 'uuid' },
    network: undefined as never,
    logLevels: undefined as never,
    machine: undefined as never,
    disk: fakeDisk(files, () => host),
    log: fakeLog(warnings),
    background(_name, work) {
      work.catch((error: unknown) => crashes.push(error));
    },
    advance: (ms) => time.advance(ms),
  };
  return host;
}

/** Knows what is in which directory, since the dump asks for each file. */
class FakeFiles extends Map<string, Uint8Array> {
  readonly #names = new Map<string, Set<string>>();

  override set(path: string, content: Uint8Array): this {
    for (let at = path; at.includes('/'); ) {
      const directory = at.slice(0, at.lastIndexOf('/'));
      const names = this.#names.get(directory) ?? new Set();
      this.#names.set(directory, names.add(at.slice(directory.length + 1)));
      at = directory;
    }
    return super.set(path, content);
  }

  override delete(path: string): boolean {
    const end = path.lastIndexOf('/');
    this.#names.get(path.slice(0, end))?.delete(path.slice(end + 1));
    return super.delete(path);
  }

  below(directory: string): Iterable<string> {
    return this.#names.get(directory) ?? [];
  }
}

class FakeTime implements Clock {
  #nowMs = 1_000_000;
  #turn = 0;
  readonly #due = new Map<number, { readonly atMs: number; readonly run: () => void }>();

  now(): number {
    return this.#nowMs;
  }
  monotonic(): number {
    return this.#nowMs;
  }
  after(delayMs: number, run: () => void): Timer {
    this.#turn += 1;
    const id = this.#turn;
    this.#due.set(id, { atMs: this.#nowMs + delayMs, run });
    return { cancel: () => this.#due.delete(id) };
  }
  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = () => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { cancel: () => timer.cancel() };
  }
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (await settle(); ; await settle()) {
      const next = [...this.#due].sort(([, a], [, b]) => a.atMs - b.atMs)[0];
      if (next === undefined || next[1].atMs > endMs) break;
      this.#due.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1].atMs);
      next[1].run();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything run that waits for no timer. */
async function settle(): Promise<void> {
  for (let i = 0; i < 200; i += 1) await Promise.resolve();
}

function fakeDisk(files: FakeFiles, host: () => FakeHost): Disk {
  const check = (path: string) => {
    const fault = host().diskFault;
    if (fault !== undefined) throw new DiskError(fault, `${path}: ${fault}`);
  };
  const absent = () => Promise.reject(new Error('not part of this fake'));
  return {
    async read(path) {
      if (host().diskFault === 'io') check(path);
      const bytes = files.get(path);
      if (bytes === undefined) throw new DiskError('missing', `${path}: missing`);
      return bytes;
    },
    async write(path, content) {
      check(path);
      host().writes += 1;
      files.set(path, typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content));
    },
    async list(path) {
      return [...files.below(path)].sort();
    },
    async remove(path) {
      check(path);
      for (const file of [...files.keys()]) if (file === path || file.startsWith(`${path}/`)) files.delete(file);
    },
    async stat(path) {
      const bytes = files.get(path);
      return bytes === undefined ? undefined : { bytes: bytes.length, modifiedMs: 0 };
    },
    async append(path) {
      check(path);
      if (!files.has(path)) files.set(path, new Uint8Array());
      return { write: absent, sync: async () => check(path), close: async () => undefined };
    },
    async sync(path) {
      check(path);
      if (!files.has(path) && [...files.below(path)].length === 0) throw new DiskError('missing', `${path}: missing`);
    },
    rename: absent,
    async makeDirectory() {},
    watch: () => ({ cancel() {} }),
    lock: absent,
  };
}

function fakeLog(warnings: string[]): Log {
  const log: Log = {
    debug() {},
    info() {},
    warn: (message) => warnings.push(message),
    error: (message) => warnings.push(message),
    area: () => log,
  };
  return log;
}
