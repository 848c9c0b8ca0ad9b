import { Changes } from '@nacos-kube/core/changes.ts';
import type { Host, Timer } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { Part } from '@nacos-kube/core/lifecycle.ts';
import {
  BEAT_INTERVAL_KEY,
  type Instance,
  type InstanceKey,
  instanceKey,
  preservedMs,
} from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, type ServiceKey, serviceKey } from '@nacos-kube/core/model/names.ts';
import { isHealthChecked, type Switches } from '@nacos-kube/core/model/switches.ts';
import { type DeregisterRequest, type UpdateRequest, wantsSnowflakeId } from '@nacos-kube/core/wire/naming.ts';
import type { BeatRequest } from '@nacos-kube/core/wire/naming-beat.ts';
import { updatedInstanceMissing, updatedServiceMissing } from '@nacos-kube/core/wire/naming-errors.ts';
import type { FeedReader } from '../store/feed-delivery.ts';
import type { Store } from '../store/store.ts';
import { changedInstance } from './changed-instance.ts';
import { EXPIRY_PERIOD_MS, Expiry } from './expiry.ts';
import type { Operation, OperationResult, Ownership } from './operation.ts';
import { PersistentRows } from './persistent-rows.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-change.ts';
import { Selections } from './selection.ts';
import { ServiceRows } from './service-rows.ts';

export const INSTANCES_MAX = 2_000_000;
const COLLECT_PERIOD_MS = 60_000;

export interface NamingOptions {
  readonly host: Host;
  readonly store: Store;
  readonly registry: Registry;
  readonly ownership: Ownership;
  readonly switches: Switches;
  readonly instancesMax?: number;
}

/** What clients ask of the registry, wherever it is carried out: here, at the owner, or in the store. */
export class NamingService implements Part {
  readonly name = 'naming';
  /** Every change of the registry on this member, whoever made it. */
  readonly changes = new Changes<RegistryChange>();
  readonly registry: Registry;
  readonly expiry: Expiry;
  readonly switches: Switches;
  readonly #host: Host;
  /** Persistent instances, as the store has them. */
  readonly persistent: PersistentRows;
  /** What is set of services, as the store has it. */
  readonly services: ServiceRows;
  readonly selections: Selections;
  readonly #ownership: Ownership;
  readonly #instancesMax: number;
  readonly #timers: Timer[] = [];

  constructor({ host, store, registry, ownership, switches, instancesMax = INSTANCES_MAX }: NamingOptions) {
    this.#instancesMax = instancesMax;
    this.#host = host;
    this.switches = switches;
    this.registry = registry;
    this.persistent = new PersistentRows(host, store, registry, (change) => this.changes.publish(change));
    this.services = new ServiceRows(host, store, registry, (change) => this.changes.publish(change));
    this.selections = new Selections(registry, this.changes);
    this.#ownership = ownership;
    this.expiry = new Expiry(registry, (service) => {
      return isHealthChecked(service, switches.current) && ownership.judges(service);
    });
  }

