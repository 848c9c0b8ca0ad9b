import type { InstanceKey } from '@nacos-kube/core/model/instance.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';

/** Instances in one message. */
export const BATCH_MAX = 500;
/** Datums that may come in answer to one. */
export const NEWER_MAX = 4 * BATCH_MAX;
/** Changed instances that wait for one peer; beyond it the oldest are forgotten and the digests repair them. */
export const PENDING_PER_PEER_MAX = 200_000;
/** So many go at a time: to drop the first of a large map for each that comes takes longer and longer. */
export const DROPPED_AT_ONCE = 20_000;
/** Between the starts of two batches to a peer, unless there is a whole one: small messages cost more than what they carry. */
export const PACE_MS = 10;
export const RETRY_FIRST_MS = 100;
export const RETRY_MAX_MS = 5_000;

export interface Place {
  readonly service: ServiceKey;
  readonly key: InstanceKey;
}

export interface SyncBatch {
  readonly peer: string;
  readonly places: readonly Place[];
}

export interface Lag {
  readonly peer: string;
  /** How long the oldest change that this peer does not have has waited. */
  readonly waitingMs: number;
  readonly entries: number;
}

interface Outbox {
  /** By `service##key`, in order of their first change. */
  readonly waiting: Map<string, { readonly place: Place; readonly sinceMs: number }>;
  /** Of the batch that is under way. */
  sent: readonly { readonly place: Place; readonly sinceMs: number }[];
  underWay: SyncBatch | undefined;
  failures: number;
  retryAtMs: number;
  /** Before that only a whole batch leaves. */
  pacedUntilMs: number;
}

/**
 * Which changed instances each peer has still to be told. Per peer: idle > sending > idle, or > waiting to retry. One
 * batch at a time, so that changes arrive in order and those that come meanwhile merge; the first one after a pause
 * leaves at once.
 */
export class Sync {
  readonly #outboxes = new Map<string, Outbox>();
  /** Times that the oldest changes of an outbox were dropped and left to the digests. */
  overflows = 0;

  /** Peers that are to be told; what waits for others is forgotten, they get it by digests once they are back. */
  setPeers(peers: readonly string[], nowMs: number): SyncBatch[] {
    const wanted = new Set(peers);
    for (const peer of this.#outboxes.keys()) if (!wanted.has(peer)) this.#outboxes.delete(peer);
    for (const peer of peers) {
      if (this.#outboxes.has(peer)) continue;
      this.#outboxes.set(peer, {
        ...{ waiting: new Map(), sent: [], underWay: undefined },
        ...{ failures: 0, retryAtMs: nowMs, pacedUntilMs: nowMs },
      });
    }
    return this.due(nowMs);
  }

  get hasPeers(): boolean {
    return this.#outboxes.size > 0;
  }

  changed(service: ServiceKey, keys: readonly InstanceKey[], nowMs: number): SyncBatch[] {
    for (const outbox of this.#outboxes.values()) {
      for (const key of keys) {
        const id = `${service}##${key}`;
        if (outbox.waiting.has(id)) continue;
        if (outbox.waiting.size >= PENDING_PER_PEER_MAX) {
          take(outbox.waiting, DROPPED_AT_ONCE);
          this.overflows++;
        }
        outbox.waiting.set(id, { place: { service, key }, sinceMs: nowMs });
      }
    }
    return this.due(nowMs);
  }

  /** Batches that are to leave now. */
  due(nowMs: number): SyncBatch[] {
    const batches: SyncBatch[] = [];
    for (const [peer, outbox] of this.#outboxes) {
      if (outbox.underWay !== undefined || outbox.waiting.size === 0 || nowMs < dueMsOf(outbox)) continue;
      outbox.pacedUntilMs = nowMs + PACE_MS;
      outbox.sent = take(outbox.waiting, BATCH_MAX);
      outbox.underWay = { peer, places: outbox.sent.map((one) => one.place) };
      batches.push(outbox.underWay);
    }
    return batches;
  }

  /** When `due` is to be asked again at the latest; undefined while nothing waits that may leave. */
  nextDueMs(): number | undefined {
    let nextMs: number | undefined;
    for (const outbox of this.#outboxes.values()) {
      if (outbox.underWay !== undefined || outbox.waiting.size === 0) continue;
      nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, dueMsOf(outbox));
    }
    return nextMs;
  }

  delivered(batch: SyncBatch, nowMs: number): SyncBatch[] {
    const outbox = this.#outboxOf(batch);
    if (outbox === undefined) return [];
    outbox.underWay = undefined;
    outbox.sent = [];
    outbox.failures = 0;
    outbox.retryAtMs = nowMs;
    return this.due(nowMs);
  }

  /** What was in the batch waits again, in front. */
  failed(batch: SyncBatch, nowMs: number): void {
    const outbox = this.#outboxOf(batch);
    if (outbox === undefined) return;
    outbox.underWay = undefined;
    const rest = [...outbox.waiting.values()];
    outbox.waiting.clear();
    for (const one of [...outbox.sent, ...rest]) {
      const id = `${one.place.service}##${one.place.key}`;
      if (!outbox.waiting.has(id)) outbox.waiting.set(id, one);
    }
    outbox.sent = [];
    outbox.retryAtMs = nowMs + Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(outbox.failures, 10));
    outbox.failures++;
  }

  lag(nowMs: number): Lag[] {
    return [...this.#outboxes].map(([peer, { waiting, sent }]) => {
      const oldest = sent[0] ?? waiting.values().next().value;
      return {
        peer,
        waitingMs: oldest === undefined ? 0 : nowMs - oldest.sinceMs,
        entries: waiting.size + sent.length,
      };
    });
  }

  /** Undefined when the batch is of an earlier outbox: its peer was gone in between, and is told anew. */
  #outboxOf(batch: SyncBatch): Outbox | undefined {
    const outbox = this.#outboxes.get(batch.peer);
    return outbox?.underWay === batch ? outbox : undefined;
  }

  get isFlushed(): boolean {
    return [...this.#outboxes.values()].every((outbox) => outbox.waiting.size === 0 && outbox.underWay === undefined);
  }
}

function dueMsOf({ waiting, retryAtMs, pacedUntilMs }: Outbox): number {
  return waiting.size >= BATCH_MAX ? retryAtMs : Math.max(retryAtMs, pacedUntilMs);
}

function take<T>(waiting: Map<string, T>, limit: number): T[] {
  const taken: T[] = [];
  for (const [id, one] of waiting) {
    if (taken.length >= limit) break;
    taken.push(one);
    waiting.delete(id);
  }
  return taken;
}
