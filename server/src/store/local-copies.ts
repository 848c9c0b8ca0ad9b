import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import type { Follower } from './follow.ts';
import { RecordCopy } from './record-copy.ts';
import type { RecordRows } from './record-rows.ts';

const LOOK_MS = 250;
/** A store that answers, but does not hand out all rows, has the copies shown after so long. */
export const PATIENCE_MS = 10_000;

/**
 * What operators and persistent instances set, on this node's own disk. States of each kind: unknown > copied (the store
 * failed since the start, and there was a copy) > read (from the store, and from then on followed and copied).
 */
export class LocalCopies implements Part {
  readonly name = 'local copies';
  readonly #host: Host;
  readonly #follower: Follower;
  readonly #kinds: readonly { readonly rows: RecordRows; readonly copy: RecordCopy }[];
  readonly #tried = new Set<RecordRows>();
  #startMs = 0;
  #timer: Timer | undefined;

  constructor(host: Host, directory: string, follower: Follower, kinds: readonly RecordRows[]) {
    this.#host = host;
    this.#follower = follower;
    this.#kinds = kinds.map((rows) => {
      const copy = new RecordCopy(host, directory, rows.kind);
      rows.keepCopy(copy);
      return { rows, copy };
    });
  }

  start(): void {
    this.#startMs = this.#host.clock.monotonic();
    this.#timer = this.#host.clock.every(LOOK_MS, () => this.#look());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    for (const { copy } of this.#kinds) await copy.stop();
  }

  /** Why what is served of them may be older than the store; undefined when it is not. */
  staleReason(): string | undefined {
    const unread = this.#kinds.filter(({ rows }) => !rows.isRead);
    if (unread.length === 0) return this.#follower.staleReason();
    const names = unread.map(({ rows }) => rows.kind).join(', ');
    return unread.some(({ rows }) => rows.isKnown)
      ? `serving this node's last copy (${names}), the store has not answered since the start`
      : `nothing was read from the store yet (${names})`;
  }

  metrics() {
    const sum = (of: (copy: RecordCopy) => number) => this.#kinds.reduce((all, { copy }) => all + of(copy), 0);
    return {
      stale: this.staleReason() === undefined ? 0 : 1,
      copied: this.#kinds.filter(({ rows }) => !rows.isRead && rows.isKnown).length,
      writes: sum(({ writes }) => writes),
      failures: sum(({ failures }) => failures),
      failing: this.#kinds.some(({ copy }) => copy.isFailing) ? 1 : 0,
      damaged: sum(({ damaged }) => damaged),
    };
  }

  /** Once for each kind, and only when the store had its chance: what it says is better than any copy. */
  #look(): void {
    if (this.#kinds.every(({ rows }) => rows.isKnown || this.#tried.has(rows))) {
      if (this.#kinds.every(({ rows }) => rows.isKnown)) this.#timer?.cancel();
      return;
    }
    const waitedMs = this.#host.clock.monotonic() - this.#startMs;
    if (this.#follower.metrics().failures === 0 && waitedMs < PATIENCE_MS) return;
    for (const { rows } of this.#kinds) {
      if (rows.isKnown || this.#tried.has(rows)) continue;
      this.#tried.add(rows);
      this.#host.background('show the copy of records', this.#show(rows));
    }
  }

  async #show(rows: RecordRows): Promise<void> {
    const outcome = await rows.showCopy();
    if (outcome === 'reading') this.#tried.delete(rows);
    if (outcome !== 'shown') return;
    this.#host.log.warn('the store does not answer: serving the last copy until it does', { kind: rows.kind });
  }
}
