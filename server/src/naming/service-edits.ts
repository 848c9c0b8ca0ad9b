import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, serviceKey } from '@nacos-kube/core/model/names.ts';
import { NO_SERVICE_SETTINGS } from '@nacos-kube/core/model/service.ts';
import type { ClusterRequest } from '@nacos-kube/core/wire/naming-cluster.ts';
import {
  clusteredServiceMissing,
  deletedServiceMissing,
  editedServiceMissing,
  serviceExists,
} from '@nacos-kube/core/wire/naming-errors.ts';
import type { ServiceRequest } from '@nacos-kube/core/wire/naming-service.ts';
import type { NamingService } from './service.ts';

/** Services that were made or changed as such. */
export const SERVICES_STORED_MAX = 500_000;
/** Of one service that somebody set; together they must fit into one record of the store. */
export const CLUSTERS_SET_MAX = 256;
const REMOVALS_AT_ONCE_MAX = 64;

/** What users say of services as such. All of it is written to the store, and every member follows the store. */
export class ServiceEdits {
  readonly #naming: NamingService;

  constructor(naming: NamingService) {
    this.#naming = naming;
  }

  async create({ service, ...said }: ServiceRequest): Promise<void> {
    const { registry, services } = this.#naming;
    if (registry.view(serviceKey(service)) !== undefined) throw serviceExists(service.name);
    this.#checkRoom(service);
    await services.change(service, (_settings, isStored) => {
      if (isStored) throw serviceExists(service.name);
      return { ...said, clusters: NO_SERVICE_SETTINGS.clusters };
    });
  }

  /** What is not said is reset, but for the clusters: those have a call of their own. */
  async update({ service, ...said }: ServiceRequest): Promise<void> {
    this.#checkRoom(service);
    await this.#naming.services.change(service, (settings, isStored) => {
      if (!isStored && !this.#isShown(service)) throw editedServiceMissing(service.name);
      return { ...said, clusters: settings?.clusters ?? NO_SERVICE_SETTINGS.clusters };
    });
  }

  /** The instances of the service go with it, those that live too: what beats on comes back. */
  async remove(service: ServiceId): Promise<void> {
    // What is stored goes first: when the store is away nothing else has happened, and nobody was taken off a list (F6).
    const wasStored = await this.#naming.services.remove(service);
    const view = this.#naming.registry.view(serviceKey(service));
    if (view === undefined && !wasStored) throw deletedServiceMissing(service.name);
    const persistent = view?.instances.filter((one) => !one.ephemeral) ?? [];
    for (let at = 0; at < persistent.length; at += REMOVALS_AT_ONCE_MAX) {
      const some = persistent.slice(at, at + REMOVALS_AT_ONCE_MAX);
      await Promise.all(some.map((one) => this.#naming.persistent.remove(service, instanceKey(one))));
    }
    await this.#naming.carryOut({ kind: 'clear', service });
  }

  /** Replaces the cluster as a whole, or makes it. */
  async setCluster({ service, cluster }: ClusterRequest): Promise<void> {
    this.#checkRoom(service);
    await this.#naming.services.change(service, (settings = NO_SERVICE_SETTINGS, isStored) => {
      if (!isStored && !this.#isShown(service)) throw clusteredServiceMissing(service.name);
      const clusters = new Map(settings.clusters).set(cluster.name, cluster);
      if (clusters.size > CLUSTERS_SET_MAX) throw badRequest(`a service has at most ${CLUSTERS_SET_MAX} clusters set`);
      return { ...settings, clusters };
    });
  }

  #isShown(service: ServiceId): boolean {
    return this.#naming.registry.view(serviceKey(service)) !== undefined;
  }

  #checkRoom(service: ServiceId): void {
    const stored = this.#naming.services.keys();
    if (stored.size < SERVICES_STORED_MAX || stored.has(serviceKey(service))) return;
    throw badRequest(`there are ${SERVICES_STORED_MAX} services already`);
  }
}
