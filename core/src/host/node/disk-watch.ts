import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log, Timer } from '../host.ts';

/** Network file systems and overlays report nothing, so the directory is also looked at. */
export const POLL_MS = 2_000;
/** Several reports of one change become one call. */
const SETTLE_MS = 20;

/** Works on a directory that does not exist yet or goes away in between. */
export function watchDirectory(directory: string, run: () => void, log: Log): Timer {
  const watcher = new DirectoryWatcher(directory, run, log);
  watcher.start();
  return { cancel: () => watcher.cancel() };
}

class DirectoryWatcher {
  readonly #directory: string;
  readonly #run: () => void;
  readonly #log: Log;
  #native: FSWatcher | undefined;
  #polling: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #signature: string | undefined;
  #cancelled = false;

  constructor(directory: string, run: () => void, log: Log) {
    this.#directory = directory;
    this.#run = run;
    this.#log = log;
  }

  start(): void {
    this.#attach();
    void this.#poll();
  }

  cancel(): void {
    this.#cancelled = true;
    clearTimeout(this.#polling);
    clearTimeout(this.#settling);
    this.#detach();
  }

  #attach(): void {
    try {
      this.#native = watch(this.#directory, () => this.#report());
      this.#native.on('error', () => this.#detach());
    } catch {
      this.#native = undefined; // missing, or the system is out of watches: polling alone then
    }
  }

  #detach(): void {
    this.#native?.close();
    this.#native = undefined;
  }

  async #poll(): Promise<void> {
    const signature = await signatureOf(this.#directory);
    if (this.#cancelled) return;
    // A directory that was made anew has the old name, but the watch is on what it was.
    const isNew = this.#signature !== undefined && identityOf(signature) !== identityOf(this.#signature);
    if (isNew) this.#detach();
    if (this.#native === undefined) this.#attach();
    if (this.#signature !== undefined && signature !== this.#signature) this.#report();
    this.#signature = signature;
    this.#polling = setTimeout(() => void this.#poll(), POLL_MS);
  }

  #report(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      try {
        this.#run();
      } catch (error) {
        this.#log.error('a change of files was not handled', { directory: this.#directory, error });
      }
    }, SETTLE_MS);
  }
}

/** Follows links, so the swap of a mounted ConfigMap's `..data` shows as other files under the same names. */
async function signatureOf(directory: string): Promise<string> {
  const own = await factsOf(directory);
  const names = await readdir(directory).catch(() => []);
  const files = await Promise.all(names.sort().map(async (name) => `${name}|${await factsOf(join(directory, name))}`));
  return [own, ...files].join('\n');
}

async function factsOf(path: string): Promise<string> {
  const facts = await stat(path).catch(() => undefined);
  return facts === undefined ? 'none' : `${facts.dev}:${facts.ino}|${facts.mtimeMs}|${facts.size}`;
}

function identityOf(signature: string): string {
  return signature.split('|', 1)[0] as string;
}
