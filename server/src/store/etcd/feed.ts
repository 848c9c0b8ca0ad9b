import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Change, ChangePage, Revision } from '../store.ts';
import type { EtcdClient, Patience } from './client.ts';
import { EtcdFailure } from './failure.ts';
import type { Keys } from './keys.ts';
import { getKey } from './kv.ts';
import { type Watch, type Written, watchWrites } from './watch.ts';

/** What is kept of the newest changes, so that readers that are up to date cost etcd next to nothing. */
const CHANGES_KEPT_HERE = 20_000;
const REOPEN_MS = 100;
const REOPEN_MS_MAX = 2000;
/** A watch that has not told of a write after so long may be of a member that hangs. */
const LATE_MS = 400;
/** A place so far behind etcd's revision is moved on, lest it is compacted while nothing of ours changes. */
const SKIP = 1000;

interface Newest {
  /** Of the last write of ours, 0: none yet. */
  readonly last: Revision;
  /** Of etcd, which others may share. */
  readonly now: Revision;
}

/**
 * The feed: each write puts the key `head` with what it changed, so the versions of that key tell all of it in order.
 * Reading asks a majority for the newest version, and the watch has brought it or is about to. What is older than this
 * process keeps, or late, comes by a watch of its own.
 *
 * The watch: none > opening > open > (fails) > none, and again after `REOPEN_MS`, from where it was. One that is late is
 * given up. If what follows was compacted meanwhile, it begins anew at the newest, and only what is kept here has a hole.
 */
export class EtcdFeed {
  readonly #host: Host;
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #keptMax: number;
  readonly #onPutBack: () => void;
  readonly #hintReaders: (() => void)[] = [];
  readonly #waiting = new Set<() => void>();
  /** In order of revision; all of ours after `#from` and up to `#upTo`. */
  #written: Written[] = [];
  #changes = 0;
  #from: Revision | undefined;
  #upTo: Revision = 0;
  #watch: Watch | undefined;
  #reopening: Timer | undefined;
  #failuresInRow = 0;
  #isRunning = false;

  /** `onPutBack`: etcd has an older state than it had. */
  constructor(host: Host, client: EtcdClient, keys: Keys, changesKept: number, onPutBack: () => void) {
    this.#host = host;
    this.#client = client;
    this.#keys = keys;
    this.#onPutBack = onPutBack;
    this.#keptMax = Math.min(changesKept, CHANGES_KEPT_HERE);
  }

  async start(): Promise<void> {
    const { now } = await this.#newest(this.#client.patience());
    this.#isRunning = true;
    this.#begin(now);
  }

  stop(): void {
    this.#isRunning = false;
    this.#reopening?.cancel();
    this.#watch?.stop();
    this.#watch = undefined;
    this.#wake();
  }

  onHint(run: () => void): void {
    this.#hintReaders.push(run);
  }

