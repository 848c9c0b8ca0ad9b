import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import { fewAtOnce } from '../store/few-at-once.ts';
import { type DumpName, dumpLeaf, dumpPath, keyName, type ViewKey } from './dump-file.ts';

/** By then the kernel has written out most of what is synced here, which costs little so. */
export const SETTLE_MS = 45_000;
/** Beyond it what is written is synced at once. */
export const UNSETTLED_MAX = 20_000;
/** So many have their turn before others may write, and when a generation waits for them. */
const SETTLED_PER_TURN = 16;
const SETTLED_PER_LONG_TURN = 256;
/** Enough that the disk hands them to its thread together, which costs a quarter of one by one. */
const SETTLED_AT_ONCE = 16;

interface Waiting {
  /** The version that counts, which may be in the memory of the kernel only. */
  readonly name: DumpName;
  readonly olds: ReadonlySet<DumpName>;
  /** A sync of it failed: the kernel may have thrown it away, and may call the next one a success. */
  readonly isSuspect?: true;
}

export interface UnsettledPorts {
  /** While it runs no file is written. */
  alone(work: () => Promise<void>): Promise<void>;
  /** A file stays, or is not synced, which the next full dump finds. */
  failed(error: DiskError): void;
}

/**
 * What power loss may undo: files that were written and not synced, with those of their key that stay until they are,
 * since of a torn one the older text is still there to start with; and names that were removed.
 */
export class Unsettled {
  readonly #host: Host;
  readonly #directory: string;
  readonly #ports: UnsettledPorts;
  readonly #waiting = new Map<ViewKey, Waiting>();
  /** Directories of which names went or which came, 65,792 at most. */
  readonly #directories = new Set<string>();
  #timer: Timer | undefined;
  #isSettling = false;
  #isStopped = false;

  constructor(host: Host, directory: string, ports: UnsettledPorts) {
    this.#host = host;
    this.#directory = directory;
    this.#ports = ports;
  }

  /** Keys whose newest version may be torn by power loss. */
  get size(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#waiting.size >= UNSETTLED_MAX;
  }

  /** Its file has to be written again, whatever it looks like. */
  isSuspect(key: ViewKey, name: DumpName): boolean {
    const waiting = this.#waiting.get(key);
    return waiting?.isSuspect === true && waiting.name === name;
  }

  /** A version was written, not synced; the others of its key stand beside it. */
  async note(key: ViewKey, name: DumpName, others: readonly DumpName[]): Promise<void> {
    const waiting = this.#waiting.get(key);
    const before = others.filter((other) => waiting?.olds.has(other));
    // Of the versions since the last sync only the newest is of use, and the one from before it.
    const olds = before.length > 0 ? before : others;
    const between = others.filter((other) => !olds.includes(other));
    this.#waiting.set(key, { name, olds: new Set(olds) });
    this.#settleSoon();
    await this.#removeAll(between);
  }

  /** A version was written and synced: its key needs no other. */
  async discard(key: ViewKey, others: readonly DumpName[]): Promise<void> {
    this.#waiting.delete(key);
    await this.#removeAll(others);
  }

