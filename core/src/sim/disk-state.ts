import { dirname, normalize } from 'node:path/posix';
import { DiskError } from '../host/host.ts';
import type { Kernel } from './kernel.ts';
import type { Prng } from './prng.ts';

/** The kernel writes out by itself what nobody synced for this long. */
const WRITE_BACK_MS = 30_000;

/**
 * What a crash does to that part of a file which was not synced; `zeroed`: its length is on the platter, its bytes are
 * not. With the last two each path has a fate of its own, as where names and contents are written out in any order:
 * `any` is the first three, `reordered` all of them.
 */
export type UnsyncedFate = 'lost' | 'torn' | 'kept' | 'zeroed' | 'any' | 'reordered';
const FATES_OF = {
  any: ['lost', 'torn', 'kept'],
  reordered: ['lost', 'torn', 'kept', 'zeroed'],
} as const;

interface File {
  readonly content: Uint8Array;
  readonly modifiedMs: number;
}

/** A process, of which there may be another life. */
interface LockHolder {
  readonly name: string;
  readonly isAlive: boolean;
}

/**
 * The files of a machine twice: as its processes see them, and as they stand on the platter. A sync copies one path
 * from the first to the second; a crash goes back to the second, or to something in between.
 */
export class DiskState {
  /** Writes fail and leave what fitted. */
  isFull = false;
  /** Added to each operation. */
  slowMs = 0;
  readonly prng: Prng;
  readonly #kernel: Kernel;
  #visible = new Map<string, File>();
  readonly #durable = new Map<string, File>();
  /** Since when a path differs. */
  readonly #dirty = new Map<string, number>();
  readonly #changedMs = new Map<string, number>();
  readonly #directories = new Set<string>(['/', '.']);
  readonly #locks = new Map<string, LockHolder>();
  readonly #watches = new Set<{ readonly directory: string; readonly run: () => void }>();

  constructor(kernel: Kernel, prng: Prng) {
    this.#kernel = kernel;
    this.prng = prng;
  }

  read(path: string): File | undefined {
    return this.#visible.get(normalize(path));
  }

  isDirectory(path: string): boolean {
    const at = normalize(path);
    return this.#directories.has(at) || this.#children(at).length > 0;
  }

  list(path: string): readonly string[] {
    const at = normalize(path);
    if (this.#visible.has(at)) throw new DiskError('io', `listing ${path}: not a directory`);
    const names = this.#children(at).map(
      (child) => child.slice(at === '/' ? 1 : at.length + 1).split('/', 1)[0] as string,
    );
    return [...new Set(names)].sort();
  }

  put(path: string, content: Uint8Array): void {
    const at = normalize(path);
    if (this.isDirectory(at)) throw new DiskError('io', `writing ${path}: is a directory`);
    this.makeDirectory(dirname(at));
    this.#touch(at);
    this.#visible.set(at, { content, modifiedMs: this.#kernel.startMs + this.#kernel.nowMs });
    this.#report(at);
  }

  sync(path: string): void {
    this.#writeOut(normalize(path));
  }

