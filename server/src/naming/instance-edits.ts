import type { Host } from '@nacos-kube/core/host/host.ts';
import { ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import { type Instance, type InstanceKey, instanceKey } from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import type { HealthRequest, PatchRequest } from '@nacos-kube/core/wire/naming.ts';
import type { BatchTarget, MetadataBatch } from '@nacos-kube/core/wire/naming-batch.ts';
import {
  clusterIsMissing,
  patchedInstanceMissing,
  serviceIsMissing,
  stillProbed,
} from '@nacos-kube/core/wire/naming-errors.ts';
import { StoreError } from '../store/store.ts';
import { changedInstance } from './changed-instance.ts';
import { clustersOf } from './list.ts';
import type { InstanceChanges } from './operation.ts';
import type { NamingService } from './service.ts';

/** Instances of one batch that are changed at the same time. */
export const BATCH_AT_ONCE_MAX = 64;

/** Changes of single things of instances: ephemeral ones at their owner, persistent ones in the store. */
export class InstanceEdits {
  readonly #host: Host;
  readonly #naming: NamingService;

  constructor(host: Host, naming: NamingService) {
    this.#host = host;
    this.#naming = naming;
  }

  /** A patch of an ephemeral instance is a sign of life of it (spec/naming.md 1.1). */
  async patch({ service, changes, ...address }: PatchRequest): Promise<void> {
    const key = instanceKey(address);
    const isPersistent = this.#naming.registry.find(serviceKey(service), key, false) !== undefined;
    if (!isPersistent) {
      if (!(await this.#changeEphemeral(service, key, changes, true))) throw patchedInstanceMissing();
      return;
    }
    if (!(await this.#changePersistent(service, key, changes))) throw patchedInstanceMissing();
    if (changes.healthy !== undefined) await this.#judge(service, key, changes.healthy);
  }

  /**
   * `drop`: the names of the metadata go, else the metadata is put beside what is there. Returns what was changed; after a
   * failure no more is tried, for a store that is away would fail each of thousands after its time-out.
   */
  async batch({ service, metadata, targets }: MetadataBatch, drop: boolean): Promise<readonly BatchTarget[]> {
    const changes: InstanceChanges = drop ? { dropped: [...metadata.keys()] } : { added: metadata };
    const wanted = 'named' in targets ? targets.named : this.#all(service, targets.all === 'ephemeral');
    const changed: BatchTarget[] = [];
    for (let at = 0; at < wanted.length; at += BATCH_AT_ONCE_MAX) {
      const some = wanted.slice(at, at + BATCH_AT_ONCE_MAX);
      const outcomes = await Promise.allSettled(some.map((target) => this.#changeOne(service, target, changes)));
      changed.push(...some.filter((_, index) => isYes(outcomes[index])));
      const failure = outcomes.find((one) => one.status === 'rejected')?.reason;
      if (failure === undefined) continue;
      if (!(failure instanceof StoreError || failure instanceof ProtocolError)) throw failure;
      const facts = { service: service.name, changed: changed.length, wanted: wanted.length, error: failure };
      this.#host.log.warn('the metadata of instances could not be changed', facts);
      break;
    }
    return changed;
  }

  /** Only where nothing probes; an address that is not there is no error. */
  async setHealth({ service, healthy, ...address }: HealthRequest): Promise<void> {
    const view = this.#naming.registry.view(serviceKey(service));
    if (view === undefined) throw serviceIsMissing(service.name);
    const cluster = clustersOf(view).find(({ name }) => name === address.cluster);
    if (cluster === undefined) throw clusterIsMissing(address.cluster);
    if (cluster.healthChecker.type !== 'NONE') throw stillProbed(service.name);
    const key = instanceKey(address);
    for (const instance of view.instances) {
      if (instanceKey(instance) !== key) continue;
      if (instance.ephemeral) await this.#changeEphemeral(service, key, { healthy }, false);
      else await this.#judge(service, key, healthy);
    }
  }

  #all(service: ServiceId, ephemeral: boolean): readonly Instance[] {
    const instances = this.#naming.registry.view(serviceKey(service))?.instances ?? [];
    return instances.filter((one) => one.ephemeral === ephemeral);
  }

  async #changeOne(service: ServiceId, target: BatchTarget, changes: InstanceChanges): Promise<boolean> {
    const key = instanceKey(target);
    if (target.ephemeral) return this.#changeEphemeral(service, key, changes, false);
    try {
      return await this.#changePersistent(service, key, changes);
    } catch (error) {
      // An address that no store takes is one that is not there.
      if (error instanceof StoreError && error.kind === 'invalid') return false;
      throw error;
    }
  }

  async #changeEphemeral(
    service: ServiceId,
    key: InstanceKey,
    changes: InstanceChanges,
    isSignOfLife: boolean,
  ): Promise<boolean> {
    const result = await this.#naming.carryOut({ kind: 'change', service, key, changes, isSignOfLife });
    return result.outcome === 'done';
  }

  async #changePersistent(service: ServiceId, key: InstanceKey, changes: InstanceChanges): Promise<boolean> {
    let isChanged = false;
    const isThere = await this.#naming.persistent.change(service, key, (instance) => {
      const changed = changedInstance(instance, changes);
      isChanged = changed !== undefined;
      return changed ?? instance;
    });
    return isThere && isChanged;
  }

  async #judge(service: ServiceId, key: InstanceKey, healthy: boolean): Promise<void> {
    await this.#naming.carryOut({ kind: 'judge', service, key, healthy });
  }
}

function isYes(outcome: PromiseSettledResult<boolean> | undefined): boolean {
  return outcome?.status === 'fulfilled' && outcome.value;
}
