import { integer, optional, strictBoolean } from '../http/parameters.ts';
import type { Form } from '../http/route.ts';
import type { Instance } from '../model/instance.ts';
import { type ServiceId, splitGroupedName } from '../model/names.ts';
import type { ClusterSettings, ServiceSettings } from '../model/service.ts';
import { type DatumInstance, encodeDatumInstance } from './distro14.ts';
import { javaDouble, javaFloat } from './java-numbers.ts';
import { encodeCluster } from './naming-cluster.ts';
import { encodeMetadata } from './naming-metadata.ts';
import {
  ADDRESS_CHARS_MAX,
  checkCluster,
  checkText,
  declared,
  decodeDeclaredService,
  decodeNamespace,
} from './naming-names.ts';
import { encodeSelector } from './naming-selector.ts';

/** The calls of the console, /v1/ns/catalog. */

export const CATALOG_PAGE_MAX = 10_000;
/** Of texts that are searched for. */
export const SEARCH_CHARS_MAX = 256;
const PAGE_NO_MAX = 2 ** 31 - 1;

export interface CatalogInstancesRequest {
  readonly service: ServiceId;
  readonly cluster: string;
  /** From 1. */
  readonly pageNo: number;
  readonly pageSize: number;
}

export interface CatalogServicesRequest {
  readonly namespaceId: string;
  /** From 0. */
  readonly page: number;
  readonly pageSize: number;
  /** Part of the name, part of the group; empty: any. */
  readonly namePart: string;
  readonly groupPart: string;
  /** `ip` or `ip:port` of an instance; empty: any. */
  readonly instance: string;
  readonly hasInstances: boolean;
  readonly withInstances: boolean;
}

export function decodeCatalogInstances(form: Form): CatalogInstancesRequest {
  return {
    service: decodeDeclaredService(form),
    cluster: checkCluster(declared(form, 'clusterName')),
    pageNo: integer(declared(form, 'pageNo'), 'pageNo', 0, PAGE_NO_MAX) || 1,
    pageSize: pageSizeOf(form),
  };
}

/** With instances pages count from 0, without from 1, as in the reference. */
export function decodeCatalogServices(form: Form): CatalogServicesRequest {
  const withInstances = strictBoolean(optional(form, 'withInstances', 'false'));
  const pageNo = integer(declared(form, 'pageNo'), 'pageNo', 0, PAGE_NO_MAX);
  return {
    namespaceId: decodeNamespace(form),
    page: withInstances ? pageNo : Math.max(pageNo - 1, 0),
    pageSize: pageSizeOf(form),
    namePart: checkText(optional(form, 'serviceNameParam', ''), 'serviceNameParam', SEARCH_CHARS_MAX),
    groupPart: checkText(optional(form, 'groupNameParam', ''), 'groupNameParam', SEARCH_CHARS_MAX),
    instance: checkText(optional(form, 'instance', ''), 'instance', ADDRESS_CHARS_MAX),
    hasInstances: strictBoolean(optional(form, 'hasIpCount', 'false')),
    withInstances,
  };
}

/** A cluster and what is in it. */
export interface CatalogCluster {
  readonly settings: ClusterSettings;
  readonly instances: readonly Instance[];
}

export interface CatalogService {
  /** Grouped. */
  readonly name: string;
  readonly settings: Pick<ServiceSettings, 'protectThreshold' | 'metadata' | 'selector'>;
  readonly clusters: readonly CatalogCluster[];
}

export function encodeCatalogService({ name, settings, clusters }: CatalogService): string {
  const { group, service } = splitGroupedName(name);
  const { protectThreshold, selector, metadata } = settings;
  const clusterTexts = clusters.map((one) => encodeCluster(name, one.settings, one.instances.length === 0));
  return (
    `{"service":{"name":${JSON.stringify(service)},"protectThreshold":${javaFloat(protectThreshold)}` +
    `,"groupName":${JSON.stringify(group)},"selector":${encodeSelector(selector)}` +
    `,"metadata":${encodeMetadata(metadata)}},"clusters":[${clusterTexts.join(',')}]}`
  );
}

export function encodeCatalogInstances(name: string, page: readonly DatumInstance[], count: number): string {
  return `{"list":[${page.map((one) => encodeDatumInstance(one, name)).join(',')}],"count":${count}}`;
}

/** Where there is nothing to show the count is 0, whatever there is on other pages. */
export function encodeCatalogServices(page: readonly CatalogService[], count: number): string {
  const services = page.map(({ name, settings, clusters }) => {
    const { group, service } = splitGroupedName(name);
    const instances = clusters.flatMap((one) => one.instances);
    const healthy = instances.filter((one) => one.healthy).length;
    const isTriggered =
      instances.length > 0 && Math.fround(healthy / instances.length) <= Math.fround(settings.protectThreshold);
    return {
      name: service,
      groupName: group,
      clusterCount: clusters.length,
      ipCount: instances.length,
      healthyInstanceCount: healthy,
      triggerFlag: String(isTriggered),
    };
  });
  return JSON.stringify({ serviceList: services, count: services.length === 0 ? 0 : count });
}

export function encodeCatalogWithInstances(page: readonly CatalogService[]): string {
  const services = page.map(({ name, settings, clusters }) => {
    const { group, service } = splitGroupedName(name);
    const clusterTexts = clusters.map(
      (one) => `${JSON.stringify(one.settings.name)}:{"hosts":[${one.instances.map(encodeHost).join(',')}]}`,
    );
    return (
      `{"serviceName":${JSON.stringify(service)},"groupName":${JSON.stringify(group)}` +
      `,"clusterMap":{${clusterTexts.join(',')}},"metadata":${encodeMetadata(settings.metadata)}}`
    );
  });
  return `[${services.join(',')}]`;
}

/** Times in ms that the checks of a cluster take; nobody has checked yet: no best, no worst. */
export interface CheckTimes {
  readonly name: string;
  readonly best: number | undefined;
  readonly worst: number;
  readonly normalized: number;
}

export function encodeCheckTimes(clusters: readonly CheckTimes[]): string {
  const texts = clusters.map(
    ({ name, best, worst, normalized }) =>
      `{"name":${JSON.stringify(name)},"checkRTBest":${best === undefined ? JAVA_LONG_MAX : Math.round(best)}` +
      `,"checkRTWorst":${Math.round(worst)},"checkRTNormalized":${Math.round(normalized)}}`,
  );
  return `{"clusters":[${texts.join(',')}]}`;
}

const JAVA_LONG_MAX = '9223372036854775807';

function encodeHost({ healthy, metadata, port, ip, weight, enabled }: Instance): string {
  return (
    `{"valid":${healthy},"metadata":${encodeMetadata(metadata)},"port":${port},"ip":${JSON.stringify(ip)}` +
    `,"weight":${javaDouble(weight)},"enabled":${enabled}}`
  );
}

/** What is more than the bound is the bound: clients that want all of it ask for very much. */
function pageSizeOf(form: Form): number {
  return Math.min(integer(declared(form, 'pageSize'), 'pageSize', 0, PAGE_NO_MAX), CATALOG_PAGE_MAX);
}
