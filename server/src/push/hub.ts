import type { Endpoint } from '@nacos-kube/core/host/host.ts';
import type { ServiceKey } from '@nacos-kube/core/model/names.ts';

export const MERGE_MS = 500;
export const ACK_TIMEOUT_MS = 10_000;
export const ZOMBIE_MS = 10_000;
export const MISSED_ACKS_MAX = 3;
export const MUTE_MS = 300_000;
export const SUBSCRIPTIONS_MAX = 500_000;
export const SUBSCRIPTIONS_PER_ADDRESS_MAX = 5_000;
export const MUTED_MAX = 10_000;

/** Which list a subscriber sees: it decides the text of the push, so equal views share it. */
export interface PushView {
  readonly service: ServiceKey;
  /** As the client asked, echoed in the answer. */
  readonly clusters: string;
  /** Service names are shown in the grouped form, as newer Java clients want them. */
  readonly isGrouped: boolean;
}

export interface Subscription extends PushView {
  readonly target: Endpoint;
  readonly agent: string;
  readonly app: string;
}

/** One datagram to send: the view as it is at that moment, under a number that its ack repeats. */
export interface Send {
  readonly subscription: Subscription;
  readonly sequence: number;
}

interface Subscriber {
  readonly subscription: Subscription;
  refreshedMs: number;
  awaiting: { readonly sequence: number; readonly sentMs: number; readonly isResend: boolean } | undefined;
}

interface Watched {
  readonly subscribers: Map<string, Subscriber>;
  lastPushMs: number;
}

export interface PushCounts {
  sent: number;
  acked: number;
  failed: number;
  refused: number;
  /** Lists that fit into no datagram. */
  tooLarge: number;
}

/**
 * Who is told of which list, and when. A first change of a service is pushed at once; those that follow within
 * `MERGE_MS` make one push at the end of it. Each subscriber has one slot: a newer push replaces an unacked older one.
 * Unacked pushes are sent once more; a target that misses `MISSED_ACKS_MAX` in a row is muted (S10).
 */
export class PushHub {
  readonly #watched = new Map<ServiceKey, Watched>();
  readonly #pending = new Set<ServiceKey>();
  /** By `address port sequence`: what an ack must match. */
  readonly #awaiting = new Map<string, Subscriber>();
  readonly #missed = new Map<string, { readonly count: number; readonly lastMs: number }>();
  readonly #perAddress = new Map<string, number>();
  #subscriptions = 0;
  #sequence: number;
  readonly counts: PushCounts = { sent: 0, acked: 0, failed: 0, refused: 0, tooLarge: 0 };

  readonly #zombieMs: () => number;

  /**
   * `firstSequence` must lie above those of an earlier run, and every number below 2^53. `zombieMs`: after how long
   * without being refreshed a subscription ends.
   */
  constructor(firstSequence: number, zombieMs: () => number = () => ZOMBIE_MS) {
    this.#sequence = firstSequence;
    this.#zombieMs = zombieMs;
  }

  get subscriptionCount(): number {
    return this.#subscriptions;
  }

