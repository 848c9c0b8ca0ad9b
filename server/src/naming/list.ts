import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { jsonBytes } from '@nacos-kube/core/http/answers.ts';
import type { Instance } from '@nacos-kube/core/model/instance.ts';
import { type ClusterSettings, newCluster } from '@nacos-kube/core/model/service.ts';
import type { Agent } from '@nacos-kube/core/wire/naming-agent.ts';
import { serviceChecksum } from '@nacos-kube/core/wire/naming-checksum.ts';
import {
  encodeHost,
  encodeListParts,
  endOfList,
  type ListMoment,
  type ListParts,
  nameShownTo,
} from '@nacos-kube/core/wire/naming-list.ts';
import type { Selection } from './selection.ts';
import type { ServiceView } from './service-entry.ts';

/** Different questions about one service whose answers are kept until it changes. */
export const KEPT_ANSWERS_MAX = 32;
/** Bytes of lists, of all services, that are kept before all of them are made anew. */
export const KEPT_BYTES_MAX = 128 * 1024 * 1024;

/** The bench shows that from about here on bytes cost less than a text. */
const TEXT_CHARS_MAX = 1_024;

export interface ListQuestion {
  readonly clusterNames: readonly string[];
  readonly healthyOnly: boolean;
  readonly agent: Pick<Agent, 'isJavaSinceOne'>;
  /** What the selector of the service leaves of the instances for who asks; such an answer is not kept. */
  readonly select?: Selection | undefined;
}

/** The hosts are sent as the bytes that are kept; what differs from one call to the next follows them. */
export function answerList(view: ServiceView, question: ListQuestion, moment: ListMoment): HttpResponse {
  const { head, text, ends } = keptList(view, question);
  if (text !== undefined) return jsonBytes(text + endOfList(ends, moment));
  return { ...jsonBytes(head), tail: endOfList(ends, moment) };
}

/** The same as one text. */
export function listText(view: ServiceView, question: ListQuestion, moment: ListMoment): string {
  const list = keptList(view, question);
  return list.head.toString() + endOfList(list.ends, moment);
}

/** An answer to a list question, less what differs from one call to the next. */
interface KeptList {
  readonly head: Buffer;
  /** The head of a short one: sending it in one piece costs less than sending two. */
  readonly text: string | undefined;
  readonly ends: Omit<ListParts, 'head'>;
}

interface KeptLists {
  /** Those that name no clusters, by the rest of the question. */
  readonly all: (KeptList | undefined)[];
  readonly ofClusters: Map<string, KeptList>;
}

/** A view never changes, so what is made of it holds as long as the view does. */
let kept = new WeakMap<ServiceView, KeptLists>();
let keptBytes = 0;

function keptList(view: ServiceView, question: ListQuestion): KeptList {
  if (question.select !== undefined) return buildList(view, question);
  let lists = kept.get(view);
  if (lists === undefined) {
    lists = { all: [undefined, undefined, undefined, undefined], ofClusters: new Map() };
    kept.set(view, lists);
  }
  const { agent, healthyOnly, clusterNames } = question;
  const form = (agent.isJavaSinceOne ? 2 : 0) + (healthyOnly ? 1 : 0);
  const key = clusterNames.length === 0 ? '' : `${form} ${clusterNames.join(',')}`;
  const known = key === '' ? lists.all[form] : lists.ofClusters.get(key);
  if (known !== undefined) return known;
  const list = buildList(view, question);
  if (key === '') lists.all[form] = list;
  else if (lists.ofClusters.size < KEPT_ANSWERS_MAX) lists.ofClusters.set(key, list);
  keptBytes += list.head.length;
  if (keptBytes > KEPT_BYTES_MAX) {
    kept = new WeakMap();
    keptBytes = 0;
  }
  return list;
}

function buildList(view: ServiceView, question: ListQuestion): KeptList {
  const { head, ...ends } = buildListParts(view, question);
  return { head: Buffer.from(head), text: head.length <= TEXT_CHARS_MAX ? head : undefined, ends };
}

export function buildListParts(view: ServiceView, question: ListQuestion): ListParts {
  const { agent, clusterNames, healthyOnly, select } = question;
  const { name } = view.id;
  const shownName = nameShownTo(agent as Agent, name);
  const { protectThreshold, metadata } = view.settings;
  const shown = shownInstances(view.instances, clusterNames, healthyOnly, protectThreshold, select);
  return encodeListParts({
    hosts: shown.map(({ instance, healthy }) => encodeHost(instance, shownName, healthy)),
    name,
    shownName,
    checksum: serviceChecksum({
      name,
      protectThreshold,
      clusters: clustersOf(view),
      instances: view.instances,
    }),
    metadata,
  });
}

/** Those that were set and those that instances brought into being, in this order. */
export function clustersOf({ settings, instances }: ServiceView): ClusterSettings[] {
  const clusters = new Map(settings.clusters);
  for (const { cluster } of instances) if (!clusters.has(cluster)) clusters.set(cluster, newCluster(cluster));
  return [...clusters.values()];
}

/** Those of the clusters, and of them those that the selector leaves. */
export function askedInstances(
  instances: readonly Instance[],
  clusterNames: readonly string[],
  select: Selection = (asked) => asked,
): readonly Instance[] {
  return select(
    clusterNames.length === 0 ? instances : instances.filter((instance) => clusterNames.includes(instance.cluster)),
  );
}

/** Which instances a list shows, and as how healthy (spec/naming.md 2, steps 4 to 9). Unhealthy ones come first. */
export function shownInstances(
  instances: readonly Instance[],
  clusterNames: readonly string[],
  healthyOnly: boolean,
  protectThreshold: number,
  select?: Selection | undefined,
): { readonly instance: Instance; readonly healthy: boolean }[] {
  const asked = askedInstances(instances, clusterNames, select);
  const healthyCount = asked.reduce((count, instance) => count + (instance.healthy ? 1 : 0), 0);
  const isProtected = Math.fround(healthyCount / asked.length) <= Math.fround(protectThreshold);
  return asked
    .map((instance) => ({ instance, healthy: instance.healthy || isProtected }))
    .filter(({ instance, healthy }) => instance.enabled && (healthy || !healthyOnly))
    .sort((a, b) => Number(a.healthy) - Number(b.healthy));
}
