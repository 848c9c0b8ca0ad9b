import { DiskError, type Host, type Log, type Timer } from '@nacos-kube/core/host/host.ts';
import type { VariantId } from '@nacos-kube/core/model/config.ts';
import type { GroupKey } from '@nacos-kube/core/wire/config-key.ts';
import type { ConfigCache } from './cache.ts';
import {
  type DumpedConfig,
  type DumpName,
  dumpName,
  dumpPath,
  readDumpFile,
  type ViewKey,
  viewKey,
  writeDumpFile,
} from './dump-file.ts';
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
const WARN_EVERY_MS = 60_000;

export interface DumpMetrics {
  readonly dumpQueue: number;
  readonly dumpWrites: number;
  readonly dumpFailures: number;
  readonly dumpDamaged: number;
  /** 1 while the disk takes no writes. */
  readonly dumpFailing: number;
}

/** A file that is to be written, or removed when its place in the cache is empty. */
type Due =
  | { readonly kind: 'view'; readonly groupKey: GroupKey; readonly variant: VariantId | undefined }
  /** It belongs to no configuration. */
  | { readonly kind: 'stray'; readonly name: DumpName };

/**
 * The copy of all configurations and their variants on this node's disk, written behind the cache: what a file is to hold is looked up
 * when its turn comes, so many changes of one key are one write. A full or broken disk costs the copy, never the
 * service: it is counted, told once a minute and retried (F14).
 */
export class Dump {
  readonly directory: string;
  readonly #host: Host;
  readonly #log: Log;
  readonly #cache: ConfigCache;
  readonly #contentFromStore: (view: CachedView) => Promise<Uint8Array | undefined>;
  readonly #queue = new Map<ViewKey | DumpName, Due>();
  readonly #waitForRoom: (() => void)[] = [];
  #isFollowing = false;
  /** Somebody waits until the queue is empty. */
  #isHurried = false;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failuresInRow = 0;
  #warnedMs = Number.NEGATIVE_INFINITY;
  #hasLost = false;
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
    this.#cache = cache;
    this.#contentFromStore = contentFromStore;
    cache.changes.subscribe(({ groupKey, before, after }) => {
      if (this.#isFollowing && (before?.md5 !== after?.md5 || before?.type !== after?.type)) this.enqueue(groupKey);
    });
    cache.variants.changes.subscribe(({ groupKey, before, after }) => {
      if (before?.md5 === after?.md5 && before?.betaIps === after?.betaIps) return;
      if (this.#isFollowing) this.enqueue(groupKey, (after ?? before)?.variant);
    });
  }

  /** From now on every change of the cache is written. Until then the last dump stays as it is. */
  follow(onLost: () => void): void {
    this.#isFollowing = true;
    this.#onLost = onLost;
  }

  enqueue(groupKey: GroupKey, variant?: VariantId): void {
    this.#enqueue(viewKey(groupKey, variant), { kind: 'view', groupKey, variant });
  }

  enqueueStray(name: DumpName): void {
    this.#enqueue(name, { kind: 'stray', name });
  }

  /** Resolves once more can be queued without loss, or nothing can be written anyway. */
  async room(): Promise<void> {
    if (this.#queue.size <= DUMP_ROOM || this.#failuresInRow > 0) return;
    await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  /** The content from its file, if that is whole and of this version. */
  async read(view: CachedView): Promise<Uint8Array | undefined> {
    const variant = 'variant' in view ? view.variant : undefined;
    const name = dumpName(viewKey(view.groupKey, variant));
    try {
      const file = readDumpFile(name, await this.#host.disk.read(dumpPath(this.directory, name)));
      if (file?.config.md5 === view.md5) return file.content;
      if (file === undefined) this.noteDamaged(name);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.kind !== 'missing') this.#noteFailure('a file of the dump cannot be read', error);
    }
    if (this.#isFollowing) this.enqueue(view.groupKey, variant);
    return undefined;
  }

  noteDamaged(name: DumpName): void {
    this.#damaged += 1;
    this.#warn('a damaged file of the dump is not used', { file: dumpPath(this.directory, name) });
  }

  /** Writes what is queued at once, unless the disk fails. */
  async flush(): Promise<void> {
    this.#cancelTimer();
    while (this.#writing !== undefined || (this.#queue.size > 0 && this.#failuresInRow === 0)) {
      this.#isHurried = true;
      await this.#write();
    }
  }

  async stop(): Promise<void> {
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

  #enqueue(id: ViewKey | DumpName, due: Due): void {
    // What is due already keeps its turn: the file gets what the cache has by then.
    if (this.#queue.has(id)) return;
    if (this.#queue.size >= DUMP_QUEUE_MAX) {
      this.#hasLost = true;
      return;
    }
    this.#queue.set(id, due);
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
    this.#writing ??= this.#writeBatches().finally(() => {
      this.#writing = undefined;
      this.#afterwards();
    });
    return this.#writing;
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
      this.#hasLost = false;
      this.#onLost();
    }
  }

  /** One file after the other for each name, since a batch has a name only once. */
  async #writeOne(id: ViewKey | DumpName, due: Due): Promise<Error | undefined> {
    this.#queue.delete(id);
    const view = this.#viewOf(due);
    const path = dumpPath(this.directory, due.kind === 'stray' ? due.name : dumpName(id));
    try {
      if (view === undefined) await this.#host.disk.remove(path);
      else await this.#writeView(path, id, due, view);
      return undefined;
    } catch (error) {
      this.#noteFailure('a file of the dump cannot be written, trying again', error);
      if (!this.#queue.has(id)) this.#queue.set(id, due);
      return error as Error;
    }
  }

  #viewOf(due: Due): CachedView | undefined {
    if (due.kind === 'stray') return undefined;
    const { groupKey, variant } = due;
    return variant === undefined ? this.#cache.get(groupKey) : this.#cache.variants.find(groupKey, variant);
  }

  async #writeView(path: string, id: ViewKey, due: Due, view: CachedView): Promise<void> {
    const content = this.#cache.content(view) ?? (await this.#contentFromStore(view));
    if (content === undefined) {
      // Most likely another version came meanwhile, and queued the file itself.
      if (this.#viewOf(due)?.md5 === view.md5) this.#enqueue(id, due);
      return;
    }
    await this.#host.disk.write(path, writeDumpFile(factsOf(view), content));
    this.#writes += 1;
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

function factsOf(view: CachedView): DumpedConfig {
  if (!('variant' in view)) return view;
  const { key, md5, modifiedMs, variant, betaIps } = view;
  return { key, md5, type: 'text', modifiedMs, variant: { id: variant, betaIps } };
}
