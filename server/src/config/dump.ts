import { dirname } from 'node:path/posix';
import { DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { ConfigCache } from './cache.ts';
import { type DumpName, dumpPath, keyName, readDumpFile, type ViewKey, viewKey, writeDumpFile } from './dump-file.ts';
import { ageSeconds, type DumpMetrics } from './dump-metrics.ts';
import { DumpPace } from './dump-pace.ts';
import { Stamps } from './dump-stamps.ts';
import { Standing } from './dump-standing.ts';
import { DumpTroubles } from './dump-troubles.ts';
import { Unsettled } from './dump-unsettled.ts';
import { factsOf, idOf, nameOf, variantOf } from './dump-view.ts';
import {
  type DumpEntry,
  type DumpMark,
  type DumpVisitor,
  type FoundMark,
  readMark,
  versionsByAge,
  versionsOf,
  walkDump,
  writeMark,
} from './dump-walk.ts';
import type { CachedView } from './view.ts';

export const DUMP_DELAY_MS = 100;
export const DUMP_WRITERS = 4;
/** Behind changes, where nothing waits for the disk but the few that are synced: files of one turn cost less together. */
const DUMP_WRITERS_BEHIND = 16;
/** Files waiting to be written; beyond it the whole dump is checked again later. */
export const DUMP_QUEUE_MAX = 20_000;
/** A full dump goes on once no more than this wait. */
const DUMP_ROOM = 1_000;
const RETRY_WAIT_MS = 1_000;
const RETRY_WAIT_MS_MAX = 10_000;
/** Of a generation that could not be finished: all files are looked at again, each time later. */
const UNFINISHED_RETRY_MS = 10_000;
const UNFINISHED_RETRY_MS_MAX = 3_600_000;

/** A configuration whose file is to be written, or removed when its place in the cache is empty. */
interface Due {
  readonly groupKey: GroupKey;
  readonly variant: VariantId | undefined;
  /** It counts from the next generation on; what was published counts at once. */
  readonly isForNext: boolean;
}

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
  readonly unsettled: Unsettled;
  readonly #host: Host;
  readonly #log: Log;
  readonly #troubles: DumpTroubles;
  readonly #cache: ConfigCache;
  readonly #contentFromStore: (view: CachedView) => Promise<Uint8Array | undefined>;
  readonly #queue = new Map<ViewKey, Due>();
  readonly #standing = new Standing();
  readonly #pace = new DumpPace();
  readonly #stamps: Stamps;
  readonly #waitForRoom: (() => void)[] = [];
  #isFollowing = false;
  /** Somebody waits until the queue is empty. */
  #isHurried = false;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #unfinished: Timer | undefined;
  #unfinishedInRow = 0;
  #failuresInRow = 0;
  #losses = 0;
  #hasLost = false;
  #hasSwapped = false;
  #mark: Promise<FoundMark> | undefined;
  #whole: DumpMark | undefined;
  /** Written for the current generation while the next one is written. */
  #published: Set<DumpName> | undefined;
  #onLost: () => void = () => undefined;
  #writes = 0;

  constructor(
    host: Host,
    directory: string,
    cache: ConfigCache,
    contentFromStore: (view: CachedView) => Promise<Uint8Array | undefined>,
  ) {
    this.#host = host;
    this.#log = host.log.area('dump');
    this.#troubles = new DumpTroubles(host.clock, this.#log);
    this.directory = directory;
    this.startedMs = host.clock.now();
    this.#stamps = new Stamps(host, directory);
    this.#cache = cache;
    this.#contentFromStore = contentFromStore;
    cache.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.type === after?.type) return;
      if (this.#isFollowing) this.#enqueue({ groupKey, variant: undefined, isForNext: false });
    });
    cache.variants.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.betaIps === after?.betaIps) return;
      if (this.#isFollowing) this.#enqueue({ groupKey, variant: (after ?? before)?.variant, isForNext: false });
    });
    this.unsettled = new Unsettled(host, directory, {
      alone: (work) => this.alone(work),
      failed: (error) => this.noteLeft(error),
    });
  }

  /** What the queue had no room for; a full dump during which it grows is not whole. */
  get losses(): number {
    return this.#losses;
  }

  mark(): Promise<FoundMark> {
    this.#mark ??= readMark(this.#host, this.directory).then((mark) => {
      if (typeof mark === 'string') return mark;
      this.#stamps.raise(mark.atMs);
      this.#whole = mark;
      return mark;
    });
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

  /** All files, of which the newest is known from then on. */
  async walk(visitor: DumpVisitor): Promise<void> {
    const look = (entries: readonly DumpEntry[]) => {
      for (const { file } of entries) this.#stamps.raise(file?.writtenMs ?? 0);
      return visitor.entries(entries);
    };
    await walkDump(this.#host, this.directory, { ...visitor, entries: look });
    this.#stamps.knowsAll = true;
  }

  /** A full dump begins, which makes up for all losses; what is being written is on the disk before it looks there. */
  async beginNext(): Promise<void> {
    this.#hasLost = false;
    await this.alone(async () => {
      this.#published = new Set();
    });
  }

  /** What a full dump missed, unless it was written since that began. */
  enqueueMissing(view: CachedView, isForNext: boolean): void {
    if (this.#published?.has(nameOf(view))) return;
    this.#enqueueAnew({ groupKey: view.groupKey, variant: variantOf(view), isForNext });
  }

  /** In one step, from now on a start without the store finds the next generation, all of which power loss leaves. */
  async swap(facts: () => Pick<DumpMark, 'configs' | 'gone'>): Promise<void> {
    // Its name may be as new as what is in it.
    if (!this.#hasSwapped) this.unsettled.noteNames(dirname(this.directory));
    await this.unsettled.settleMost();
    await this.alone(async () => {
      const generation = (await this.generation()) + 1;
      await this.unsettled.settleRest();
      // In one moment, so that what is published again after it was found gone is newer, and is written again.
      this.#standing.forgetAll();
      const mark: DumpMark = { generation, ...facts(), atMs: this.#stamps.next(), isSettled: true };
      try {
        await writeMark(this.#host, this.directory, mark);
        this.#mark = Promise.resolve(mark);
        this.#whole = mark;
        this.#hasSwapped = true;
      } catch (error) {
        this.#mark = undefined; // Either may stand there.
        throw error;
      }
    });
  }

  /** A generation was swapped by this process, which since then knows all that is not settled. */
  get hasSwapped(): boolean {
    return this.#hasSwapped;
  }

  /** A full dump ended, with a swap or without. */
  endNext(): void {
    this.#published = undefined;
  }

  /** While it runs no file is written; then a turn of those that waited, before anybody can be alone again. */
  async alone(work: () => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#run(work);
    if (this.#queue.size > 0 && this.#failuresInRow === 0) await this.#write();
  }

  /** A generation could not be written: it is tried again once the disk takes writes. */
  noteUnfinished(error?: unknown): void {
    if (error !== undefined) this.#noteFailure('a generation of the dump cannot take the place of the last one', error);
    this.#finishIn(Math.min(UNFINISHED_RETRY_MS_MAX, UNFINISHED_RETRY_MS * 2 ** this.#unfinishedInRow));
    this.#unfinishedInRow += 1;
  }

  noteFinished(): void {
    this.#unfinishedInRow = 0;
    this.#unfinished?.cancel();
  }

  /** A file that no longer counts cannot be removed, or what took its place not be synced: the next full dump finds it. */
  noteLeft(error: unknown): void {
    this.#noteFailure('an older file of the dump stays', error);
  }

  /** Only while nothing is written. Removes a version of a key once the one that counts is synced. */
  async settle(view: CachedView, old: DumpName): Promise<void> {
    const id = idOf(view);
    // Of what is not yet written the turn comes, which takes note of all files of the key.
    if (!this.#queue.has(id)) await this.unsettled.settle(id, nameOf(view), [old]);
  }

  /** Resolves once more can be queued without loss, or nothing can be written anyway. */
  async room(): Promise<void> {
    if (this.#queue.size <= DUMP_ROOM || this.#failuresInRow > 0) return;
    await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  /** The content from its file, if that is whole and of this version. */
  async read(view: CachedView): Promise<Uint8Array | undefined> {
    const variant = variantOf(view);
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
    if (this.#isFollowing) this.#enqueueAnew({ groupKey: view.groupKey, variant, isForNext: false });
    return undefined;
  }

  noteDamaged(name: DumpName): void {
    this.#troubles.isDamaged(dumpPath(this.directory, name));
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
    this.unsettled.stop();
    this.#unfinished?.cancel();
    await this.flush();
    this.#cancelTimer();
    if (this.#queue.size > 0) this.#log.warn('the dump stays behind: its disk fails', { files: this.#queue.size });
  }

  metrics(): DumpMetrics {
    return {
      dumpQueue: this.#queue.size,
      dumpWrites: this.#writes,
      dumpFailures: this.#troubles.failures,
      dumpDamaged: this.#troubles.damaged,
      dumpFailing: this.#failuresInRow > 0 ? 1 : 0,
      dumpGeneration: this.#whole?.generation ?? 0,
      dumpAgeSeconds: ageSeconds(this.#whole, this.#host.clock.now()),
      dumpUnsettled: this.unsettled.size,
    };
  }

  /** Whatever stands there. */
  #enqueueAnew(due: Due): void {
    this.#standing.forget(viewKey(due.groupKey, due.variant));
    this.#enqueue(due);
  }

  #enqueue(due: Due): void {
    this.#pace.changed();
    const id = viewKey(due.groupKey, due.variant);
    const queued = this.#queue.get(id);
    if (queued === undefined && this.#queue.size >= DUMP_QUEUE_MAX) {
      this.#losses += 1;
      this.#hasLost = true;
      return;
    }
    // What is due already keeps its turn: the file gets what the cache has by then.
    if (queued === undefined || (queued.isForNext && !due.isForNext)) this.#queue.set(id, due);
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
    const most = this.#pace.files();
    for (let files = 0; ; ) {
      const isHurried = this.#isHurried || this.#waitForRoom.length > 0;
      const batch = [...this.#queue.entries().take(isHurried ? DUMP_WRITERS : DUMP_WRITERS_BEHIND)];
      files += batch.length;
      const errors = await Promise.all(batch.map(([id, due]) => this.#writeOne(id, due)));
      // One file that cannot be written must not hold up the others: only a batch that failed as a whole waits.
      this.#failuresInRow = batch.length === 0 || errors.includes(undefined) ? 0 : this.#failuresInRow + 1;
      this.#giveRoom();
      if (this.#queue.size === 0) this.#isHurried = false;
      if (this.#queue.size === 0 || this.#failuresInRow > 0) return;
      if (files >= most && !this.#isHurried && this.#waitForRoom.length === 0) return;
    }
  }

  #afterwards(): void {
    if (this.#failuresInRow > 0) {
      this.#writeIn(Math.min(RETRY_WAIT_MS_MAX, RETRY_WAIT_MS * 2 ** Math.min(this.#failuresInRow - 1, 10)));
    } else if (this.#queue.size > 0) {
      this.#writeIn(DUMP_DELAY_MS);
    } else if (this.#hasLost) {
      this.#hasLost = false;
      this.#onLost();
    }
  }

  #finishIn(delayMs: number): void {
    this.#unfinished?.cancel();
    this.#unfinished = this.#host.clock.after(delayMs, () => {
      if (this.#failuresInRow > 0) this.#finishIn(UNFINISHED_RETRY_MS);
      else this.#onLost();
    });
  }

  /** One file after the other for each key, since a batch has a key only once. */
  async #writeOne(id: ViewKey, due: Due): Promise<Error | undefined> {
    this.#queue.delete(id);
    const view = this.#viewOf(due);
    if (view !== undefined && !due.isForNext && this.#standing.has(id, () => nameOf(view))) return undefined;
    if (view !== undefined && !due.isForNext) this.#published?.add(nameOf(view));
    try {
      if (view === undefined) await this.#remove(id);
      else await this.#writeView(id, due, view);
      return undefined;
    } catch (error) {
      this.#noteFailure('a file of the dump cannot be written, trying again', error);
      this.#queue.set(id, joined(due, this.#queue.get(id)));
      return error as Error;
    }
  }

  #viewOf({ groupKey, variant }: Due): CachedView | undefined {
    return variant === undefined ? this.#cache.get(groupKey) : this.#cache.variants.find(groupKey, variant);
  }

  /** The last version last, so that what is left by an interruption is no older text. */
  async #remove(id: ViewKey): Promise<void> {
    const names = await versionsByAge(this.#host, this.directory, id);
    this.#standing.forget(id);
    for (const name of names) await this.#host.disk.remove(dumpPath(this.directory, name));
    this.unsettled.noteRemoved(id);
  }

  async #writeView(id: ViewKey, due: Due, view: CachedView): Promise<void> {
    const content = this.#cache.content(view) ?? (await this.#contentFromStore(view));
    if (content === undefined) {
      // Most likely another version came meanwhile, and queued the file itself.
      if (this.#viewOf(due)?.md5 === view.md5) this.#enqueue(due);
      return;
    }
    const name = nameOf(view);
    this.#standing.forget(id);
    const there = await versionsOf(this.#host, this.directory, id);
    await this.#stamps.know(there);
    const current = await this.generation();
    const generation = due.isForNext ? current + 1 : current;
    // The first generation has none before it that could be lost: it is synced as a whole. But a file that is replaced
    // by itself may be the only one that is synced.
    const isFirst = due.isForNext && (await this.mark()) === 'none';
    const sync = there.includes(name) || (due.isForNext ? !isFirst : this.unsettled.isFull);
    if (there.length === 0) this.unsettled.noteNames(`${this.directory}/${name.slice(0, 2)}`);
    const bytes = writeDumpFile(factsOf(view), content, { generation, writtenMs: this.#stamps.next() });
    await this.#host.disk.write(dumpPath(this.directory, name), bytes, { sync });
    this.#writes += 1;
    if (due.isForNext) return;
    this.#standing.note(id, name);
    const olds = there.filter((old) => old !== name);
    if (sync) await this.unsettled.discard(id, olds);
    else await this.unsettled.note(id, name, olds);
  }

  #giveRoom(): void {
    if (this.#queue.size > DUMP_ROOM && this.#failuresInRow === 0) return;
    for (const resolve of this.#waitForRoom.splice(0)) resolve();
  }

  #noteFailure(message: string, error: unknown): void {
    this.#troubles.failed(message, error, this.#queue.size);
  }
}

/** What was published counts at once, whatever else asked for the file. */
function joined(due: Due, queued: Due | undefined): Due {
  return { ...due, isForNext: due.isForNext && (queued?.isForNext ?? true) };
}
