import type { Clock } from '@nacos-kube/core/host/host.ts';
import { jsonBytes } from '@nacos-kube/core/http/answers.ts';
import type { Call, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { instanceKey } from '@nacos-kube/core/model/instance.ts';
import { type ServiceId, serviceKey, splitGroupedName } from '@nacos-kube/core/model/names.ts';
import {
  type CatalogService,
  type CatalogServicesRequest,
  type CheckTimes,
  decodeCatalogInstances,
  decodeCatalogServices,
  encodeCatalogInstances,
  encodeCatalogService,
  encodeCatalogServices,
  encodeCatalogWithInstances,
  encodeCheckTimes,
} from '@nacos-kube/core/wire/naming-catalog.ts';
import { checkedServiceMissing, clusterIsMissing, serviceIsMissing } from '@nacos-kube/core/wire/naming-errors.ts';
import { decodeService } from '@nacos-kube/core/wire/naming-names.ts';
import { decodeServiceName } from '@nacos-kube/core/wire/naming-service.ts';
import { clustersOf } from './list.ts';
import type { Reads } from './reads.ts';
import type { ServiceView } from './service-entry.ts';

const READ: Policy = { kind: 'read', area: 'naming' };
/** Hosts in one answer that has services with their instances; the services that do not fit are on a later page. */
export const CATALOG_HOSTS_MAX = 50_000;

export interface CatalogRoutesOptions {
  readonly clock: Clock;
  readonly reads: Reads;
  /** How long active checks of a cluster take here; undefined when none was made. */
  readonly checkTimes: (service: ServiceId, cluster: string) => Omit<CheckTimes, 'name'> | undefined;
}

/** What the console shows (spec/naming.md 1.3). */
export function catalogRoutes({ clock, reads, checkTimes }: CatalogRoutesOptions): Route[] {
  const read = (path: string, answer: (form: Call['form']) => string): Route => ({
    ...{ method: 'GET', path: `/v1/ns/catalog/${path}`, policy: READ, handler: ({ form }) => jsonBytes(answer(form)) },
  });
  return [
    read('service', (form) => {
      const service = decodeServiceName(form);
      const view = reads.view(service);
      if (view === undefined) throw serviceIsMissing(service.name);
      return encodeCatalogService(catalogOf(view));
    }),
    read('instances', (form) => instances(reads, clock, form)),
    read('services', (form) => services(reads, form)),
    read('rt/service', (form) => {
      const service = decodeService(form);
      const view = reads.view(service);
      if (view === undefined) throw checkedServiceMissing();
      const none = { best: undefined, worst: 0, normalized: 0 };
      return encodeCheckTimes(clustersOf(view).map(({ name }) => ({ name, ...(checkTimes(service, name) ?? none) })));
    }),
  ];
}

function instances(reads: Reads, clock: Clock, form: Call['form']): string {
  const { service, cluster, pageNo, pageSize } = decodeCatalogInstances(form);
  const view = reads.view(service);
  if (view === undefined) throw serviceIsMissing(service.name);
  if (!clustersOf(view).some(({ name }) => name === cluster)) throw clusterIsMissing(cluster);
  const all = view.instances.filter((one) => one.cluster === cluster);
  const from = (pageNo - 1) * pageSize;
  const [nowMs, atMs] = [clock.now(), clock.monotonic()];
  const page = all.slice(from, from + pageSize).map((one) => {
    const aliveMs = one.ephemeral ? reads.registry.aliveMs(view.key, instanceKey(one)) : undefined;
    return { ...one, lastBeatMs: Math.round(nowMs - (aliveMs === undefined ? 0 : atMs - aliveMs)), marked: false };
  });
  return encodeCatalogInstances(service.name, page, all.length);
}

/** In order of their grouped names. */
function services(reads: Reads, form: Call['form']): string {
  const request = decodeCatalogServices(form);
  const { namespaceId, page, pageSize, withInstances } = request;
  const { registry } = reads;
  const found: ServiceView[] = [];
  for (const name of registry.serviceNames(namespaceId)) {
    const view = registry.view(serviceKey({ namespaceId, name }));
    if (view !== undefined && isFound(view, request)) found.push(view);
  }
  found.sort((a, b) => (a.id.name < b.id.name ? -1 : 1));
  // Who asks for more than there is gets all, whatever the page.
  const from = pageSize >= found.length ? 0 : page * pageSize;
  const shown = found.slice(from, from + pageSize).map(catalogOf);
  return withInstances ? encodeCatalogWithInstances(upToBound(shown)) : encodeCatalogServices(shown, found.length);
}

/** Where instances are shown, nothing is left out for having none or another one, as in the reference. */
function isFound(view: ServiceView, request: CatalogServicesRequest): boolean {
  const { namePart, groupPart, instance, hasInstances, withInstances } = request;
  const { group, service } = splitGroupedName(view.id.name);
  if (!service.includes(namePart) || !group.includes(groupPart)) return false;
  if (withInstances) return true;
  if (hasInstances && view.instances.length === 0) return false;
  return instance === '' || view.instances.some(({ ip, port }) => ip === instance || `${ip}:${port}` === instance);
}

function catalogOf(view: ServiceView): CatalogService {
  const byCluster = Map.groupBy(view.instances, ({ cluster }) => cluster);
  const clusters = clustersOf(view).map((settings) => ({ settings, instances: byCluster.get(settings.name) ?? [] }));
  return { name: view.id.name, settings: view.settings, clusters };
}

function upToBound(all: readonly CatalogService[]): readonly CatalogService[] {
  let hosts = 0;
  const end = all.findIndex(({ clusters }, index) => {
    hosts += clusters.reduce((sum, one) => sum + one.instances.length, 0);
    return hosts > CATALOG_HOSTS_MAX && index > 0;
  });
  return end < 0 ? all : all.slice(0, end);
}
