import { optional, required, strictBoolean } from '../http/parameters.ts';
import { badRequest } from '../http/protocol-error.ts';
import type { Form } from '../http/route.ts';
import type { Metadata } from '../model/instance.ts';
import { DEFAULT_GROUP, type ServiceId, splitGroupedName } from '../model/names.ts';
import type { ClusterSettings, Selector } from '../model/service.ts';
import { javaFloat } from './java-numbers.ts';
import { encodeHealthChecker } from './naming-cluster.ts';
import { decodeMetadata, encodeMetadata } from './naming-metadata.ts';
import { checkNewService, checkText, decodeDeclaredService, decodeNamespace, decodeService } from './naming-names.ts';
import { decodeListSelector, decodeSelector, encodeSelector, type ListSelector } from './naming-selector.ts';

/** Clients that want all of it ask for 2147483647. */
export const SERVICE_PAGE_MAX = 1_000_000;
export const EXPRESSION_CHARS_MAX = 256;

export interface ServiceListRequest {
  readonly namespaceId: string;
  /** Undefined: of all groups, and names keep theirs. */
  readonly group: string | undefined;
  /** From 1. */
  readonly pageNo: number;
  readonly pageSize: number;
  readonly selector: ListSelector | undefined;
}

/** Sets a service as a whole: what is not said is reset. */
export interface ServiceRequest {
  readonly service: ServiceId;
  /** A float32; when no more than this share is healthy, all are shown as healthy. */
  readonly protectThreshold: number;
  readonly metadata: Metadata;
  readonly selector: Selector;
}

export function decodeServiceList(form: Form): ServiceListRequest {
  const group = checkText(optional(form, 'groupName', DEFAULT_GROUP), 'groupName', 512);
  return {
    namespaceId: decodeNamespace(form),
    group: group === '*' ? undefined : group,
    pageNo: clampedInteger(required(form, 'pageNo'), 1, 2 ** 31 - 1),
    pageSize: clampedInteger(required(form, 'pageSize'), 0, SERVICE_PAGE_MAX),
    selector: decodeListSelector(optional(form, 'selector', '')),
  };
}

export interface ServiceNamesRequest {
  /** Undefined: of all namespaces. */
  readonly namespaceId: string | undefined;
  /** Part of a grouped name; empty: any. */
  readonly part: string;
  /** Only those that the answering member owns. */
  readonly responsibleOnly: boolean;
}

export function decodeServiceNames(form: Form): ServiceNamesRequest {
  return {
    namespaceId: optional(form, 'namespaceId', '') === '' ? undefined : decodeNamespace(form),
    part: checkText(optional(form, 'expr', ''), 'expr', EXPRESSION_CHARS_MAX),
    responsibleOnly: strictBoolean(optional(form, 'responsibleOnly', 'false')),
  };
}

/** Bare names by namespace; the count is that of the namespaces. */
export function encodeServiceNames(names: ReadonlyMap<string, readonly string[]>): string {
  const entries = [...names].map(([namespaceId, some]) => `${JSON.stringify(namespaceId)}:${JSON.stringify(some)}`);
  return `{"services":{${entries.join(',')}},"count":${names.size}}`;
}

/** GET and DELETE of a service. */
export function decodeServiceName(form: Form): ServiceId {
  return decodeDeclaredService(form);
}

export function decodeServiceCreation(form: Form): ServiceRequest {
  const service = decodeDeclaredService(form);
  checkNewService(service);
  const threshold = optional(form, 'protectThreshold', '0');
  const protectThreshold = thresholdOf(threshold);
  if (protectThreshold === undefined) throw badRequest(`For input string: "${threshold}"`);
  return { service, protectThreshold, ...decodeRest(form) };
}

/** Here a threshold that cannot be read is 0. */
export function decodeServiceUpdate(form: Form): ServiceRequest {
  const service = decodeService(form);
  const protectThreshold = thresholdOf(required(form, 'protectThreshold')) ?? 0;
  return { service, protectThreshold, ...decodeRest(form) };
}

/** `names` are those of the page, as they are to be shown. */
export function encodeServiceList(names: readonly string[], count: number): string {
  return `{"doms":${JSON.stringify(names)},"count":${count}}`;
}

/** The answer to GET /service. */
export function encodeService(service: ServiceRequest, clusters: readonly ClusterSettings[]): string {
  const { group, service: name } = splitGroupedName(service.service.name);
  const clusterTexts = clusters.map(
    (cluster) =>
      `{"name":${JSON.stringify(cluster.name)},"healthChecker":${encodeHealthChecker(cluster.healthChecker)}` +
      `,"metadata":${encodeMetadata(cluster.metadata)}}`,
  );
  return (
    `{"name":${JSON.stringify(name)},"namespaceId":${JSON.stringify(service.service.namespaceId)}` +
    `,"protectThreshold":${javaFloat(service.protectThreshold)},"metadata":${encodeMetadata(service.metadata)}` +
    `,"selector":${encodeSelector(service.selector)},"groupName":${JSON.stringify(group)}` +
    `,"clusters":[${clusterTexts.join(',')}]}`
  );
}

function decodeRest(form: Form): Pick<ServiceRequest, 'metadata' | 'selector'> {
  return {
    metadata: decodeMetadata(optional(form, 'metadata', '')),
    selector: decodeSelector(optional(form, 'selector', '')),
  };
}

/** Undefined when it is no number that makes sense as a share. */
function thresholdOf(text: string): number | undefined {
  if (!/^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Math.fround(Number(text));
  return Number.isFinite(value) ? value : undefined;
}

/** What cannot be read counts as 0, as in the reference, then the bounds hold. */
export function clampedInteger(text: string, min: number, max: number): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : 0;
  return Math.min(Math.max(value, min), max);
}