  start(): void {
    // A sleep is known by the time since the last look, so there has to be one before the first round (F7).
    this.expiry.tick(this.#now());
    this.#timers.push(
      this.#host.clock.every(EXPIRY_PERIOD_MS, () => this.#publish(this.expiry.tick(this.#now()))),
      this.#host.clock.every(COLLECT_PERIOD_MS, () => this.registry.collect(this.#now())),
    );
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  notReadyReason(): string | undefined {
    if (!this.persistent.isLoaded) return 'persistent instances are not loaded yet';
    return this.services.isLoaded ? undefined : 'services are not loaded yet';
  }

  /** What follows the feed of the store: settings first, so that instances appear under those of their service. */
  get feedReader(): FeedReader {
    const readers = [this.services.feedReader, this.persistent.feedReader];
    return {
      name: 'naming',
      kinds: readers.flatMap(({ kinds }) => kinds),
      async reread(revision) {
        for (const reader of readers) await reader.reread(revision);
      },
      async apply(changes) {
        for (const reader of readers) await reader.apply(changes);
      },
    };
  }

  /** Rows of the store that are not what they should be. */
  get badRows(): number {
    return this.persistent.bad + this.services.bad;
  }

  // ------------------------------------------------------------------------------------- from clients

  /** Synchronous where this member is the owner of an ephemeral instance. */
  register(service: ServiceId, instance: Instance): Promise<void> | undefined {
    if (this.#isFull) throw new ProtocolError(503, `the registry is full: ${this.#instancesMax} instances`);
    if (!instance.ephemeral) return this.persistent.put(service, this.#identified(service, instance));
    const key = serviceKey(service);
    if (!this.#ownership.isOwn(key)) return this.carryOut({ kind: 'register', service, instance }).then(() => {});
    this.#publishOne(this.registry.register(service, this.#identified(service, instance), this.#now(), key));
    return undefined;
  }

  async deregister({ service, ephemeral, ...address }: DeregisterRequest): Promise<void> {
    const key = instanceKey(address);
    if (ephemeral) {
      await this.carryOut({ kind: 'deregister', service, key });
      return;
    }
    await this.persistent.remove(service, key);
  }

  async update({ service, instance, mustExist }: UpdateRequest): Promise<void> {
    if (mustExist) this.#mustExist(service, instance);
    await this.register(service, instance);
  }

  /** Synchronous where this member is the owner: beats are what it does all day. */
  beat(
    request: BeatRequest,
    id = serviceKey(request.service),
    key = instanceKey(request),
  ): OperationResult | Promise<OperationResult> {
    const { service, instance } = request;
    if (instance?.ephemeral === false) return this.#beatPersistent(service, instance);
    const operation: Operation =
      instance === undefined ? { kind: 'beat', service, key } : { kind: 'beat', service, key, full: instance };
    return this.#ownership.isOwn(id) ? this.#applyBeat(operation, id, this.#now(), false) : this.carryOut(operation);
  }

  /** At the owner of the service, or here in its place. */
  async carryOut(operation: Operation): Promise<OperationResult> {
    const key = serviceKey(operation.service);
    if (this.#ownership.isOwn(key)) return this.apply(operation);
    const cameMs = this.#now();
    const result = await this.#ownership.forward(key, operation);
    if (result === 'unreachable') return this.apply(operation, true);
    // By the time of its coming: the owner hears it later.
    if (operation.kind === 'beat' && result.outcome === 'done') {
      this.#publishOne(this.registry.passedOn(key, operation.key, cameMs));
    }
    return result;
  }

  // ---------------------------------------------------------------------------- on behalf of any member

  /** Carries an operation out on this member's registry; `isOwnerUnreachable`: in the place of the owner. */
  apply(operation: Operation, isOwnerUnreachable = false): OperationResult {
    const nowMs = this.#now();
    switch (operation.kind) {
      case 'register': {
        const instance = this.#identified(operation.service, operation.instance);
        this.#publishOne(this.registry.register(operation.service, instance, nowMs));
        return this.#done(instance);
      }
      case 'deregister':
        this.#publishOne(this.registry.deregister(serviceKey(operation.service), operation.key, nowMs));
        return this.#done(undefined);
      case 'change':
        return this.#applyChange(operation, nowMs);
      case 'judge':
        this.#publishOne(this.registry.judgeProbe(serviceKey(operation.service), operation.key, operation.healthy));
        return this.#done(undefined);
      case 'clear':
        for (const one of this.registry.view(serviceKey(operation.service))?.instances ?? []) {
          if (!one.ephemeral) continue;
          this.#publishOne(this.registry.deregister(serviceKey(operation.service), instanceKey(one), nowMs));
        }
        return this.#done(undefined);
      case 'beat':
        return this.#applyBeat(operation, serviceKey(operation.service), nowMs, isOwnerUnreachable);
    }
  }

  /** The verdict of an active check; those of services that this member does not own count for nothing. */
  judgeProbe(service: ServiceKey, key: InstanceKey, healthy: boolean): boolean {
    if (!this.#ownership.isOwn(service)) return false;
    this.#publishOne(this.registry.judgeProbe(service, key, healthy));
    return true;
  }

  /** True: this member judges the instances of the service. */
  isOwn(service: ServiceKey): boolean {
    return this.#ownership.isOwn(service);
  }

  // ------------------------------------------------------------------------------------------- inside

  #applyBeat(
    operation: Operation & { readonly kind: 'beat' },
    id: ServiceKey,
    nowMs: number,
    isOwnerUnreachable: boolean,
  ): OperationResult {
    const { service, key, full } = operation;
    const isContested = !isOwnerUnreachable && this.#ownership.isContested(id);
    const heardBy = isOwnerUnreachable ? 'this member alone' : isContested ? 'one of several' : 'the judge';
    const beaten = this.registry.beat(id, key, nowMs, heardBy);
    if (beaten !== 'unknown') {
      if (beaten !== 'known') this.#publish([beaten]);
      return this.#done(this.registry.find(id, key, true));
    }
    // Beats of persistent instances change nothing, and make no second one of them (spec/naming.md 3).
    const persistent = this.registry.find(id, key, false);
    if (persistent !== undefined) return this.#done(persistent);
    // Where there is no room the client is asked to register, which says why it can't.
    if (full === undefined || this.#isFull) return { outcome: 'unknown' };
    this.#publishOne(this.registry.register(service, this.#identified(service, full), nowMs));
    return this.#done(full);
  }

  #applyChange(operation: Operation & { readonly kind: 'change' }, nowMs: number): OperationResult {
    const { service, key, changes, isSignOfLife } = operation;
    const id = serviceKey(service);
    const known = this.registry.find(id, key, true);
    const changed = known && changedInstance(known, changes);
    if (changed === undefined) return { outcome: 'unknown' };
    const change = this.registry.change(id, key, () => changed, nowMs, isSignOfLife);
    if (typeof change !== 'string') this.#publish([change]);
    return this.#done(changed);
  }

  async #beatPersistent(service: ServiceId, instance: Instance): Promise<OperationResult> {
    const [id, key] = [serviceKey(service), instanceKey(instance)];
    const known = this.registry.find(id, key, false) ?? this.registry.find(id, key, true);
    if (known === undefined) await this.register(service, instance);
    return this.#done(known ?? instance);
  }

  get #isFull(): boolean {
    return this.registry.instanceCount >= this.#instancesMax;
  }

  /** An id that the generator of the instance's own choice makes; a known instance keeps the one it has. */
  #identified(service: ServiceId, instance: Instance): Instance {
    if (instance.metadata.size === 0 || !wantsSnowflakeId(instance.metadata)) return instance;
    const key = serviceKey(service);
    const known = this.registry.find(key, instanceKey(instance), instance.ephemeral);
    if (known !== undefined) return { ...instance, instanceId: known.instanceId };
    const taken = new Set(
      this.registry
        .view(key)
        ?.instances.filter((one) => one.ephemeral === instance.ephemeral)
        .map((one) => one.instanceId),
    );
    let id = 0;
    while (taken.has(String(id))) id++;
    return { ...instance, instanceId: String(id) };
  }

  #mustExist(service: ServiceId, wanted: Instance): void {
    const view = this.registry.view(serviceKey(service));
    if (view === undefined) throw updatedServiceMissing(service);
    const { ip, port, ephemeral } = wanted;
    const isThere = view.instances.some((one) => one.ip === ip && one.port === port && one.ephemeral === ephemeral);
    if (!isThere) throw updatedInstanceMissing(wanted);
  }

  #done(instance: Instance | undefined): OperationResult {
    const { clientBeatInterval } = this.switches.current;
    if (instance === undefined) return { outcome: 'done', beatIntervalMs: clientBeatInterval };
    const beatIntervalMs = preservedMs(instance.metadata, BEAT_INTERVAL_KEY, clientBeatInterval);
    return { outcome: 'done', beatIntervalMs };
  }

  #publish(changes: readonly RegistryChange[]): void {
    for (const change of changes) this.changes.publish(change);
  }

  #publishOne(change: RegistryChange | undefined): void {
    if (change !== undefined) this.changes.publish(change);
  }

  #now(): number {
    return this.#host.clock.monotonic();
  }
}
