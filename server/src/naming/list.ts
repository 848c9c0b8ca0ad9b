import type { Instance } from '@nacos-kube/core/model/instance.ts';
import { type ClusterSettings, newCluster } from '@nacos-kube/core/model/service.ts';
import type { Agent } from '@nacos-kube/core/wire/naming-agent.ts';
import { serviceChecksum } from '@nacos-kube/core/wire/naming-checksum.ts';
import { encodeHost, encodeListParts, type ListParts, nameShownTo } from '@nacos-kube/core/wire/naming-list.ts';
import type { Selection } from './selection.ts';
import type { ServiceView } from './service-entry.ts';

/** Different questions about one service whose answers are kept until it changes. */
export const KEPT_ANSWERS_MAX = 32;

export interface ListQuestion {
  readonly clusterNames: readonly string[];
  readonly healthyOnly: boolean;
  readonly agent: Pick<Agent, 'isJavaSinceOne'>;
  /** What the selector of the service leaves of the instances for who asks; such an answer is not kept. */
  readonly select?: Selection | undefined;
}

/** A view never changes, so an answer made of it holds as long as the view does. */
const kept = new WeakMap<ServiceView, Map<string, ListParts>>();

/** The answer to a list question, less what differs from one call to the next; kept until the service changes. */
export function listParts(view: ServiceView, question: ListQuestion): ListParts {
  if (question.select !== undefined) return buildListParts(view, question);
  const key = `${question.agent.isJavaSinceOne} ${question.healthyOnly} ${question.clusterNames.join(',')}`;
  let answers = kept.get(view);
  if (answers === undefined) {
    answers = new Map();
    kept.set(view, answers);
  }
  const known = answers.get(key);
  if (known !== undefined) return known;
  const parts = buildListParts(view, question);
  if (answers.size < KEPT_ANSWERS_MAX) answers.set(key, parts);
  return parts;
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

/** Which instances a list shows, and as how healthy (spec/naming.md 2, steps 4 to 9). Unhealthy ones come first. */
export function shownInstances(
  instances: readonly Instance[],
  clusterNames: readonly string[],
  healthyOnly: boolean,
  protectThreshold: number,
  select: Selection = (asked) => asked,
): { readonly instance: Instance; readonly healthy: boolean }[] {
  const asked = select(
    clusterNames.length === 0 ? instances : instances.filter((instance) => clusterNames.includes(instance.cluster)),
  );
  const healthyCount = asked.reduce((count, instance) => count + (instance.healthy ? 1 : 0), 0);
  const isProtected = Math.fround(healthyCount / asked.length) <= Math.fround(protectThreshold);
  return asked
    .map((instance) => ({ instance, healthy: instance.healthy || isProtected }))
    .filter(({ instance, healthy }) => instance.enabled && (healthy || !healthyOnly))
    .sort((a, b) => Number(a.healthy) - Number(b.healthy));
}
