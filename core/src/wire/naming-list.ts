import { integer, optional, strictBoolean } from '../http/parameters.ts';
import type { Form } from '../http/route.ts';
import type { Instance, Metadata } from '../model/instance.ts';
import { type ServiceId, splitGroupedName } from '../model/names.ts';
import { javaDouble } from './java-numbers.ts';
import type { Agent } from './naming-agent.ts';
import { encodeMetadata } from './naming-metadata.ts';
import { ADDRESS_CHARS_MAX, checkText, decodeService } from './naming-names.ts';

/** Characters of the list of clusters in one question. */
export const CLUSTERS_CHARS_MAX = 4096;

export interface ListRequest {
  readonly service: ServiceId;
  /** As sent: clients find the answer in their caches by it. */
  readonly clusters: string;
  /** The clusters it names; none means all. */
  readonly clusterNames: readonly string[];
  /** Where the client wants to be pushed, or the empty text. */
  readonly clientIp: string;
  /** 0: no pushes wanted. */
  readonly udpPort: number;
  readonly env: string;
  readonly app: string;
  /** Asks for an empty object only. */
  readonly isCheck: boolean;
  readonly healthyOnly: boolean;
}

export function decodeList(form: Form): ListRequest {
  const clusters = checkText(form.get('clusters') ?? '', 'clusters', CLUSTERS_CHARS_MAX);
  return {
    service: decodeService(form),
    clusters,
    clusterNames: clusterNamesOf(clusters),
    clientIp: checkText(optional(form, 'clientIP', ''), 'clientIP', ADDRESS_CHARS_MAX),
    udpPort: integer(optional(form, 'udpPort', '0'), 'udpPort', 0, 65_535),
    env: checkText(form.get('env') ?? '', 'env', ADDRESS_CHARS_MAX),
    app: checkText(optional(form, 'app', ''), 'app', ADDRESS_CHARS_MAX),
    isCheck: strictBoolean(optional(form, 'isCheck', 'false')),
    healthyOnly: strictBoolean(optional(form, 'healthyOnly', 'false')),
  };
}

/** The clusters that a list of them names; none means all. */
export function clusterNamesOf(clusters: string): readonly string[] {
  if (clusters === '') return NO_CLUSTERS;
  return clusters
    .trim()
    .split(',')
    .filter((name) => name !== '');
}

const NO_CLUSTERS: readonly string[] = [];

/** What an answer and its hosts call the service, which depends on who asks; `name` in the answer does not. */
export function nameShownTo(agent: Agent, name: string): string {
  return agent.isJavaSinceOne ? name : splitGroupedName(name).service;
}

/** One element of `hosts`. It changes with the instance only, so whoever answers lists may keep it. */
export function encodeHost(instance: Instance, shownName: string, shownHealthy: boolean): string {
  const { ip, port, cluster, weight, enabled, ephemeral, instanceId, metadata } = instance;
  return (
    `{"ip":${JSON.stringify(ip)},"port":${port},"valid":${shownHealthy},"healthy":${shownHealthy},"marked":false` +
    `,"instanceId":${JSON.stringify(instanceId)},"metadata":${encodeMetadata(metadata)},"enabled":${enabled}` +
    `,"weight":${javaDouble(weight)},"clusterName":${JSON.stringify(cluster)}` +
    `,"serviceName":${JSON.stringify(shownName)},"ephemeral":${ephemeral}}`
  );
}

/** The answer to a list, less what differs from one question to the next. */
export interface ListParts {
  readonly head: string;
  readonly middle: string;
  readonly tail: string;
}

/** Unhealthy hosts come first; a service without hosts to show has none. */
export function encodeListParts(list: {
  readonly hosts: readonly string[];
  readonly name: string;
  readonly shownName: string;
  readonly checksum: string;
  readonly metadata: Metadata;
}): ListParts {
  const { hosts, name, shownName, checksum, metadata } = list;
  return {
    head: `{"hosts":[${hosts.join(',')}],"dom":${quoted(shownName)},"name":${quoted(name)},"cacheMillis":`,
    middle: `,"checksum":"${checksum}","useSpecifiedURL":false,"clusters":`,
    tail: `,"metadata":${encodeMetadata(metadata)}}`,
  };
}

export interface ListMoment {
  readonly cacheMs: number;
  /** Wall clock. */
  readonly nowMs: number;
  readonly clusters: string;
  readonly env: string;
}

export function joinList(parts: ListParts, moment: ListMoment): string {
  return parts.head + endOfList(parts, moment);
}

/** What follows the head. */
export function endOfList(parts: Omit<ListParts, 'head'>, { cacheMs, nowMs, clusters, env }: ListMoment): string {
  const { middle, tail } = parts;
  return `${cacheMs},"lastRefTime":${nowMs}${middle}${quoted(clusters)},"env":${quoted(env)}${tail}`;
}

/** Of a service that does not exist. */
export function encodeShortList(name: string, clusters: string, cacheMs: number): string {
  return `{"name":${quoted(name)},"clusters":${quoted(clusters)},"cacheMillis":${cacheMs},"hosts":[]}`;
}

function quoted(text: string): string {
  return text === '' ? '""' : JSON.stringify(text);
}
