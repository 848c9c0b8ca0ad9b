import {
  BEAT_TIMEOUT_KEY,
  BEAT_TIMEOUT_MS,
  DELETE_TIMEOUT_KEY,
  DELETE_TIMEOUT_MS,
  type Instance,
  type InstanceKey,
  preservedMs,
} from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import { NO_SERVICE_SETTINGS, type ServiceSettings } from '@nacos-kube/core/model/service.ts';
import { compareStamps, doubtedStamp, epochOf, memberOf, type Stamp } from '@nacos-kube/core/model/stamp.ts';
import type { Digest } from './digest.ts';
import type { Queued } from './due-queue.ts';
import { ProbeVerdicts } from './probe-verdicts.ts';

/** One service at one moment, never changed afterwards: readers hold it as long as they like. */
export interface ServiceView {
  readonly id: ServiceId;
  readonly key: ServiceKey;
  /** Both kinds; persistent ones with the verdict of their checks. */
  readonly instances: readonly Instance[];
  readonly settings: ServiceSettings;
}

/**
 * A registered ephemeral instance and what this member knows of its beats. Its times are whole (`wholeMs`) and undefined
 * where there was nothing yet: V8 keeps each other number in an object of its own, made anew with each beat.
 */
export interface Ephemeral extends Queued {
  readonly entry: ServiceEntry;
  readonly key: InstanceKey;
  instance: Instance;
  stamp: Stamp;
  /** The owner missed its beats. */
  isUnhealthyByVerdict: boolean;
  /** Monotonic ms from which the time-outs count: a beat, or the moment this member became responsible (F3). */
  aliveMs: number;
  /** Monotonic ms of the last sign of life that came to this member itself; undefined: none ever. */
  heardMs: number | undefined;
  /** Monotonic ms of the last beat that this member passed on to the owner, who took it; it too is a sign of life. */
  passedOnMs: number | undefined;
  /** Monotonic ms at which a beat of it was last told to all for being contested. */
  toldMs: number | undefined;
  isGone: boolean;
}

export interface Tombstone {
  readonly kind: 'left' | 'expired';
  readonly stamp: Stamp;
  readonly atMs: number;
}

export class ServiceEntry {
  readonly id: ServiceId;
  readonly key: ServiceKey;
  readonly ephemeral = new Map<InstanceKey, Ephemeral>();
  readonly persistent = new Map<InstanceKey, Instance>();
  readonly verdicts = new ProbeVerdicts();
  readonly tombstones = new Map<InstanceKey, Tombstone>();
  /** The newest stamp that this member has seen in this service. */
  newest: Stamp = { epoch: 0, sequence: 0, owner: '' };
  /** Of what members share of it; undefined while that was never anything. */
  digest: Digest | undefined;
  /** As the store has them; undefined when nobody made or changed the service as such. */
  settings: ServiceSettings | undefined;
  #view: ServiceView | undefined;

  constructor(id: ServiceId) {
    this.id = id;
    this.key = serviceKey(id);
  }

  /** The list as it is now; built once per change. */
  get view(): ServiceView {
    this.#view ??= {
      id: this.id,
      key: this.key,
      instances: [...this.#ephemeralInstances(), ...this.persistentInstances()],
      settings: this.settings ?? NO_SERVICE_SETTINGS,
    };
    return this.#view;
  }

  see(stamp: Stamp): void {
    const seen = stamp.epoch === 0 ? { epoch: epochOf(stamp), sequence: 0, owner: '' } : stamp;
    if (compareStamps(seen, this.newest) > 0) this.newest = seen;
  }

  /** Above all that this member has seen of the service: of its own epoch, else of the next one. */
  nextStamp(writer: string): Stamp {
    const { epoch, sequence, owner } = this.newest;
    this.newest =
      owner === writer ? { epoch, sequence: sequence + 1, owner } : { epoch: epoch + 1, sequence: 1, owner: writer };
    return this.newest;
  }

  changed(): void {
    this.#view = undefined;
  }

