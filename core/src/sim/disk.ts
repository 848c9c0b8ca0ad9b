import { type AppendFile, type Disk, DiskError, type WriteOptions } from '../host/host.ts';
import { joined } from './disk-state.ts';
import { bytesOf } from './http-message.ts';
import type { Kernel } from './kernel.ts';
import type { SimProcess } from './process.ts';

const OPERATION_MS = { min: 0.05, max: 0.5 };
const SYNC_MS = { min: 1, max: 5 };
const WATCH_MS = 20;

/** Operations take effect when they end: a process that dies before has not done them. */
export function createSimDisk(kernel: Kernel, process: SimProcess): Disk {
  const { disk } = process.machine;
  const prng = disk.prng.split(process.name);

  const work = <T>(isSync: boolean, run: () => T): Promise<T> => {
    if (!process.isAlive) return new Promise(() => {});
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const ms = prng.between(OPERATION_MS.min, OPERATION_MS.max) + (isSync ? prng.between(SYNC_MS.min, SYNC_MS.max) : 0);
    const finish = () => {
      try {
        resolve(run());
      } catch (error) {
        reject(error);
      }
    };
    kernel.schedule(ms + disk.slowMs, finish, process);
    return promise;
  };

  const refuseWhenFull = (doing: string) => {
    if (disk.isFull) throw new DiskError('full', `${doing}: no space left on device`);
  };

  const appendTo = (path: string, content: Uint8Array) => {
    const old = disk.read(path)?.content ?? new Uint8Array(0);
    // A full disk takes what fits before it says no.
    const fits = disk.isFull ? content.subarray(0, prng.int(content.length + 1)) : content;
    disk.put(path, joined(old, fits));
    refuseWhenFull(`appending to ${path}`);
  };

  return {
    read: (path) =>
      work(false, () => {
        const file = disk.read(path);
        if (file !== undefined) return new Uint8Array(file.content);
        throw new DiskError(disk.isDirectory(path) ? 'io' : 'missing', `reading ${path}: no such file`);
      }),

    write(path: string, content: string | Uint8Array, options: WriteOptions = {}) {
      const bytes = bytesOf(content);
      return work(options.sync === true, () => {
        refuseWhenFull(`writing ${path}`);
        disk.put(path, bytes);
        if (options.sync === true) disk.sync(path);
      });
    },

    append: (path) =>
      work(false, (): AppendFile => {
        if (disk.read(path) === undefined) {
          refuseWhenFull(`opening ${path}`);
          disk.put(path, new Uint8Array(0));
        }
        return new SimAppendFile(path, work, appendTo, (syncPath) => disk.sync(syncPath));
      }),

    list: (path) => work(false, () => disk.list(path)),
    remove: (path) => work(false, () => disk.remove(path)),
    sync: (path) =>
      work(true, () => {
        if (disk.read(path) !== undefined) disk.sync(path);
        else if (disk.isDirectory(path)) disk.syncNames(path);
        else throw new DiskError('missing', `syncing ${path}: no such file`);
      }),
    rename: (from, to) => work(false, () => disk.rename(from, to)),
    stat: (path) =>
      work(false, () => {
        const file = disk.read(path);
        if (file !== undefined) return { bytes: file.content.length, modifiedMs: file.modifiedMs };
        return disk.isDirectory(path) ? { bytes: 0, modifiedMs: disk.changedMs(path) } : undefined;
      }),
    makeDirectory: (path) => work(false, () => disk.makeDirectory(path)),

    lock: (path) =>
      work(false, () => {
        const holder = disk.lock(path, process);
        if (holder !== undefined) return { isHeld: true, by: `process ${holder.name}` } as const;
        return { isHeld: false, release: () => work(false, () => disk.unlock(path, process)) } as const;
      }),

    watch(directory, run) {
      let waiting: { cancelled: boolean } | undefined;
      const changed = () => {
        waiting ??= kernel.schedule(
          WATCH_MS,
          () => {
            waiting = undefined;
            run();
          },
          process,
        );
      };
      const stop = disk.watch(directory, changed);
      return {
        cancel: () => {
          stop();
          if (waiting !== undefined) waiting.cancelled = true;
        },
      };
    },
  };
}

type Work = <T>(isSync: boolean, run: () => T) => Promise<T>;

class SimAppendFile implements AppendFile {
  readonly #path: string;
  readonly #work: Work;
  readonly #appendTo: (path: string, content: Uint8Array) => void;
  readonly #syncPath: (path: string) => void;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(
    path: string,
    work: Work,
    appendTo: (path: string, content: Uint8Array) => void,
    syncPath: (path: string) => void,
  ) {
    this.#path = path;
    this.#work = work;
    this.#appendTo = appendTo;
    this.#syncPath = syncPath;
  }

  write(content: string | Uint8Array): Promise<void> {
    const bytes = bytesOf(content);
    return this.#next(() => this.#work(false, () => this.#appendTo(this.#path, bytes)));
  }

  sync(): Promise<void> {
    return this.#next(() => this.#work(true, () => this.#syncPath(this.#path)));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const closing = this.#next(() => this.#work(false, () => {}));
    this.#isClosed = true;
    await closing;
  }

  #next(run: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return Promise.reject(new DiskError('io', `${this.#path}: the file is closed`));
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }
}