  /** All versions of a key were removed. */
  noteRemoved(key: ViewKey): void {
    this.#waiting.delete(key);
    this.noteNames(dumpLeaf(this.#directory, keyName(key)));
  }

  noteNames(directory: string): void {
    this.#directories.add(directory);
    this.#settleSoon();
  }

  /** What waits stays on the disk: the next start tells by itself which version counts. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Syncs a version, then removes those that wait for it and `more`. False when the disk fails. */
  async settle(key: ViewKey, name: DumpName, more: readonly DumpName[] = []): Promise<boolean> {
    try {
      await this.#settle(key, name, more);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.failed(error);
      return false;
    }
  }

  /** Everything that waits when it is called, in turns; `settleRest` has little to do behind it. */
  async settleMost(): Promise<void> {
    const keys = [...this.#waiting.keys()];
    for (let i = 0; i < keys.length; i += SETTLED_PER_LONG_TURN) {
      const some = keys.slice(i, i + SETTLED_PER_LONG_TURN);
      await this.#ports.alone(() => fewAtOnce(some, SETTLED_AT_ONCE, (key) => this.#settleWaiting(key)));
    }
    await this.#syncDirectories();
  }

  /** Only while nothing is written. From then on power loss undoes nothing, or it rejects. */
  async settleRest(): Promise<void> {
    await fewAtOnce([...this.#waiting.keys()], SETTLED_AT_ONCE, (key) => this.#settleWaiting(key));
    await this.#syncDirectories();
  }

  /** Of a file that an earlier process left, or that was written for a generation which is not yet served. */
  async sync(key: ViewKey, name: DumpName): Promise<void> {
    try {
      await this.#host.disk.sync(dumpPath(this.#directory, name));
    } catch (error) {
      // It was removed meanwhile, by whoever wrote another.
      if (error instanceof DiskError && error.kind === 'missing') return;
      if (!this.#waiting.has(key)) this.#waiting.set(key, { name, olds: new Set(), isSuspect: true });
      throw error;
    }
  }

  #settleSoon(): void {
    if (this.#timer === undefined) this.#settleIn(SETTLE_MS);
  }

  #settleIn(delayMs: number): void {
    if (this.#isStopped || this.#isSettling) return;
    this.#timer?.cancel();
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#host.background('settle the dump', this.#settleAll());
    });
  }

  async #settleAll(): Promise<void> {
    this.#isSettling = true;
    const keys = [...this.#waiting.keys()];
    let isFailing = false;
    for (let i = 0; i < keys.length && !this.#isStopped && !isFailing; i += SETTLED_PER_TURN) {
      await this.#ports.alone(async () => {
        isFailing = !(await this.#settleSome(keys.slice(i, i + SETTLED_PER_TURN)));
      });
    }
    await this.#syncDirectoriesBehind();
    this.#isSettling = false;
    this.#timer = undefined;
    if (this.#waiting.size + this.#directories.size > 0) this.#settleIn(SETTLE_MS);
  }

  /** One file that cannot be synced must not hold up the others: false only when none could. */
  async #settleSome(keys: readonly ViewKey[]): Promise<boolean> {
    let settled = 0;
    await fewAtOnce(keys, SETTLED_AT_ONCE, async (key) => {
      const waiting = this.#waiting.get(key);
      // Of a suspect the next full dump makes a new one.
      if (waiting === undefined || waiting.isSuspect === true || (await this.settle(key, waiting.name))) settled += 1;
    });
    return settled > 0;
  }

  async #settleWaiting(key: ViewKey): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    if (waiting.isSuspect === true) throw new DiskError('io', `${waiting.name} could not be synced before`);
    if (!(await this.#settle(key, waiting.name, []))) throw new DiskError('missing', `${waiting.name} is gone`);
  }

  /** False when the file is lost: then the older text is better than none. */
  async #settle(key: ViewKey, name: DumpName, more: readonly DumpName[]): Promise<boolean> {
    const waiting = this.#waiting.get(key);
    try {
      await this.#host.disk.sync(dumpPath(this.#directory, name));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.kind === 'missing') {
        if (waiting?.name === name) this.#waiting.delete(key);
        return false;
      }
      if (waiting === undefined || waiting.name === name) {
        this.#waiting.set(key, { name, olds: waiting?.olds ?? new Set(more), isSuspect: true });
      }
      throw error;
    }
    const others = new Set([...(waiting === undefined ? [] : [...waiting.olds, waiting.name]), ...more]);
    others.delete(name);
    await this.discard(key, [...others]);
    return true;
  }

  async #syncDirectories(): Promise<void> {
    const directories = [...this.#directories];
    this.#directories.clear();
    try {
      await fewAtOnce(directories, SETTLED_AT_ONCE, (directory) => this.#syncNames(directory));
    } catch (error) {
      for (const directory of directories) this.#directories.add(directory);
      throw error;
    }
  }

  async #syncDirectoriesBehind(): Promise<void> {
    try {
      await this.#syncDirectories();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.failed(error);
    }
  }

  async #syncNames(directory: string): Promise<void> {
    try {
      await this.#host.disk.sync(directory);
    } catch (error) {
      if (!(error instanceof DiskError) || error.kind !== 'missing') throw error;
    }
  }

  async #removeAll(names: readonly DumpName[]): Promise<void> {
    for (const name of names) {
      try {
        await this.#host.disk.remove(dumpPath(this.#directory, name));
        // Once the newer one is removed too, an older one that came back would be the newest.
        this.noteNames(dumpLeaf(this.#directory, name));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.#ports.failed(error);
      }
    }
  }
}
