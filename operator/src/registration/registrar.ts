import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Mirror } from '../kube/mirror.ts';
import type { KubeObject, ObjectKey, Pod } from '../kube/objects.ts';
import { isPodReady, isTerminating, objectKey } from '../kube/objects.ts';
import { WorkQueue } from '../kube/queue.ts';
import { NACOS_CLUSTERS, PODS } from '../kube/resource-types.ts';
import { COMPONENT_NODE, INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../resources/names.ts';
import { RegistryCalls } from './calls.ts';
import { judgeListed, Ledger } from './ledger.ts';
import type { Registration, Wish } from './wish.ts';
import { identityOf, wishOf } from './wish.ts';

export interface RegistrarOptions {
  readonly kubeNamespaces: readonly string[];
  readonly onTurn?: (turn: { readonly failed: boolean; readonly durationMs: number }) => void;
}

/** Registries are compared with the pods so often, in case one lost or kept what it should not. */
export const SWEEP_EVERY_MS = 10 * 60_000;
const RETRY_MAX_MS = 60_000;

/**
 * Keeps annotated pods in the registries. Two kinds of keys go through one queue: `pod:ns/name` brings the registry to
 * the wish of one pod; `sweep:ns/name` compares a cluster's registry with all pods. Nothing is removed or registered in
 * a cluster before its first sweep, and no sweep begins before every pod has been listed: what a restarted operator does
 * not know yet is kept (never reap on a partial view).
 */
export class Registrar {
  readonly #host: Host;
  readonly #mirror: Mirror;
  readonly #events: EventRecorder;
  readonly #options: RegistrarOptions;
  readonly #log: Log;
  readonly #queue: WorkQueue;
  readonly #ledger = new Ledger();
  /** UIDs of the clusters that were swept since we began, by key. */
  readonly #swept = new Map<ObjectKey, string>();
  #isStarted = false;

  constructor(host: Host, mirror: Mirror, events: EventRecorder, options: RegistrarOptions) {
    this.#host = host;
    this.#mirror = mirror;
    this.#events = events;
    this.#options = options;
    this.#log = host.log.area('registration');
    this.#queue = new WorkQueue(host, {
      name: 'registration',
      maxRetryMs: RETRY_MAX_MS,
      work: (key) => (key.startsWith('pod:') ? this.#bringPod(key.slice(4)) : this.#sweep(key.slice(6))),
      ...(options.onTurn ? { onTurn: options.onTurn } : {}),
    });
  }

  /** Call when everything is mirrored. */
  start(): void {
    this.#isStarted = true;
    for (const cluster of this.#mirror.values<NacosCluster>(NACOS_CLUSTERS)) this.onCluster(undefined, cluster);
    for (const pod of this.#mirror.values<Pod>(PODS)) this.onPod(undefined, pod);
  }

  async stop(): Promise<void> {
    await this.#queue.stop();
  }

  get depth(): number {
    return this.#queue.depth;
  }

  /** Instances that stand for pods, as far as we know. */
  get standing(): number {
    return this.#ledger.size;
  }

  onPod(before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (!this.#isStarted) return;
    const key = objectKey((after ?? before)?.metadata as KubeObject['metadata']);
    const isAnnotated = [before, after].some((pod) => pod?.metadata.annotations !== undefined);
    if (isAnnotated || this.#ledger.has(key)) this.#queue.add(`pod:${key}`);
    const clusterKey = after && memberOf(after as Pod);
    if (clusterKey !== undefined && !this.#swept.has(clusterKey)) this.#queue.add(`sweep:${clusterKey}`);
  }

  onCluster(before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (!this.#isStarted) return;
    const key = objectKey((after ?? before)?.metadata as KubeObject['metadata']);
    if (after === undefined) {
      this.#swept.delete(key);
      this.#ledger.forgetCluster(key);
    } else if (before?.metadata.uid !== after.metadata.uid) {
      this.#swept.delete(key);
      this.#ledger.forgetCluster(key); // another of the same name
      this.#queue.add(`sweep:${key}`);
    }
  }

  async #bringPod(podKey: ObjectKey): Promise<undefined> {
    const pod = this.#mirror.get<Pod>(PODS, podKey);
    const wish: Wish = pod ? wishOf(pod, this.#clusters()) : { kind: 'none' };
    if (pod && wish.kind === 'refused') {
      this.#events.tell(pod, { type: 'Warning', reason: 'RegistrationRefused', action: 'Register', note: wish.why });
    }
    for (const { kind, registration } of this.#ledger.steps(podKey, wish)) {
      const { clusterKey, service, ip, port } = registration;
      if (!this.#swept.has(clusterKey)) {
        this.#queue.add(`sweep:${clusterKey}`); // which brings this pod back
        return undefined;
      }
      if (kind === 'register') {
        await this.#calls(clusterKey).register(registration);
        this.#ledger.stands(podKey, registration);
      } else {
        await this.#calls(clusterKey).deregister(registration);
        this.#ledger.gone(registration);
      }
      this.#log.info(`${kind}ed ${service} ${ip}:${port}`, { pod: podKey });
    }
    return undefined;
  }

  /** The first of a cluster looks at all services, later ones at those that pods are or were in. */
  async #sweep(clusterKey: ObjectKey): Promise<{ readonly recheckMs: number } | undefined> {
    const cluster = this.#mirror.get<NacosCluster>(NACOS_CLUSTERS, clusterKey);
    // Nobody to ask; the first member that becomes ready brings it back.
    if (!cluster || this.#readyMembers(clusterKey).length === 0) return undefined;
    const calls = this.#calls(clusterKey);
    const owner = { key: clusterKey, uid: cluster.metadata.uid ?? '' };
    const standing = this.#ledger.of(clusterKey);
    const ours = groupServices([...standing, ...this.#wanted(clusterKey).map(([, registration]) => registration)]);
    const services = this.#swept.get(clusterKey) === owner.uid ? ours : await allServices(calls, ours);

    const seen = new Set<string>();
    for (const [namespaceId, names] of services) {
      for (const service of names) {
        for (const instance of await calls.instances(namespaceId, service)) {
          const verdict = judgeListed(
            { namespaceId, service, instance },
            owner,
            (kubeNamespace) => this.#isWatched(kubeNamespace),
            (podKey) => this.#wishOfPod(podKey),
          );
          if (verdict.kind === 'foreign') continue;
          seen.add(identityOf(verdict.registration));
          if (verdict.kind === 'keep') {
            this.#ledger.stands(verdict.podKey, verdict.registration);
          } else if (!this.#ledger.isStanding(verdict.registration)) {
            await calls.deregister(verdict.registration);
            this.#log.info(`removed a leftover of ${service} ${instance.ip}:${instance.port}`);
          }
        }
      }
    }
    // What the registry lost is registered again.
    for (const registration of standing) if (!seen.has(identityOf(registration))) this.#ledger.gone(registration);
    this.#swept.set(clusterKey, owner.uid);
    for (const [podKey] of this.#wanted(clusterKey)) this.#queue.add(`pod:${podKey}`);
    return { recheckMs: SWEEP_EVERY_MS };
  }

  /** All pods that want to stand in the registry of a cluster. */
  #wanted(clusterKey: ObjectKey): readonly (readonly [ObjectKey, Registration])[] {
    const clusters = this.#clusters();
    return [...this.#mirror.values<Pod>(PODS)].flatMap((pod) => {
      const wish = wishOf(pod, clusters);
      const isHere = wish.kind === 'wanted' && wish.registration.clusterKey === clusterKey;
      return isHere ? [[objectKey(pod.metadata), wish.registration] as const] : [];
    });
  }

  #wishOfPod(podKey: ObjectKey): { readonly uid: string; readonly wish: Wish } | undefined {
    const pod = this.#mirror.get<Pod>(PODS, podKey);
    return pod && { uid: pod.metadata.uid ?? '', wish: wishOf(pod, this.#clusters()) };
  }

  #isWatched(kubeNamespace: string): boolean {
    const { kubeNamespaces } = this.#options;
    return kubeNamespaces.length === 0 || kubeNamespaces.includes(kubeNamespace);
  }

  #clusters(): readonly NacosCluster[] {
    return [...this.#mirror.values<NacosCluster>(NACOS_CLUSTERS)].filter((cluster) => !isTerminating(cluster));
  }

  #calls(clusterKey: ObjectKey): RegistryCalls {
    return new RegistryCalls(this.#host, () => this.#readyMembers(clusterKey));
  }

  #readyMembers(clusterKey: ObjectKey): readonly string[] {
    return [...this.#mirror.values<Pod>(PODS)].flatMap((pod) =>
      memberOf(pod) === clusterKey ? [pod.status?.podIP as string] : [],
    );
  }
}

/** The cluster that a pod is a ready member of. */
function memberOf(pod: Pod): ObjectKey | undefined {
  const { labels = {}, namespace } = pod.metadata;
  const isMember = labels['app.kubernetes.io/component'] === COMPONENT_NODE && labels[MANAGED_BY_LABEL] === MANAGED_BY;
  const canAnswer = isPodReady(pod) && !isTerminating(pod) && pod.status?.podIP !== undefined;
  return isMember && canAnswer ? `${namespace}/${labels[INSTANCE_LABEL]}` : undefined;
}

type Services = ReadonlyMap<string, ReadonlySet<string>>;

/** Services by namespace. */
function groupServices(registrations: readonly Registration[]): Services {
  const services = new Map<string, Set<string>>();
  for (const { namespaceId, service } of registrations) {
    services.set(namespaceId, (services.get(namespaceId) ?? new Set()).add(service));
  }
  return services;
}

/** Those of the namespaces that the console knows and that pods name: one need not be made to be used. */
async function allServices(calls: RegistryCalls, ours: Services): Promise<Services> {
  const services = new Map<string, Set<string>>();
  for (const namespaceId of new Set([...(await calls.namespaceIds()), ...ours.keys()])) {
    services.set(namespaceId, new Set(await calls.services(namespaceId)));
  }
  return services;
}
