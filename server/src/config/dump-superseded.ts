import { DiskError, type Host, type Timer } from '@nacos-kube/core/host/host.ts';
import { type DumpName, dumpPath, type ViewKey } from './dump-file.ts';

/** By then the kernel has written out most of what is synced here, which costs little so. */
export const SETTLE_MS = 45_000;
/** Beyond it they are settled at once. */
export const SUPERSEDED_MAX = 20_000;
/** So many have their turn before others may write. */
const SETTLED_AT_ONCE = 64;

interface Waiting {
  /** The version that counts, which may be in the memory of the kernel only. */
  readonly name: DumpName;
  readonly olds: ReadonlySet<DumpName>;
}

/**
 * Files whose configuration has another version on the disk. They stay until that one is synced: where power is lost
 * before, it may be torn, and the older text is still there to start with.
 */
export class Superseded {
  readonly #host: Host;
  readonly #directory: string;
  readonly #alone: (work: () => Promise<void>) => Promise<void>;
  readonly #waiting = new Map<ViewKey, Waiting>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(host: Host, directory: string, alone: (work: () => Promise<void>) => Promise<void>) {
    this.#host = host;
    this.#directory = directory;
    this.#alone = alone;
  }

  /** A version was written in place of others. */
  async note(key: ViewKey, name: DumpName, before: ReadonlySet<DumpName>): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (waiting?.name === name) return;
    let olds = new Set(waiting?.olds ?? before);
    olds.delete(name);
    if (waiting !== undefined && olds.size === 0) olds = new Set([waiting.name]);
    // Of the versions since the last sync only the newest is of use, and the one from before it.
    const between = waiting === undefined ? [] : [waiting.name, ...before];
    for (const old of between) {
      if (old !== name && !olds.has(old)) await this.#host.disk.remove(dumpPath(this.#directory, old));
    }
    if (olds.size === 0) return;
    this.#waiting.set(key, { name, olds });
    if (this.#waiting.size >= SUPERSEDED_MAX) this.#settleIn(0);
    else if (this.#timer === undefined) this.#settleIn(SETTLE_MS);
  }

  /** The oldest first. */
  of(key: ViewKey): readonly DumpName[] {
    const waiting = this.#waiting.get(key);
    return waiting === undefined ? [] : [...waiting.olds, waiting.name];
  }

  forget(key: ViewKey): void {
    this.#waiting.delete(key);
  }

  /** What waits stays on the disk: the next start tells by itself which version counts. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #settleIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isStopped) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#host.background('settle the dump', this.#settle());
    });
  }

  async #settle(): Promise<void> {
    let keys = [...this.#waiting.keys()];
    try {
      while (keys.length > 0 && !this.#isStopped) {
        const some = keys.slice(0, SETTLED_AT_ONCE);
        await this.#alone(() => this.#settleSome(some));
        keys = keys.slice(SETTLED_AT_ONCE);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // The disk fails, which who writes to it tells; what waits stays.
    }
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#settleIn(SETTLE_MS);
  }

  async #settleSome(keys: readonly ViewKey[]): Promise<void> {
    for (const key of keys) {
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) continue;
      const file = await this.#host.disk.append(dumpPath(this.#directory, waiting.name));
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      for (const name of waiting.olds) await this.#host.disk.remove(dumpPath(this.#directory, name));
      this.#waiting.delete(key);
    }
  }
}
