import { DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { ConfigCache } from './cache.ts';
import {
  type DumpedConfig,
  type DumpName,
  dumpName,
  dumpPath,
  keyName,
  readDumpFile,
  type ViewKey,
  viewKey,
  writeDumpFile,
} from './dump-file.ts';
import { Superseded } from './dump-superseded.ts';
import { type DumpMark, type FoundMark, readMark, writeMark } from './dump-walk.ts';
import type { CachedView } from './view.ts';

export const DUMP_DELAY_MS = 100;
export const DUMP_WRITERS = 4;
/**
 * So many files are written behind changes each `DUMP_DELAY_MS`, for a file costs more than the publish behind it.
 * Where more change than that, the copy lags; a full read or a stop writes as fast as the disk takes it.
 */
export const DUMP_FILES_PER_TURN = 48;
/** Files waiting to be written; beyond it the whole dump is checked again later. */
export const DUMP_QUEUE_MAX = 20_000;
/** A full read goes on once no more than this wait. */
const DUMP_ROOM = 1_000;
const RETRY_WAIT_MS = 1_000;
const RETRY_WAIT_MS_MAX = 10_000;
/** Of a generation that waits for nothing else: all files are looked at again. */
const UNFINISHED_RETRY_MS = 300_000;
const WARN_EVERY_MS = 60_000;
/** Between files of one millisecond. */
const STAMP_STEP_MS = 0.001;

export interface DumpMetrics {
  readonly dumpQueue: number;
  readonly dumpWrites: number;
  readonly dumpFailures: number;
  readonly dumpDamaged: number;
  /** 1 while the disk takes no writes. */
  readonly dumpFailing: number;
}

/** A configuration whose file is to be written, or removed when its place in the cache is empty. */
interface Due {
  readonly groupKey: GroupKey;
  readonly variant: VariantId | undefined;
  /** Files of versions that it had before. */
  readonly olds: ReadonlySet<DumpName>;
  /** It counts from the next generation on; what was published counts at once. */
  readonly isForNext: boolean;
}

const NONE: ReadonlySet<DumpName> = new Set();

/**
 * The copy of all configurations and their variants on this node's disk, written behind the cache: what a file is to hold is looked up
 * when its turn comes, so many changes of one key are one write. A full or broken disk costs the copy, never the
 * service: it is counted, told once a minute and retried (F14).
 *
 * The files are of generations. A change is written for the current one. A full dump (`dump-check.ts`) writes what
 * differs for the next one, beside the current one, which a start without the store goes on to find until `swap`.
 */
export class Dump {
  readonly directory: string;
  /** What is older and nobody's is left over from an earlier process. */
  readonly startedMs: number;
  readonly #host: Host;
  readonly #log: Log;
  readonly #cache: ConfigCache;
  readonly #contentFromStore: (view: CachedView) => Promise<Uint8Array | undefined>;
  readonly #queue = new Map<ViewKey, Due>();
  readonly #superseded: Superseded;
  readonly #waitForRoom: (() => void)[] = [];
  #isFollowing = false;
  /** Somebody waits until the queue is empty. */
  #isHurried = false;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #unfinished: Timer | undefined;
  #failuresInRow = 0;
  #warnedMs = Number.NEGATIVE_INFINITY;
  #losses = 0;
  #hasLost = false;
  #mark: Promise<FoundMark> | undefined;
  /** Written for the current generation while the next one is written. */
  #published: Set<DumpName> | undefined;
  #stampMs = 0;
  #onLost: () => void = () => undefined;
  #writes = 0;
  #failures = 0;
  #damaged = 0;

  constructor(
    host: Host,
    directory: string,
    cache: ConfigCache,
    contentFromStore: (view: CachedView) => Promise<Uint8Array | undefined>,
  ) {
    this.#host = host;
    this.#log = host.log.area('dump');
    this.directory = directory;
    this.startedMs = host.clock.now();
    this.#cache = cache;
    this.#contentFromStore = contentFromStore;
    cache.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.type === after?.type) return;
      if (this.#isFollowing) this.#enqueue(dueOf(groupKey, undefined, before));
    });
    cache.variants.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.betaIps === after?.betaIps) return;
      if (this.#isFollowing) this.#enqueue(dueOf(groupKey, (after ?? before)?.variant, before));
    });
    this.#superseded = new Superseded(host, directory, (work) => this.alone(work));
  }

  /** What the queue had no room for; a full dump during which it grows is not whole. */
  get losses(): number {
    return this.#losses;
  }

  mark(): Promise<FoundMark> {
    this.#mark ??= readMark(this.#host, this.directory);
    return this.#mark;
  }

  async generation(): Promise<number> {
    const mark = await this.mark();
    return typeof mark === 'string' ? 0 : mark.generation;
  }

  /** From now on every change of the cache is written. Until then the last dump stays as it is. */
  follow(onLost: () => void): void {
    this.#isFollowing = true;
    this.#onLost = onLost;
  }

  /** A full dump begins. */
  beginNext(): void {
    this.#published = new Set();
  }

  /** For the next generation, unless it was written since that began. */
  enqueueForNext(view: CachedView): void {
    if (this.#published?.has(nameOf(view))) return;
    const variant = 'variant' in view ? view.variant : undefined;
    this.#enqueue({ groupKey: view.groupKey, variant, olds: NONE, isForNext: true });
  }

  /** In one step, from now on a start without the store finds the next generation. */
  async swap(facts: Pick<DumpMark, 'configs' | 'gone'>): Promise<void> {
    const mark = { generation: (await this.generation()) + 1, ...facts, atMs: this.#stamp() };
    await writeMark(this.#host, this.directory, mark);
    this.#mark = Promise.resolve(mark);
  }

  /** A full dump ended, with a swap or without. */
  endNext(): void {
    this.#published = undefined;
  }

  /** While it runs no file is written. */
  async alone(work: () => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#run(work);
  }

  /** A generation could not be written: it is tried again once the disk takes all that is queued. */
  noteUnfinished(error?: unknown): void {
    if (error !== undefined) this.#noteFailure('a generation of the dump cannot take the place of the last one', error);
    this.#hasLost = true;
    this.#unfinished?.cancel();
    this.#unfinished = this.#host.clock.after(UNFINISHED_RETRY_MS, () => {
      if (!this.#hasLost) return;
      if (this.#failuresInRow > 0) this.noteUnfinished();
      else this.#tellLost();
    });
  }

  /** The version that took its place may not be on the disk yet. */
  isNeeded(name: DumpName, groupKey: GroupKey, variant: VariantId | undefined): boolean {
    return this.#superseded.of(viewKey(groupKey, variant)).includes(name);
  }

  /** Resolves once more can be queued without loss, or nothing can be written anyway. */
  async room(): Promise<void> {
    if (this.#queue.size <= DUMP_ROOM || this.#failuresInRow > 0) return;
    await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  /** The content from its file, if that is whole and of this version. */
  async read(view: CachedView): Promise<Uint8Array | undefined> {
    const variant = 'variant' in view ? view.variant : undefined;
    const names = [nameOf(view)];
    if ((await this.generation()) === 0) names.push(keyName(viewKey(view.groupKey, variant)));
    for (const name of names) {
      try {
        const file = readDumpFile(name, await this.#host.disk.read(dumpPath(this.directory, name)));
        if (file?.config.md5 === view.md5) return file.content;
        if (file === undefined) this.noteDamaged(name);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.kind !== 'missing') this.#noteFailure('a file of the dump cannot be read', error);
      }
    }
    if (this.#isFollowing) this.#enqueue({ groupKey: view.groupKey, variant, olds: NONE, isForNext: false });
    return undefined;
  }

  noteDamaged(name: DumpName): void {
    this.#damaged += 1;
    this.#warn('a damaged file of the dump is not used', { file: dumpPath(this.directory, name) });
  }

  /** Writes what is queued at once, unless the disk fails: then false. */
  async flush(): Promise<boolean> {
    this.#cancelTimer();
    while (this.#writing !== undefined || (this.#queue.size > 0 && this.#failuresInRow === 0)) {
      this.#isHurried = true;
      await this.#write();
    }
    return this.#queue.size === 0;
  }

  async stop(): Promise<void> {
    this.#superseded.stop();
    this.#unfinished?.cancel();
    await this.flush();
    this.#cancelTimer();
    if (this.#queue.size > 0) this.#log.warn('the dump stays behind: its disk fails', { files: this.#queue.size });
  }

  metrics(): DumpMetrics {
    return {
      dumpQueue: this.#queue.size,
      dumpWrites: this.#writes,
      dumpFailures: this.#failures,
      dumpDamaged: this.#damaged,
      dumpFailing: this.#failuresInRow > 0 ? 1 : 0,
    };
  }

  #enqueue(due: Due): void {
    const id = viewKey(due.groupKey, due.variant);
    const queued = this.#queue.get(id);
    if (queued === undefined && this.#queue.size >= DUMP_QUEUE_MAX) {
      this.#losses += 1;
      this.#hasLost = true;
      return;
    }
    // What is due already keeps its turn: the file gets what the cache has by then.
    this.#queue.set(id, queued === undefined ? due : joined(queued, due));
    this.#writeIn(DUMP_DELAY_MS);
  }

  #writeIn(delayMs: number): void {
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    this.#timer = this.#host.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#host.background('write the dump', this.#write());
    });
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One run at a time; whoever asks during one waits for its end. */
  #write(): Promise<void> {
    return this.#writing ?? this.#run(() => this.#writeBatches());
  }

  async #run(work: () => Promise<void>): Promise<void> {
    const done = work();
    const ended = () => {
      this.#writing = undefined;
      this.#afterwards();
    };
    this.#writing = done.then(ended, ended);
    await this.#writing;
    await done;
  }

  async #writeBatches(): Promise<void> {
    for (let files = 0; ; files += DUMP_WRITERS) {
      const batch = [...this.#queue.entries().take(DUMP_WRITERS)];
      const errors = await Promise.all(batch.map(([id, due]) => this.#writeOne(id, due)));
      // One file that cannot be written must not hold up the others: only a batch that failed as a whole waits.
      this.#failuresInRow = batch.length === 0 || errors.includes(undefined) ? 0 : this.#failuresInRow + 1;
      this.#giveRoom();
      if (this.#queue.size === 0) this.#isHurried = false;
      if (this.#queue.size === 0 || this.#failuresInRow > 0) return;
      if (files >= DUMP_FILES_PER_TURN && !this.#isHurried && this.#waitForRoom.length === 0) return;
    }
  }

  #afterwards(): void {
    if (this.#failuresInRow > 0) {
      this.#writeIn(Math.min(RETRY_WAIT_MS_MAX, RETRY_WAIT_MS * 2 ** Math.min(this.#failuresInRow - 1, 10)));
    } else if (this.#queue.size > 0) {
      this.#writeIn(DUMP_DELAY_MS);
    } else if (this.#hasLost) {
      this.#tellLost();
    }
  }

  #tellLost(): void {
    this.#hasLost = false;
    this.#unfinished?.cancel();
    this.#onLost();
  }

  /** One file after the other for each key, since a batch has a key only once. */
  async #writeOne(id: ViewKey, due: Due): Promise<Error | undefined> {
    this.#queue.delete(id);
    const view = this.#viewOf(due);
    try {
      if (view === undefined) await this.#remove(id, due);
      else await this.#writeView(id, due, view);
      return undefined;
    } catch (error) {
      this.#noteFailure('a file of the dump cannot be written, trying again', error);
      const queued = this.#queue.get(id);
      this.#queue.set(id, queued === undefined ? due : joined(due, queued));
      return error as Error;
    }
  }

  #viewOf({ groupKey, variant }: Due): CachedView | undefined {
    return variant === undefined ? this.#cache.get(groupKey) : this.#cache.variants.find(groupKey, variant);
  }

  /** The last version last, so that what is left by an interruption is no older text. */
  async #remove(id: ViewKey, { olds }: Due): Promise<void> {
    const names = new Set([...this.#superseded.of(id), ...olds]);
    if ((await this.generation()) === 0) names.add(keyName(id));
    for (const name of names) await this.#host.disk.remove(dumpPath(this.directory, name));
    this.#superseded.forget(id);
  }

  async #writeView(id: ViewKey, due: Due, view: CachedView): Promise<void> {
    const content = this.#cache.content(view) ?? (await this.#contentFromStore(view));
    if (content === undefined) {
      // Most likely another version came meanwhile, and queued the file itself.
      if (this.#viewOf(due)?.md5 === view.md5 || due.olds.size > 0) this.#enqueue(due);
      return;
    }
    const name = nameOf(view);
    const current = await this.generation();
    const generation = due.isForNext ? current + 1 : current;
    if (!due.isForNext) this.#published?.add(name);
    const bytes = writeDumpFile(factsOf(view), content, { generation, writtenMs: this.#stamp() });
    // The first generation has none before it that could be lost: it need not wait for the disk.
    const sync = due.isForNext && (await this.mark()) !== 'none';
    await this.#host.disk.write(dumpPath(this.directory, name), bytes, { sync });
    this.#writes += 1;
    await this.#superseded.note(id, name, due.olds);
  }

  /** No two of one key are the same. */
  #stamp(): number {
    const nowMs = this.#host.clock.now();
    this.#stampMs = nowMs > this.#stampMs ? nowMs : this.#stampMs + STAMP_STEP_MS;
    return this.#stampMs;
  }

  #giveRoom(): void {
    if (this.#queue.size > DUMP_ROOM && this.#failuresInRow === 0) return;
    for (const resolve of this.#waitForRoom.splice(0)) resolve();
  }

  #noteFailure(message: string, error: unknown): void {
    this.#failures += 1;
    this.#warn(message, { error, failures: this.#failures, waiting: this.#queue.size });
  }

  #warn(message: string, facts: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#host.clock.monotonic();
    if (nowMs - this.#warnedMs < WARN_EVERY_MS) return;
    this.#warnedMs = nowMs;
    this.#log.warn(message, facts);
  }
}

export function nameOf(view: CachedView): DumpName {
  return dumpName(viewKey(view.groupKey, 'variant' in view ? view.variant : undefined), factsOf(view));
}

function dueOf(groupKey: GroupKey, variant: VariantId | undefined, before: CachedView | undefined): Due {
  return { groupKey, variant, olds: before === undefined ? NONE : new Set([nameOf(before)]), isForNext: false };
}

/** Of the versions before both turns, those before the first one may be on the disk. */
function joined(first: Due, second: Due): Due {
  const olds = first.olds.size > 0 ? first.olds : second.olds;
  return { ...first, olds, isForNext: first.isForNext && second.isForNext };
}

function factsOf(view: CachedView): DumpedConfig {
  if (!('variant' in view)) return view;
  const { key, md5, modifiedMs, variant, betaIps } = view;
  return { key, md5, type: 'text', modifiedMs, variant: { id: variant, betaIps } };
}
