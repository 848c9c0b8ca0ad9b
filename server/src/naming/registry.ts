import type { Instance, InstanceKey } from '@nacos-kube/core/model/instance.ts';
import { instanceKey, sameInstance, sameRegistration } from '@nacos-kube/core/model/instance.ts';
import { parseServiceKey, type ServiceId, type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { ServiceSettings } from '@nacos-kube/core/model/service.ts';
import { compareStamps, epochOf, memberOf, type Stamp } from '@nacos-kube/core/model/stamp.ts';
import { type Datum, datumsOf, datumsOfKey, type EphemeralDatum, isVerdict, TOMBSTONE_TTL_MS } from './datum.ts';
import { DueQueue } from './due-queue.ts';
import { mergeProbe } from './probe-merge.ts';
import { type ProbeVerdict, probed } from './probe-verdicts.ts';
import type { HeardBy, Merged, MergeRoles, RegistryChange, Verdict } from './registry-change.ts';
import type { Ephemeral, ServiceEntry, ServiceView } from './service-entry.ts';
import { deadlineMs, isHeard, newEphemeral, noteHeard, wholeMs } from './service-entry.ts';
import { Services } from './services.ts';
import { SharedValues } from './shared-values.ts';

/**
 * All instances of all services, and the only writer of them. Pure: time comes in as `nowMs` (monotonic), changes go
 * out as return values, nothing is sent or stored here.
 *
 * An ephemeral instance is live > unhealthy > gone (a tombstone); a beat makes it healthy, a registration brings it
 * back. Every write by this member carries a stamp above all that it has seen of the service (F2).
 */
export class Registry {
  readonly #writer: string;
  readonly #services = new Services();
  readonly #due = new DueQueue<Ephemeral>(deadlineMs);
  readonly #shared = new SharedValues();
  #instances = 0;
  #persistent = 0;

  /** `writer` names this member and this run of it: two runs never make one stamp for different data. */
  constructor(writer: string) {
    this.#writer = writer;
  }

  // ------------------------------------------------------------------------------------------- reading

  view(key: ServiceKey): ServiceView | undefined {
    const entry = this.#services.get(key);
    return entry?.exists ? entry.view : undefined;
  }

  /** Names of the services of a namespace, in no order. */
  serviceNames(namespaceId: string): Iterable<string> {
    return this.#services.namesIn(namespaceId);
  }

  /** Namespaces that have services. */
  namespaces(): Iterable<string> {
    return this.#services.namespaces();
  }

  views(): Iterable<ServiceView> {
    return this.#services.views();
  }

  get serviceCount(): number {
    return this.#services.count;
  }

  get instanceCount(): number {
    return this.#instances;
  }

  /** Ephemeral instances of the services that the caller means. */
  ephemeralCount(isMeant: (service: ServiceKey) => boolean): number {
    return this.#services.ephemeralCount(isMeant);
  }

  /** Services that the caller means, and their instances of both kinds; no list is made for it. */
  countsOf(isMeant: (service: ServiceKey) => boolean): { readonly services: number; readonly instances: number } {
    return this.#services.countsOf(isMeant);
  }

  find(service: ServiceKey, key: InstanceKey, ephemeral: boolean): Instance | undefined {
    if (!ephemeral && this.#persistent === 0) return undefined; // asked of each change
    const entry = this.#services.get(service);
    if (ephemeral) return entry?.ephemeral.get(key)?.instance;
    const [verdict, instance] = [entry?.verdicts.get(key), entry?.persistent.get(key)];
    return instance && verdict ? { ...instance, healthy: verdict.healthy } : instance;
  }

  /** Monotonic ms of the last sign of life of an ephemeral instance, as far as this member knows. */
  aliveMs(service: ServiceKey, key: InstanceKey): number | undefined {
    return this.#services.get(service)?.ephemeral.get(key)?.aliveMs;
  }

  // ------------------------------------------------------------------------------- what clients ask for

  /** Registers, or replaces the data of one that is there; undefined when that changes nothing. */
  register(id: ServiceId, wanted: Instance, nowMs: number, service = serviceKey(id)): RegistryChange | undefined {
    const entry = this.#services.entryOf(id, service);
    const key = instanceKey(wanted);
    const known = entry.ephemeral.get(key);
    if (known === undefined) {
      const ephemeral = this.#add(entry, key, wanted, entry.nextStamp(this.#writer), nowMs);
      noteHeard(ephemeral, nowMs);
      return this.#changed(entry, [key], 'here', true);
    }
    noteHeard(known, nowMs);
    // Registering again neither heals nor renames: only a beat heals (spec/naming.md 7.7, 1.1.2).
    if (sameRegistration(known.instance, wanted)) return undefined;
    // New data is what a client asked for, so it counts from any member, healthy or not.
    known.isUnhealthyByVerdict = false;
    return this.#replace(known, this.#shared.replacing(known.instance, wanted), entry.nextStamp(this.#writer), 'here');
  }

  /** `unknown` when there is no such instance: the client has to register it. */
  beat(
    service: ServiceKey,
    key: InstanceKey,
    nowMs: number,
    heardBy: HeardBy = 'the judge',
  ): RegistryChange | 'known' | 'unknown' {
    const known = this.#services.get(service)?.ephemeral.get(key);
    if (known === undefined) return 'unknown';
    const heardBeforeMs = known.heardMs ?? Number.NEGATIVE_INFINITY;
    noteHeard(known, nowMs);
    if (known.instance.healthy) {
      const isSecond =
        nowMs - heardBeforeMs <= IN_A_ROW_MS && nowMs - (known.toldMs ?? Number.NEGATIVE_INFINITY) >= RETELL_MS;
      const isToBeTold = heardBy === 'this member alone' || (heardBy === 'one of several' && isSecond);
      if (!isToBeTold) return 'known';
      known.toldMs = wholeMs(nowMs);
      return this.#restamp(known, known.instance);
    }
    known.isUnhealthyByVerdict = false;
    return this.#restamp(known, { ...known.instance, healthy: true });
  }

  /** The owner took a beat that came here: no other's verdict counts against it, and a second one heals what it healed. */
  passedOn(service: ServiceKey, key: InstanceKey, cameMs: number): RegistryChange | undefined {
    const known = this.#services.get(service)?.ephemeral.get(key);
    if (known === undefined) return undefined;
    const isSecond = cameMs - (known.passedOnMs ?? Number.NEGATIVE_INFINITY) <= IN_A_ROW_MS;
    known.passedOnMs = wholeMs(cameMs);
    return isSecond && !known.instance.healthy ? this.#restamp(known, { ...known.instance, healthy: true }) : undefined;
  }

  deregister(service: ServiceKey, key: InstanceKey, nowMs: number): RegistryChange | undefined {
    const known = this.#services.get(service)?.ephemeral.get(key);
    return known && this.#bury(known, 'left', known.entry.nextStamp(this.#writer), nowMs, 'here');
  }

  /** Health is taken as it is said; `isSignOfLife`: its time-outs count anew. */
  change(
    service: ServiceKey,
    key: InstanceKey,
    make: (instance: Instance) => Instance,
    nowMs: number,
    isSignOfLife: boolean,
  ): RegistryChange | 'same' | 'unknown' {
    const known = this.#services.get(service)?.ephemeral.get(key);
    if (known === undefined) return 'unknown';
    if (isSignOfLife) noteHeard(known, nowMs);
    const instance = make(known.instance);
    if (sameInstance(known.instance, instance)) return 'same';
    known.isUnhealthyByVerdict = false;
    return this.#restamp(known, instance);
  }

  // --------------------------------------------------------------------------------- what the owner does

  /** Instances whose beats have been missed for too long at `nowMs`; the caller decides, `judge` carries it out. */
  takeOverdue(nowMs: number): Ephemeral[] {
    return this.#due.take(nowMs);
  }

  /** Looks at it again when its deadline comes round; what `takeOverdue` gave out goes back by this or by `judge`. */
  putBack(ephemeral: Ephemeral): void {
    if (!ephemeral.isGone) this.#due.add(ephemeral);
  }

  judge(ephemeral: Ephemeral, verdict: Verdict, nowMs: number): RegistryChange | undefined {
    if (ephemeral.isGone) return undefined;
    if (verdict === 'expired') {
      return this.#bury(ephemeral, 'expired', ephemeral.entry.nextStamp(this.#writer), nowMs, 'here');
    }
    ephemeral.isUnhealthyByVerdict = true;
    const change = this.#restamp(ephemeral, { ...ephemeral.instance, healthy: false });
    this.putBack(ephemeral);
    return change;
  }

  /** A full time-out for everything of the services that this member has just become responsible for (F3). */
  grant(nowMs: number, isNewlyOwn: (service: ServiceKey) => boolean): number {
    let granted = 0;
    for (const entry of this.#services.all()) {
      if (entry.ephemeral.size === 0 || !isNewlyOwn(entry.key)) continue;
      for (const ephemeral of entry.ephemeral.values()) ephemeral.aliveMs = wholeMs(nowMs);
      granted += entry.ephemeral.size;
    }
    return granted;
  }

  judgeProbe(service: ServiceKey, key: InstanceKey, healthy: boolean): RegistryChange | undefined {
    const entry = this.#services.get(service);
    const instance = entry?.persistent.get(key);
    if (entry === undefined || instance === undefined) return undefined;
    const before = entry.verdicts.get(key)?.healthy ?? instance.healthy;
    if (before === healthy) return undefined;
    this.#setVerdict(entry, key, { healthy, stamp: entry.nextStamp(this.#writer) });
    return this.#changed(entry, [key], 'here', true);
  }

  // ---------------------------------------------------------------------------------- what the store says

  putPersistent(id: ServiceId, instance: Instance): RegistryChange | undefined {
    const entry = this.#services.entryOf(id);
    const key = instanceKey(instance);
    const known = entry.persistent.get(key);
    if (known !== undefined && sameInstance(known, instance)) return undefined;
    entry.persistent.set(key, this.#shared.of(instance));
    if (known === undefined) {
      this.#instances++;
      this.#persistent++;
      const waited = entry.verdicts.arrived(key);
      if (waited !== undefined) this.#services.digestOf(entry).add(probed(key), waited.stamp);
    }
    return this.#changed(entry, [key], 'store', true);
  }

  removePersistent(service: ServiceKey, key: InstanceKey, nowMs: number): RegistryChange | undefined {
    const entry = this.#services.get(service);
    if (!entry?.persistent.delete(key)) return undefined;
    this.#instances--;
    this.#persistent--;
    const verdict = entry.verdicts.retired(key, nowMs);
    if (verdict !== undefined) this.#services.digestOf(entry).remove(probed(key), verdict.stamp);
    const change = this.#changed(entry, [key], 'store', true);
    this.#services.dispose(entry);
    return change;
  }

  /** Undefined: the store has none. Subscribers are not told, as in the reference (spec/naming.md 4). */
  setSettings(id: ServiceId, settings: ServiceSettings | undefined): RegistryChange | undefined {
    if (settings === undefined && this.#services.get(serviceKey(id))?.settings === undefined) return undefined;
    const entry = this.#services.entryOf(id);
    entry.settings = settings;
    const change = this.#changed(entry, [], 'store', false);
    this.#services.dispose(entry);
    return change;
  }

  /** Persistent instances with the verdicts of their checks; looks at no list of ephemeral ones. */
  persistent(): Iterable<{ readonly service: ServiceKey; readonly instance: Instance }> {
    return this.#services.persistent();
  }

  // ---------------------------------------------------------------------------------- what members share

  /** What is to be told of one instance: the ephemeral one (or its tombstone), and the verdict on a persistent one. */
  datumsOfInstance(service: ServiceKey, key: InstanceKey): Datum[] {
    const entry = this.#services.get(service);
    return entry === undefined ? [] : datumsOfKey(entry, key);
  }

  /** Everything this member knows of a service, tombstones included. */
  *datums(service: ServiceKey): Iterable<Datum> {
    const entry = this.#services.get(service);
    if (entry !== undefined) yield* datumsOf(entry);
  }

  /** Services that members tell each other about. */
  sharedServices(): Iterable<ServiceKey> {
    return this.#services.keys();
  }

  *allDatums(): Iterable<Datum> {
    for (const entry of this.#services.all()) yield* datumsOf(entry);
  }

  /** Services with shared data and the digest of it: equal digests mean equal lists. Tombstones do not count. */
  digests(): Iterable<readonly [ServiceKey, string]> {
    return this.#services.digestTexts();
  }

  digest(service: ServiceKey): string {
    return this.#services.digestText(service);
  }

  /** Above zero when it is newer than what is known of its place, zero when it is that (F2). */
  orderOf({ service, key, stamp, kind }: Datum): number {
    const entry = this.#services.get(service);
    const known =
      kind === 'probed' ? entry?.verdicts.get(key) : (entry?.ephemeral.get(key) ?? entry?.tombstones.get(key));
    return compareStamps(stamp, known?.stamp ?? NEVER);
  }

  /** Takes over what a peer says, if it is newer and may be believed. */
  merge(datum: Datum, roles: MergeRoles, nowMs: number): Merged {
    const id = parseServiceKey(datum.service);
    if (id === undefined) return { outcome: 'refused' };
    const entry = this.#services.entryOf(id);
    if (epochOf(datum.stamp) > entry.newest.epoch + EPOCH_LEAP_MAX) {
      this.#services.dispose(entry);
      return { outcome: 'refused' };
    }
    if (datum.kind === 'probed') return this.#mergeProbed(entry, datum, roles, nowMs);

    const known = entry.ephemeral.get(datum.key);
    const order = this.orderOf(datum);
    if (order <= 0) {
      this.#services.dispose(entry);
      return { outcome: order === 0 ? 'known' : 'older' };
    }
    if (isVerdict(datum) && known !== undefined) {
      // Whoever knows better says so with a newer stamp; whoever knows nothing believes the owner alone.
      if ((roles.iAmOwner && !roles.senderIsOwner) || isHeard(known, nowMs)) {
        entry.see(datum.stamp);
        // The verdict alone is contested; newer data that came with it stays.
        const instance = datum.kind === 'unhealthy' ? datum.instance : known.instance;
        return { outcome: 'restamped', change: this.#restamp(known, { ...instance, healthy: known.instance.healthy }) };
      }
      if (!roles.senderIsOwner) return { outcome: 'refused' };
    }
    entry.see(datum.stamp);
    // Silence brings nothing back that its client took away; who is there after all registers with the next beat.
    if (datum.kind === 'unhealthy' && known === undefined && entry.tombstones.get(datum.key)?.kind === 'left') {
      entry.tombstones.set(datum.key, { kind: 'left', stamp: entry.nextStamp(this.#writer), atMs: nowMs });
      return { outcome: 'restamped', change: this.#changed(entry, [datum.key], 'here', false) };
    }
    return { outcome: 'applied', change: this.#apply(entry, datum, known, nowMs) };
  }

  /** Puts back what a journal held: older than anything a peer says, alive for one full time-out (F3). */
  restore(datums: Iterable<Datum>, nowMs: number): void {
    for (const datum of datums) this.merge(datum, { iAmOwner: false, senderIsOwner: true }, nowMs);
    for (const entry of this.#services.all()) entry.doubtExpired(memberOf(this.#writer));
  }

  /** Forgets tombstones older than `TOMBSTONE_TTL_MS`; returns how many. */
  collect(nowMs: number): number {
    let collected = 0;
    for (const entry of this.#services.all()) {
      collected += entry.collect(nowMs, TOMBSTONE_TTL_MS);
      this.#services.dispose(entry);
    }
    return collected;
  }

  // -------------------------------------------------------------------------------------------- inside

  #add(entry: ServiceEntry, key: InstanceKey, instance: Instance, stamp: Stamp, nowMs: number): Ephemeral {
    const ephemeral = newEphemeral(entry, key, this.#shared.of(instance), stamp, nowMs);
    entry.tombstones.delete(key);
    entry.ephemeral.set(key, ephemeral);
    this.#instances++;
    this.#services.digestOf(entry).add(key, stamp);
    this.#due.add(ephemeral);
    return ephemeral;
  }

  #restamp(known: Ephemeral, instance: Instance): RegistryChange {
    return this.#replace(known, this.#shared.of(instance), known.entry.nextStamp(this.#writer), 'here');
  }

  #replace(known: Ephemeral, instance: Instance, stamp: Stamp, origin: 'here' | 'peer'): RegistryChange {
    const visible = !sameInstance(known.instance, instance);
    const digest = this.#services.digestOf(known.entry);
    digest.remove(known.key, known.stamp);
    digest.add(known.key, stamp);
    known.instance = instance;
    known.stamp = stamp;
    // Health and metadata set the time-outs: the new deadline may be closer than the old one.
    this.#due.add(known);
    return this.#changed(known.entry, [known.key], origin, visible);
  }

  #bury(
    known: Ephemeral,
    kind: 'left' | 'expired',
    stamp: Stamp,
    nowMs: number,
    origin: 'here' | 'peer',
  ): RegistryChange {
    const { entry, key } = known;
    known.isGone = true;
    entry.ephemeral.delete(key);
    this.#instances--;
    this.#services.digestOf(entry).remove(key, known.stamp);
    entry.tombstones.set(key, { kind, stamp, atMs: nowMs });
    return this.#changed(entry, [key], origin, true);
  }

  #apply(entry: ServiceEntry, datum: EphemeralDatum, known: Ephemeral | undefined, nowMs: number): RegistryChange {
    switch (datum.kind) {
      case 'left':
      case 'expired':
        if (known !== undefined) return this.#bury(known, datum.kind, datum.stamp, nowMs, 'peer');
        entry.tombstones.set(datum.key, { kind: datum.kind, stamp: datum.stamp, atMs: nowMs });
        return this.#changed(entry, [datum.key], 'peer', false);
      case 'live':
      case 'unhealthy': {
        if (known === undefined) {
          const added = this.#add(entry, datum.key, datum.instance, datum.stamp, nowMs);
          added.isUnhealthyByVerdict = datum.kind === 'unhealthy';
          return this.#changed(entry, [datum.key], 'peer', true);
        }
        known.isUnhealthyByVerdict = datum.kind === 'unhealthy';
        // A live one was written on a sign of life that some member has heard.
        if (datum.kind === 'live') known.aliveMs = wholeMs(nowMs);
        return this.#replace(known, this.#shared.of(datum.instance), datum.stamp, 'peer');
      }
    }
  }

  #mergeProbed(
    entry: ServiceEntry,
    datum: Datum & { readonly kind: 'probed' },
    roles: MergeRoles,
    nowMs: number,
  ): Merged {
    const merged = mergeProbe(entry, datum, roles, this.#writer, nowMs);
    if (merged.verdict === undefined) {
      this.#services.dispose(entry);
      return { outcome: merged.outcome };
    }
    this.#setVerdict(entry, datum.key, merged.verdict);
    const origin = merged.outcome === 'applied' ? 'peer' : 'here';
    return { outcome: merged.outcome, change: this.#changed(entry, [datum.key], origin, merged.visible) };
  }

  #setVerdict(entry: ServiceEntry, key: InstanceKey, verdict: ProbeVerdict): void {
    const digest = this.#services.digestOf(entry);
    const known = entry.verdicts.get(key);
    if (known !== undefined) digest.remove(probed(key), known.stamp);
    entry.verdicts.set(key, verdict);
    digest.add(probed(key), verdict.stamp);
  }

  #changed(
    entry: ServiceEntry,
    keys: readonly InstanceKey[],
    origin: RegistryChange['origin'],
    visible: boolean,
  ): RegistryChange {
    entry.changed();
    return { service: entry.key, keys, origin, visible };
  }
}

/** A stamp so far ahead comes of a fault, and would leave no numbers above it: at a thousand epochs a second, 34 years. */
export const EPOCH_LEAP_MAX = 2 ** 40;
/** Contested beats with no more between them were both heard by this member and perhaps by no other. */
export const IN_A_ROW_MS = 12_000;
/** Nobody judges a silence shorter than three times this. */
export const RETELL_MS = 5_000;

const NEVER: Stamp = { epoch: -1, sequence: 0, owner: '' };
