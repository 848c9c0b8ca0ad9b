import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import { type DumpName, dumpPath, type ViewKey } from './dump-file.ts';
import { fewAtOnce } from './few-at-once.ts';

/** By then the kernel has written out most of what is synced here, which costs little so. */
export const SETTLE_MS = 45_000;
/** Beyond it they are settled at once. */
export const SUPERSEDED_MAX = 20_000;
/** So many have their turn before others may write. */
const SETTLED_PER_TURN = 16;
const SETTLED_AT_ONCE = 4;

interface Waiting {
  /** The version that counts, which may be in the memory of the kernel only. */
  readonly name: DumpName;
  readonly olds: ReadonlySet<DumpName>;
}

export interface SupersededPorts {
  /** While it runs no file is written. */
  alone(work: () => Promise<void>): Promise<void>;
  /** A file stays, which the next full dump finds. */
  failed(error: DiskError): void;
}

/**
 * Files whose configuration has another version on the disk. They stay until that one is synced: where power is lost
 * before, it may be torn, and the older text is still there to start with.
 */
export class Superseded {
  readonly #host: Host;
  readonly #directory: string;
  readonly #ports: SupersededPorts;
  readonly #waiting = new Map<ViewKey, Waiting>();
  #timer: Timer | undefined;
  #isSettling = false;
  #isStopped = false;

  constructor(host: Host, directory: string, ports: SupersededPorts) {
    this.#host = host;
    this.#directory = directory;
    this.#ports = ports;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A version was written, not synced; the others of its key stand beside it. */
  async note(key: ViewKey, name: DumpName, others: readonly DumpName[]): Promise<void> {
    if (others.length === 0) return;
    const waiting = this.#waiting.get(key);
    const before = others.filter((other) => waiting?.olds.has(other));
    // Of the versions since the last sync only the newest is of use, and the one from before it.
    const olds = before.length > 0 ? before : others;
    const between = others.filter((other) => !olds.includes(other));
    // More wait for the next full dump.
    if (waiting !== undefined || this.#waiting.size < SUPERSEDED_MAX) {
      this.#waiting.set(key, { name, olds: new Set(olds) });
    }
    if (this.#waiting.size >= SUPERSEDED_MAX) this.#settleIn(0);
    else if (this.#timer === undefined) this.#settleIn(SETTLE_MS);
    await this.#removeAll(between);
  }

  /** A version was written and synced: its key needs no other. */
  async discard(key: ViewKey, others: readonly DumpName[]): Promise<void> {
    this.#waiting.delete(key);
    await this.#removeAll(others);
  }

  forget(key: ViewKey): void {
    this.#waiting.delete(key);
  }

  /** What waits stays on the disk: the next start tells by itself which version counts. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Syncs a version, then removes those that wait for it and `more`. False when the disk fails. */
  async settle(key: ViewKey, name: DumpName, more: readonly DumpName[] = []): Promise<boolean> {
    const waiting = this.#waiting.get(key);
    try {
      // Where the file itself is lost the older text is better than none.
      if (await this.#sync(name)) {
        const others = new Set([...(waiting === undefined ? [] : [...waiting.olds, waiting.name]), ...more]);
        others.delete(name);
        await this.discard(key, [...others]);
      } else if (waiting?.name === name) {
        this.#waiting.delete(key);
      }
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#ports.failed(error);
      return false;
    }
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
    this.#isSettling = false;
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#settleIn(SETTLE_MS);
  }

  /** One file that cannot be synced must not hold up the others: false only when none could. */
  async #settleSome(keys: readonly ViewKey[]): Promise<boolean> {
    let settled = 0;
    await fewAtOnce(keys, SETTLED_AT_ONCE, async (key) => {
      const waiting = this.#waiting.get(key);
      if (waiting === undefined || (await this.settle(key, waiting.name))) settled += 1;
    });
    return settled > 0;
  }

  async #sync(name: DumpName): Promise<boolean> {
    const path = dumpPath(this.#directory, name);
    if ((await this.#host.disk.stat(path)) === undefined) return false;
    const file = await this.#host.disk.append(path);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  }

  async #removeAll(names: readonly DumpName[]): Promise<void> {
    for (const name of names) {
      try {
        await this.#host.disk.remove(dumpPath(this.#directory, name));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.#ports.failed(error);
      }
    }
  }
}
