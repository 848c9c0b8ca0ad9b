import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { EtcdContext } from './context.ts';
import { EtcdFailure, failureOf, failureSaid } from './failure.ts';
import { readSortable } from './keys.ts';
import { getKey, isAbsent, isUnchanged, readRange, remove, transactionOf } from './kv.ts';
import type { RequestOp } from './protocol.ts';
import { type PastMark, readPastMark } from './values.ts';

export interface HousekeepingSettings {
  readonly changesKept: number;
  readonly historyKeptDays: number;
  readonly everyMs: number;
  readonly historyEveryMs: number;
}

/** A node that vanishes leaves the work to another one after so long. */
const LOCK_TTL_S = 30;
const PASTS_PER_WRITE = 25;
const PASTS_PER_READ = 500;
/** What is beyond them is left to the next time. */
const READS_MAX = 200;
/** In a row, before it is told: one fails whenever the calls move on to another member of etcd. */
const FAILURES_TOLD = 3;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * What must be done for all nodes and by one of them: old versions are compacted, old past writes removed. Whoever holds
 * the lock does it. Both may be done twice without harm, so a holder that was away for long does none.
 */
export class Housekeeping {
  readonly #etcd: EtcdContext;
  readonly #host: Host;
  readonly #settings: HousekeepingSettings;
  #timer: Timer | undefined;
  #lease: string | undefined;
  #isBusy = false;
  #isRunning = false;
  #failuresInRow = 0;
  #compacted = 0;
  #historyAtMs: number | undefined;

  constructor(etcd: EtcdContext, settings: HousekeepingSettings) {
    this.#etcd = etcd;
    this.#host = etcd.host;
    this.#settings = settings;
  }

  start(): void {
    this.#isRunning = true;
    this.#timer = this.#host.clock.every(this.#settings.everyMs, () => this.#look());
    this.#look();
  }

  /** Lets the next node go on at once, as far as etcd answers. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    const { client } = this.#etcd;
    await client.once('Lease/LeaseRevoke', { ID: lease }, client.patience(1000)).catch(() => undefined);
  }

  #look(): void {
    if (this.#isBusy || !this.#isRunning) return;
    this.#isBusy = true;
    this.#host.background('etcd housekeeping', this.#work());
  }

  async #work(): Promise<void> {
    try {
      if (await this.#holdsLock()) {
        await this.#compact();
        await this.#forgetHistory();
      }
      if (this.#failuresInRow >= FAILURES_TOLD) {
        this.#host.log.info('old data can be removed again', { failures: this.#failuresInRow });
      }
      this.#failuresInRow = 0;
    } catch (error) {
      this.#failuresInRow += 1;
      const isExpected = error instanceof EtcdFailure;
      if (!isExpected) throw error;
      if (this.#failuresInRow === FAILURES_TOLD) {
        this.#host.log.warn('old data cannot be removed, trying again later', { error });
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** Taken when it is free; a lease of ours that has run out counts as none. */
  async #holdsLock(): Promise<boolean> {
    const { client, keys } = this.#etcd;
    const patience = client.patience();
    if (this.#lease !== undefined && (await this.#keepAlive(this.#lease))) return true;
    this.#lease = undefined;
    if ((await getKey(client, patience, keys.lock)).kvs.length > 0) return false;
    const { ID: lease } = await client.repeat('Lease/LeaseGrant', { TTL: LOCK_TTL_S, ID: '0' }, patience);
    const success = [{ request_put: { key: keys.lock, value: Buffer.from(this.#host.name), lease } }];
    const { succeeded } = await client.once('KV/Txn', { compare: [isAbsent(keys.lock)], success }, patience);
    if (succeeded && this.#isRunning) this.#lease = lease;
    else await client.once('Lease/LeaseRevoke', { ID: lease }, patience);
    return this.#lease !== undefined;
  }

  /** False when it has run out; rejects when nobody says, and the lock may be ours still. */
  async #keepAlive(lease: string): Promise<boolean> {
    const { client, host } = this.#etcd;
    const { stream, leave } = await client.stream('Lease/LeaseKeepAlive');
    return new Promise((resolve, reject) => {
      const end = (isAlive: boolean | EtcdFailure) => {
        timer.cancel();
        if (isAlive instanceof EtcdFailure) reject(isAlive);
        else resolve(isAlive);
        stream.cancel();
      };
      const timer = host.clock.after(client.answerTimeoutMs, () => {
        leave();
        end(failureSaid('the lease was not kept alive in time', client.place));
      });
      stream.on('error', (error) => end(failureOf(error, client.place)));
      stream.on('end', () => end(failureSaid('the lease was not kept alive', client.place)));
      stream.on('data', ({ TTL }: { readonly TTL: string }) => end(Number(TTL) > 0));
      stream.write({ ID: lease });
    });
  }

  /** For all who share this etcd, which has but one count of revisions. */
  async #compact(): Promise<void> {
    const { client, keys } = this.#etcd;
    const { changesKept } = this.#settings;
    const patience = client.patience();
    const { revision: now } = await getKey(client, patience, keys.version);
    const revision = now - changesKept;
    if (revision <= this.#compacted + changesKept / 20 || revision <= 0) return;
    try {
      await client.repeat('KV/Compact', { revision }, patience);
    } catch (error) {
      // Somebody else has compacted more, such as etcd itself when it is told to.
      if (!(error instanceof EtcdFailure) || error.reason !== 'compacted') throw error;
    }
    this.#compacted = revision;
  }

  async #forgetHistory(): Promise<void> {
    const { clock } = this.#host;
    const { historyEveryMs } = this.#settings;
    if (this.#historyAtMs !== undefined && clock.monotonic() - this.#historyAtMs < historyEveryMs) return;
    this.#historyAtMs = clock.monotonic();
    const olderThanMs = clock.now() - this.#settings.historyKeptDays * DAY_MS;
    const { client, keys } = this.#etcd;
    for (let reads = 0; reads < READS_MAX && this.#isRunning; reads += 1) {
      const { kvs } = await readRange(client, client.patience(), { ...keys.nids(), limit: PASTS_PER_READ });
      const marks = kvs.map((kv) => ({ kv, nid: readSortable(kv.key), mark: readPastMark(kv.value) }));
      const young = marks.findIndex(({ mark }) => mark.atMs >= olderThanMs);
      const old = young < 0 ? marks : marks.slice(0, young);
      for (let start = 0; start < old.length; start += PASTS_PER_WRITE) {
        const part = old.slice(start, start + PASTS_PER_WRITE);
        const operations = part.flatMap(({ nid, mark }) => this.#forgotten(nid, mark));
        const first = part[0]!.kv;
        const compare = [isUnchanged(first.key, Number(first.mod_revision))];
        const { succeeded } = await client.once('KV/Txn', transactionOf(compare, operations), client.patience());
        if (!succeeded) return;
      }
      if (old.length < PASTS_PER_READ) return;
    }
  }

  /**
   * A content is named by the configuration, then by the past write that ended it, and by the one that inserted it, which
   * is older; so it goes with the one that ended it.
   */
  #forgotten(nid: string, { name, operation, configId, blob }: PastMark): readonly RequestOp[] {
    const { keys, blobs } = this.#etcd;
    const operations = [remove({ key: keys.nid(nid) }), remove({ key: keys.history(name, nid) })];
    if (operation !== 'I') operations.push(blobs.removed(blob));
    if (operation === 'D') operations.push(remove({ key: keys.gone(configId) }));
    return operations;
  }
}
