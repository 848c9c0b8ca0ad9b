import { json, jsonBytes, text } from '@nacos-kube/core/http/answers.ts';
import type { Call, Policy, Route } from '@nacos-kube/core/http/route.ts';
import { type ServiceKey, serviceKey, splitGroupedName } from '@nacos-kube/core/model/names.ts';
import { serviceChecksum } from '@nacos-kube/core/wire/naming-checksum.ts';
import { decodeClusterRequest } from '@nacos-kube/core/wire/naming-cluster.ts';
import { checksumServiceMissing, serviceIsMissing } from '@nacos-kube/core/wire/naming-errors.ts';
import { decodeService } from '@nacos-kube/core/wire/naming-names.ts';
import type { ListSelector } from '@nacos-kube/core/wire/naming-selector.ts';
import {
  decodeServiceCreation,
  decodeServiceList,
  decodeServiceName,
  decodeServiceNames,
  decodeServiceUpdate,
  encodeService,
  encodeServiceList,
  encodeServiceNames,
  SERVICE_PAGE_MAX,
} from '@nacos-kube/core/wire/naming-service.ts';
import {
  decodeSubscribers,
  encodeSubscribers,
  type Subscriber,
  type SubscribersRequest,
} from '@nacos-kube/core/wire/naming-subscribers.ts';
import { clustersOf } from './list.ts';
import type { Reads } from './reads.ts';
import type { NamingService } from './service.ts';
import { ServiceEdits } from './service-edits.ts';
import type { ServiceView } from './service-entry.ts';

const READ: Policy = { kind: 'read', area: 'naming' };
const WRITE: Policy = { kind: 'write', area: 'naming' };
const OK = text('ok');

export interface ServiceRoutesOptions {
  readonly naming: NamingService;
  readonly reads: Reads;
  readonly isOwn: (service: ServiceKey) => boolean;
  /** All that match, those of other members too if it asks for them. */
  readonly subscribers: (request: SubscribersRequest) => Promise<readonly Subscriber[]>;
}

/** Services as things of their own (spec/naming.md 1.2), and their clusters. */
export function serviceRoutes({ naming, reads, isOwn, subscribers }: ServiceRoutesOptions): Route[] {
  const edits = new ServiceEdits(naming);
  const write = (method: Route['method'], path: string, run: (form: Call['form']) => Promise<void>): Route => ({
    ...{ method, path, policy: WRITE },
    async handler({ form }) {
      await run(form);
      return OK;
    },
  });
  const read = (path: string, answer: (form: Call['form']) => string): Route => ({
    ...{ method: 'GET', path, policy: READ, handler: ({ form }) => jsonBytes(answer(form)) },
  });
  return [
    write('POST', '/v1/ns/service', (form) => edits.create(decodeServiceCreation(form))),
    write('PUT', '/v1/ns/service', (form) => edits.update(decodeServiceUpdate(form))),
    write('DELETE', '/v1/ns/service', (form) => edits.remove(decodeServiceName(form))),
    write('PUT', '/v1/ns/cluster', (form) => edits.setCluster(decodeClusterRequest(form))),
    read('/v1/ns/service', (form) => oneService(reads, form)),
    read('/v1/ns/service/list', (form) => listServices(reads, form)),
    read('/v1/ns/service/names', (form) => namesOfServices(reads, isOwn, form)),
    {
      method: 'GET',
      path: '/v1/ns/service/subscribers',
      policy: READ,
      async handler({ form }) {
        const request = decodeSubscribers(form);
        const all = await subscribers(request);
        const from = (request.pageNo - 1) * request.pageSize;
        return jsonBytes(encodeSubscribers(all.slice(from, from + request.pageSize), all.length));
      },
    },
    {
      method: 'PUT',
      path: '/v1/ns/service/checksum',
      policy: READ,
      handler: ({ form }) => json(checksum(reads, form)),
    },
  ];
}

function oneService(reads: Reads, form: Call['form']): string {
  const service = decodeServiceName(form);
  const view = reads.view(service);
  if (view === undefined) throw serviceIsMissing(service.name);
  return encodeService({ service, ...view.settings }, clustersOf(view));
}

/** Names by code unit, without their group unless all groups were asked for. */
function listServices(reads: Reads, form: Call['form']): string {
  const { namespaceId, group, pageNo, pageSize, selector } = decodeServiceList(form);
  const { registry } = reads;
  const names: string[] = [];
  for (const name of registry.serviceNames(namespaceId)) {
    const parts = splitGroupedName(name);
    if (group !== undefined && parts.group !== group) continue;
    if (selector === undefined || isSelected(registry.view(serviceKey({ namespaceId, name })), selector)) {
      names.push(group === undefined ? name : parts.service);
    }
  }
  names.sort();
  const from = (pageNo - 1) * pageSize;
  return encodeServiceList(names.slice(from, from + pageSize), names.length);
}

function isSelected(view: ServiceView | undefined, { of, key, value }: ListSelector): boolean {
  if (of === 'service') return view?.settings.metadata.get(key) === value;
  return view?.instances.some(({ metadata }) => metadata.get(key) === value) === true;
}

/** Bare names of all namespaces, or of one; a name that stands in two groups once. */
function namesOfServices(reads: Reads, isOwn: (service: ServiceKey) => boolean, form: Call['form']): string {
  const { namespaceId, part, responsibleOnly } = decodeServiceNames(form);
  const { registry } = reads;
  const names = new Map<string, Set<string>>();
  let count = 0;
  for (const one of namespaceId === undefined ? registry.namespaces() : [namespaceId]) {
    const some = new Set<string>();
    names.set(one, some);
    for (const name of registry.serviceNames(one)) {
      if (!name.includes(part)) continue;
      if (responsibleOnly && !isOwn(serviceKey({ namespaceId: one, name }))) continue;
      some.add(splitGroupedName(name).service);
      if (++count >= SERVICE_PAGE_MAX) break;
    }
  }
  return encodeServiceNames(new Map([...names].map(([one, some]) => [one, [...some].sort()])));
}

function checksum(reads: Reads, form: Call['form']): { readonly checksum: string } {
  const service = decodeService(form);
  const view = reads.view(service);
  if (view === undefined) throw checksumServiceMissing(service.name);
  const { protectThreshold } = view.settings;
  const clusters = clustersOf(view);
  return { checksum: serviceChecksum({ name: service.name, protectThreshold, clusters, instances: view.instances }) };
}