  /** What was removed from a directory stays so; what came into it may still be torn or go. */
  syncNames(path: string): void {
    const at = normalize(path);
    for (const dirty of [...this.#dirty.keys()]) {
      if (dirname(dirty) === at && !this.#visible.has(dirty)) this.#writeOut(dirty);
    }
  }

  /** When a name came or went, or was given to another file. */
  changedMs(path: string): number {
    return this.#changedMs.get(normalize(path)) ?? 0;
  }

  rename(from: string, to: string): void {
    const source = normalize(from);
    const target = normalize(to);
    const moved = [...this.#visible].filter(([path]) => path === source || path.startsWith(`${source}/`));
    if (moved.length === 0) throw new DiskError('missing', `renaming ${from}: no such file`);
    this.makeDirectory(dirname(target));
    for (const [path, file] of moved) {
      const newPath = target + path.slice(source.length);
      this.#touch(path);
      this.#touch(newPath);
      this.#visible.delete(path);
      this.#visible.set(newPath, file);
      this.#report(path);
      this.#report(newPath);
    }
    this.#directories.delete(source);
  }

  remove(path: string): void {
    const at = normalize(path);
    for (const file of [at, ...this.#children(at)]) {
      this.#directories.delete(file);
      if (!this.#visible.has(file)) continue;
      this.#touch(file);
      this.#visible.delete(file);
      this.#report(file);
    }
  }

  makeDirectory(path: string): void {
    for (let at = normalize(path); !this.#directories.has(at); at = dirname(at)) {
      if (this.#visible.has(at)) throw new DiskError('io', `making ${path}: ${at} is a file`);
      this.#directories.add(at);
    }
  }

  /** Undefined when it is taken now; else who has it. */
  lock(path: string, holder: LockHolder): LockHolder | undefined {
    const at = normalize(path);
    const other = this.#locks.get(at);
    // Of those that died nothing is left.
    if (other?.isAlive === true) return other;
    if (this.#visible.get(at) === undefined) this.put(at, new Uint8Array(0));
    this.#locks.set(at, holder);
    return undefined;
  }

  unlock(path: string, holder: LockHolder): void {
    if (this.#locks.get(normalize(path)) === holder) this.#locks.delete(normalize(path));
  }

  watch(directory: string, run: () => void): () => void {
    const watch = { directory: normalize(directory), run };
    this.#watches.add(watch);
    return () => this.#watches.delete(watch);
  }

  /** Power is lost. */
  crash(fate: UnsyncedFate): void {
    const since = this.#kernel.nowMs - WRITE_BACK_MS;
    for (const [path, sinceMs] of this.#dirty) if (sinceMs <= since) this.#writeOut(path);
    for (const path of [...this.#dirty.keys()].sort()) {
      const choice = fate === 'any' || fate === 'reordered' ? FATES_OF[fate] : [fate];
      const chosen = choice.length === 1 ? choice[0] : choice[this.prng.int(choice.length)];
      const file = this.#visible.get(path);
      if (chosen === 'torn' && file !== undefined) this.#tear(path, file);
      else if (chosen === 'zeroed' && file !== undefined) this.#zero(path, file);
      else if (chosen === 'lost') this.#revert(path);
    }
    this.#dirty.clear();
    this.#durable.clear();
    for (const [path, file] of this.#visible) this.#durable.set(path, file);
    this.#watches.clear();
  }

  /** What grew keeps what was synced and a part of the rest; what was replaced may be cut anywhere. */
  #tear(path: string, file: File): void {
    const from = this.#syncedBytes(path, file);
    const length = from + this.prng.int(file.content.length - from + 1);
    this.#visible.set(path, { ...file, content: new Uint8Array(file.content.subarray(0, length)) });
  }

  #zero(path: string, file: File): void {
    const content = new Uint8Array(file.content).fill(0, this.#syncedBytes(path, file));
    this.#visible.set(path, { ...file, content });
  }

  #syncedBytes(path: string, file: File): number {
    const old = this.#durable.get(path)?.content ?? new Uint8Array(0);
    const hasGrown = file.content.length >= old.length && old.every((byte, i) => byte === file.content[i]);
    return hasGrown ? old.length : 0;
  }

  #revert(path: string): void {
    const old = this.#durable.get(path);
    if (old === undefined) this.#visible.delete(path);
    else this.#visible.set(path, old);
  }

  #touch(path: string): void {
    const { nowMs } = this.#kernel;
    const sinceMs = this.#dirty.get(path);
    if (sinceMs !== undefined && nowMs - sinceMs < WRITE_BACK_MS) return;
    if (sinceMs !== undefined) this.#writeOut(path);
    this.#dirty.set(path, nowMs);
  }

  #writeOut(path: string): void {
    const file = this.#visible.get(path);
    if (file === undefined) this.#durable.delete(path);
    else this.#durable.set(path, file);
    this.#dirty.delete(path);
  }

  #children(at: string): string[] {
    const prefix = at === '/' ? '/' : `${at}/`;
    const isChild = (path: string) => path.startsWith(prefix) && path !== at;
    return [...this.#visible.keys(), ...this.#directories].filter(isChild);
  }

  #report(path: string): void {
    const directory = dirname(path);
    this.#changedMs.set(directory, this.#kernel.startMs + this.#kernel.nowMs);
    for (const watch of this.#watches) if (watch.directory === directory) watch.run();
  }
}

export function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