  /**
   * After an earlier life: whom this member buried for their silence stays gone only where no peer knows better, with
   * however old a stamp. It may have been cut off, and was gone before anybody could contest it.
   */
  doubtExpired(member: string): void {
    for (const [key, { kind, stamp, atMs }] of this.tombstones) {
      const isOwnVerdict = kind === 'expired' && memberOf(stamp.owner) === member;
      if (isOwnVerdict) this.tombstones.set(key, { kind, stamp: doubtedStamp(stamp), atMs });
    }
  }

  /** Forgets tombstones older than this; returns how many. */
  collect(nowMs: number, tombstoneTtlMs: number): number {
    let collected = 0;
    for (const [key, { atMs }] of this.tombstones) {
      if (nowMs - atMs < tombstoneTtlMs) continue;
      this.tombstones.delete(key);
      collected++;
    }
    this.verdicts.collect(nowMs);
    return collected;
  }

  /** Something a client could see. */
  get exists(): boolean {
    return this.ephemeral.size > 0 || this.persistent.size > 0 || this.settings !== undefined;
  }

  get isDisposable(): boolean {
    return !this.exists && this.tombstones.size === 0 && this.verdicts.isEmpty;
  }

  *#ephemeralInstances(): Iterable<Instance> {
    for (const { instance } of this.ephemeral.values()) yield instance;
  }

  /** With the verdicts of their checks. */
  *persistentInstances(): Iterable<Instance> {
    for (const [key, instance] of this.persistent) {
      const verdict = this.verdicts.get(key);
      yield verdict === undefined || verdict.healthy === instance.healthy
        ? instance
        : { ...instance, healthy: verdict.healthy };
    }
  }
}

/** As one that peers told of: this member itself has heard nothing of it yet. */
export function newEphemeral(
  entry: ServiceEntry,
  key: InstanceKey,
  instance: Instance,
  stamp: Stamp,
  nowMs: number,
): Ephemeral {
  return {
    entry,
    key,
    instance,
    stamp,
    isUnhealthyByVerdict: false,
    aliveMs: wholeMs(nowMs),
    heardMs: undefined,
    passedOnMs: undefined,
    toldMs: undefined,
    isGone: false,
    queuedFor: undefined,
  };
}

/** A sign of life came to this very member. */
export function noteHeard(ephemeral: Ephemeral, nowMs: number): void {
  ephemeral.aliveMs = wholeMs(nowMs);
  ephemeral.heardMs = ephemeral.aliveMs;
}

/** Never earlier: nobody's time-out is shortened by it. */
export function wholeMs(ms: number): number {
  return Math.ceil(ms);
}

/** When the next verdict on it is due, in monotonic ms. */
export function deadlineMs(ephemeral: Ephemeral): number | undefined {
  if (ephemeral.isGone) return undefined;
  const { metadata, healthy } = ephemeral.instance;
  const deleteMs = preservedMs(metadata, DELETE_TIMEOUT_KEY, DELETE_TIMEOUT_MS);
  if (!healthy) return ephemeral.aliveMs + deleteMs;
  return ephemeral.aliveMs + Math.min(deleteMs, preservedMs(metadata, BEAT_TIMEOUT_KEY, BEAT_TIMEOUT_MS));
}

/** Of the time-out: two beats of three. The owner took it too, and must not be doubted where its clock is the faster one. */
const PASSED_ON_SHARE = 2 / 3;

/** A sign of life came to this very member within the time-out: it knows better than any verdict. */
export function isHeard(known: Ephemeral, nowMs: number): boolean {
  const { metadata } = known.instance;
  const beatTimeoutMs = preservedMs(metadata, BEAT_TIMEOUT_KEY, BEAT_TIMEOUT_MS);
  const deleteTimeoutMs = preservedMs(metadata, DELETE_TIMEOUT_KEY, DELETE_TIMEOUT_MS);
  const timeoutMs = Math.min(beatTimeoutMs, deleteTimeoutMs);
  if (known.passedOnMs !== undefined && nowMs - known.passedOnMs <= timeoutMs * PASSED_ON_SHARE) return true;
  return known.heardMs !== undefined && nowMs - known.heardMs <= timeoutMs;
}