  async revision(): Promise<Revision> {
    return (await this.#newest(this.#client.patience())).last;
  }

  async changes(from: Revision, limit: number): Promise<ChangePage> {
    const patience = this.#client.patience();
    const { last, now } = await this.#newest(patience);
    if (from > now) return { gap: true, upTo: last };
    if (from >= last) return { gap: false, changes: [], upTo: now - from > SKIP ? now : from };
    if (this.#from !== undefined && this.#from <= from) {
      await this.#reaches(last);
      if (this.#from <= from && this.#upTo >= last) return pageOf(this.#written, from, limit);
      // Another member may be quicker.
      if (this.#upTo < last) this.#reopen('the watch of the feed is late');
    }
    const written = await this.#readBack(from, last, limit, patience);
    return written === undefined ? { gap: true, upTo: last } : pageOf(written, from, limit);
  }

  async #newest(patience: Patience): Promise<Newest> {
    // The watch may be ahead of the answer, never of the question.
    const upTo = this.#upTo;
    const { kvs, revision } = await getKey(this.#client, patience, this.#keys.head);
    // A database that was put back: nothing would come for long, and what is kept here never was.
    if (this.#isRunning && revision < upTo) {
      this.#onPutBack();
      this.#begin(revision);
    }
    return { last: Number(kvs[0]?.mod_revision ?? 0), now: revision };
  }

  async #reaches(revision: Revision): Promise<void> {
    const endMs = this.#host.clock.monotonic() + LATE_MS;
    while (this.#isRunning && this.#upTo < revision) {
      const leftMs = endMs - this.#host.clock.monotonic();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          timer.cancel();
          this.#waiting.delete(done);
          resolve();
        };
        const timer = this.#host.clock.after(leftMs, done);
        this.#waiting.add(done);
      });
    }
  }

  #wake(): void {
    for (const run of [...this.#waiting]) run();
  }

  #begin(revision: Revision): void {
    this.#written = [];
    this.#changes = 0;
    this.#from = revision;
    this.#upTo = revision;
    this.#open();
  }

  #open(): void {
    this.#reopening?.cancel();
    this.#reopening = undefined;
    this.#watch?.stop();
    this.#watch = watchWrites(this.#client, this.#keys.head, this.#upTo + 1, {
      onOpen: () => {
        if (this.#failuresInRow > 1)
          this.#host.log.info('the feed is watched again', { failures: this.#failuresInRow });
        this.#failuresInRow = 0;
        // Much may have happened since the last one ended.
        this.#hint();
      },
      onWritten: (written) => this.#take(written),
      onEnd: (failure, isCompacted) => {
        this.#watch = undefined;
        if (isCompacted) this.#from = undefined;
        this.#reopen(failure.message);
      },
    });
  }

  #reopen(why: string): void {
    this.#watch?.stop();
    this.#watch = undefined;
    if (!this.#isRunning || this.#reopening !== undefined) return;
    this.#failuresInRow += 1;
    if (this.#failuresInRow === 2) this.#host.log.warn('the feed cannot be watched, trying again', { why });
    const doubled = REOPEN_MS * 2 ** Math.min(this.#failuresInRow - 1, 10);
    const waitMs = Math.min(doubled, REOPEN_MS_MAX) * (0.75 + this.#host.random.float() / 4);
    this.#reopening = this.#host.clock.after(waitMs, () => {
      this.#reopening = undefined;
      if (this.#from !== undefined) this.#open();
      else this.#host.background('etcd feed', this.#beginAnew());
    });
  }

  async #beginAnew(): Promise<void> {
    try {
      const { now } = await this.#newest(this.#client.patience());
      if (this.#isRunning) this.#begin(now);
    } catch (error) {
      this.#reopen((error as Error).message);
    }
  }

  #take(written: readonly Written[]): void {
    for (const one of written) {
      if (one.revision <= this.#upTo) continue;
      this.#written.push(one);
      this.#changes += one.changes.length;
      this.#upTo = one.revision;
    }
    if (this.#changes > this.#keptMax) this.#forget();
    this.#wake();
    this.#hint();
  }

  /** Half of it at once, since moving the rest has its price. */
  #forget(): void {
    let count = 0;
    while (this.#changes > this.#keptMax / 2 && count < this.#written.length - 1) {
      this.#changes -= this.#written[count]!.changes.length;
      this.#from = this.#written[count]!.revision;
      count += 1;
    }
    this.#written.splice(0, count);
  }

  #hint(): void {
    for (const run of this.#hintReaders) run();
  }

  /** By a watch of its own, up to `last` or as much as a page holds; undefined when some of it was compacted. */
  async #readBack(
    from: Revision,
    last: Revision,
    limit: number,
    patience: Patience,
  ): Promise<readonly Written[] | undefined> {
    let failure: EtcdFailure | undefined;
    while (patience.leftMs > 0) {
      const result = await this.#readBackOnce(from, last, limit, patience);
      if (!(result instanceof EtcdFailure)) return result;
      failure = result;
      if (!failure.isPassing && failure.reason !== 'token') break;
      await this.#host.clock.sleep(REOPEN_MS);
    }
    throw failure ?? lateWatch(this.#client);
  }

  #readBackOnce(
    from: Revision,
    last: Revision,
    limit: number,
    patience: Patience,
  ): Promise<readonly Written[] | undefined | EtcdFailure> {
    return new Promise((resolve) => {
      const all: Written[] = [];
      let count = 0;
      const end = (result: readonly Written[] | undefined | EtcdFailure) => {
        timer.cancel();
        watch.stop();
        resolve(result);
      };
      const timer = this.#host.clock.after(Math.min(patience.leftMs, LATE_MS * 3), () => end(lateWatch(this.#client)));
      const watch = watchWrites(this.#client, this.#keys.head, from + 1, {
        onOpen: () => undefined,
        onWritten: (written) => {
          for (const one of written) {
            all.push(one);
            count += one.changes.length;
          }
          if (count >= limit || (all.at(-1)?.revision ?? 0) >= last) end(all);
        },
        onEnd: (failure, isCompacted) => end(isCompacted ? undefined : failure),
      });
    });
  }
}

/** Whole writes only, so that a place in the feed is between two of them. */
function pageOf(written: readonly Written[], from: Revision, limit: number): ChangePage {
  const changes: Change[] = [];
  let upTo = from;
  for (let i = firstAfter(written, from); i < written.length && changes.length < limit; i += 1) {
    const { revision, changes: own } = written[i]!;
    for (const { what, removed } of own) changes.push({ revision, what, removed });
    upTo = revision;
  }
  return { gap: false, changes, upTo };
}

function firstAfter(written: readonly Written[], revision: Revision): number {
  let low = 0;
  for (let high = written.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (written[middle]!.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lateWatch(client: EtcdClient): EtcdFailure {
  const facts = { kind: 'unavailable', isPassing: true, reason: 'late' } as const;
  return new EtcdFailure(`${client.place}: the watch of the feed brought nothing in time`, facts);
}