  /** False: not pushed to, so the client must poll more often. */
  subscribe(subscription: Subscription, nowMs: number): boolean {
    const missed = this.#missed.get(targetKey(subscription.target));
    if (missed !== undefined && missed.count >= MISSED_ACKS_MAX && nowMs - missed.lastMs < MUTE_MS) {
      return this.#refuse();
    }
    let watched = this.#watched.get(subscription.service);
    const key = subscriberKey(subscription);
    const known = watched?.subscribers.get(key);
    if (known !== undefined) {
      known.refreshedMs = nowMs;
      return true;
    }
    const { address } = subscription.target;
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (this.#subscriptions >= SUBSCRIPTIONS_MAX || ofAddress >= SUBSCRIPTIONS_PER_ADDRESS_MAX) return this.#refuse();
    if (watched === undefined) {
      watched = { subscribers: new Map(), lastPushMs: Number.NEGATIVE_INFINITY };
      this.#watched.set(subscription.service, watched);
    }
    watched.subscribers.set(key, { subscription, refreshedMs: nowMs, awaiting: undefined });
    this.#perAddress.set(address, ofAddress + 1);
    this.#subscriptions++;
    return true;
  }

  /** False: nobody is to be told of its changes, as of most services. */
  isWatched(service: ServiceKey): boolean {
    return this.#watched.has(service);
  }

  /** Services that somebody subscribes to, or did a moment ago. */
  watchedServices(): Iterable<ServiceKey> {
    return this.#watched.keys();
  }

  subscribers(service: ServiceKey, nowMs: number): Subscription[] {
    const subscribers = this.#watched.get(service)?.subscribers.values() ?? [];
    return [...subscribers].filter((one) => nowMs - one.refreshedMs <= this.#zombieMs()).map((one) => one.subscription);
  }

  changed(service: ServiceKey, nowMs: number): Send[] {
    const watched = this.#watched.get(service);
    if (watched === undefined) return [];
    if (nowMs - watched.lastPushMs >= MERGE_MS) return this.#push(service, watched, nowMs);
    this.#pending.add(service);
    return [];
  }

  /** Merged pushes that are due, second tries, and the end of subscriptions that nobody refreshed. */
  tick(nowMs: number): Send[] {
    const sends: Send[] = [];
    for (const service of this.#pending) {
      const watched = this.#watched.get(service);
      if (watched === undefined) this.#pending.delete(service);
      else if (nowMs - watched.lastPushMs >= MERGE_MS) sends.push(...this.#push(service, watched, nowMs));
    }
    const sequences = new Map<string, number>();
    // In order of sending: behind the first that may still be answered, all may.
    for (const subscriber of this.#awaiting.values()) {
      if (nowMs - (subscriber.awaiting?.sentMs ?? 0) < ACK_TIMEOUT_MS) break;
      const again = this.#retry(subscriber, sequences, nowMs);
      if (again !== undefined) sends.push(again);
    }
    return sends;
  }

  /** Drops what has not been refreshed; returns how many. */
  sweep(nowMs: number): number {
    const before = this.#subscriptions;
    for (const [service, watched] of this.#watched) this.#dropZombies(service, watched, nowMs);
    for (const [target, { lastMs }] of this.#missed) if (nowMs - lastMs >= MUTE_MS) this.#missed.delete(target);
    return before - this.#subscriptions;
  }

  /** The time from sending to the ack in ms; undefined when nothing of the kind was awaited. */
  acked(from: Endpoint, sequence: number, nowMs: number): number | undefined {
    const key = ackKey(from, sequence);
    const subscriber = this.#awaiting.get(key);
    if (subscriber?.awaiting === undefined) return undefined;
    const tookMs = nowMs - subscriber.awaiting.sentMs;
    this.#awaiting.delete(key);
    subscriber.awaiting = undefined;
    this.#missed.delete(targetKey(from));
    this.counts.acked++;
    return tookMs;
  }

  /** The kernel refused it: not worth a second try. */
  sendFailed(send: Send, nowMs: number): void {
    const subscriber = this.#awaiting.get(ackKey(send.subscription.target, send.sequence));
    if (subscriber !== undefined) this.#miss(subscriber, nowMs);
  }

  /** It fits into no datagram, which is no fault of its target. */
  isTooLarge({ subscription, sequence }: Send): void {
    const subscriber = this.#awaiting.get(ackKey(subscription.target, sequence));
    if (subscriber !== undefined) this.#forgetAwaiting(subscriber);
    this.counts.tooLarge++;
  }

  /** Pushes that were sent and may still be acknowledged, the oldest first. */
  get awaitingCount(): number {
    return this.#awaiting.size;
  }

  awaiting(max: number): Send[] {
    return [...this.#awaiting.values().take(max)].flatMap(({ subscription, awaiting }) =>
      awaiting === undefined ? [] : [{ subscription, sequence: awaiting.sequence }],
    );
  }

  /** Targets whose misses are remembered. */
  get missedCount(): number {
    return this.#missed.size;
  }

  #refuse(): false {
    this.counts.refused++;
    return false;
  }

  #push(service: ServiceKey, watched: Watched, nowMs: number): Send[] {
    this.#pending.delete(service);
    watched.lastPushMs = nowMs;
    this.#dropZombies(service, watched, nowMs);
    const sequences = new Map<string, number>();
    return [...watched.subscribers.values()].map((subscriber) => this.#send(subscriber, sequences, nowMs, false));
  }

  /** One number for all who see the same in one round, so that they share one packet; a target with two views gets two. */
  #numberFor({ subscription }: Subscriber, sequences: Map<string, number>): number {
    const view = viewKey(subscription);
    let sequence = sequences.get(view);
    if (sequence === undefined || this.#awaiting.has(ackKey(subscription.target, sequence))) {
      sequence = ++this.#sequence;
      sequences.set(view, sequence);
    }
    return sequence;
  }

  #send(subscriber: Subscriber, sequences: Map<string, number>, nowMs: number, isResend: boolean): Send {
    const sequence = this.#numberFor(subscriber, sequences);
    this.#forgetAwaiting(subscriber);
    subscriber.awaiting = { sequence, sentMs: nowMs, isResend };
    this.#awaiting.set(ackKey(subscriber.subscription.target, sequence), subscriber);
    this.counts.sent++;
    return { subscription: subscriber.subscription, sequence };
  }

  #retry(subscriber: Subscriber, sequences: Map<string, number>, nowMs: number): Send | undefined {
    const { awaiting } = subscriber;
    if (awaiting === undefined || nowMs - awaiting.sentMs < ACK_TIMEOUT_MS) return undefined;
    if (!awaiting.isResend && nowMs - subscriber.refreshedMs <= this.#zombieMs()) {
      return this.#send(subscriber, sequences, nowMs, true);
    }
    this.#miss(subscriber, nowMs);
    return undefined;
  }

  #miss(subscriber: Subscriber, nowMs: number): void {
    this.#forgetAwaiting(subscriber);
    this.counts.failed++;
    const key = targetKey(subscriber.subscription.target);
    const count = (this.#missed.get(key)?.count ?? 0) + 1;
    this.#missed.delete(key);
    const [oldest] = this.#missed.keys();
    if (oldest !== undefined && this.#missed.size >= MUTED_MAX) this.#missed.delete(oldest);
    this.#missed.set(key, { count, lastMs: nowMs });
  }

  #forgetAwaiting(subscriber: Subscriber): void {
    if (subscriber.awaiting === undefined) return;
    this.#awaiting.delete(ackKey(subscriber.subscription.target, subscriber.awaiting.sequence));
    subscriber.awaiting = undefined;
  }

  #dropZombies(service: ServiceKey, watched: Watched, nowMs: number): void {
    for (const [key, subscriber] of watched.subscribers) {
      if (nowMs - subscriber.refreshedMs <= this.#zombieMs()) continue;
      watched.subscribers.delete(key);
      this.#forgetAwaiting(subscriber);
      this.#subscriptions--;
      const { address } = subscriber.subscription.target;
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, left);
    }
    // A change that waits for its push needs no subscriber list any more either.
    if (watched.subscribers.size === 0) this.#watched.delete(service);
  }
}

/** Equal for those who see the same list. */
export function viewKey({ service, clusters, isGrouped }: PushView): string {
  return `${isGrouped} ${service} ${clusters}`;
}

function subscriberKey({ target, clusters, agent }: Subscription): string {
  return `${target.address} ${target.port} ${clusters} ${agent}`;
}

function targetKey({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

function ackKey({ address, port }: Endpoint, sequence: number): string {
  return `${address} ${port} ${sequence}`;
}
