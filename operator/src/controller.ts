import type { Host } from '@nacos-kube/core/host/host.ts';
import { Applier } from './apply.ts';
import { EtcdGateway } from './etcd/gateway.ts';
import type { KubeApi } from './kube/api.ts';
import type { EventRecorder } from './kube/events.ts';
import { Mirror } from './kube/mirror.ts';
import type { KubeObject } from './kube/objects.ts';
import { objectKey } from './kube/objects.ts';
import { WorkQueue } from './kube/queue.ts';
import type { ResourceType } from './kube/resource-types.ts';
import {
  CLAIMS,
  CONFIG_MAPS,
  DISRUPTION_BUDGETS,
  NACOS_CLUSTERS,
  NETWORK_POLICIES,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
} from './kube/resource-types.ts';
import { reconcile } from './reconcile.ts';
import { Registrar } from './registration/registrar.ts';
import { INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from './resources/names.ts';
import type { PodDefaults } from './resources/pod.ts';

export interface ControllerSettings {
  /** Empty: all. */
  readonly watchNamespaces: readonly string[];
  readonly registration: boolean;
  readonly podDefaults: PodDefaults;
}

export type OnTurn = (
  queue: 'clusters' | 'registration',
  turn: { readonly failed: boolean; readonly durationMs: number },
) => void;

const CHILDREN = [
  CONFIG_MAPS,
  SERVICES,
  STATEFUL_SETS,
  DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
  SERVICE_ACCOUNTS,
  ROLES,
  ROLE_BINDINGS,
];
const OURS = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;

/** All that a leader does, from its first list to its last write. Made anew for each term. */
export class Controller {
  readonly #mirror: Mirror;
  readonly #queue: WorkQueue;
  readonly #registrar: Registrar | undefined;
  readonly #host: Host;
  #isStopped = false;

  constructor(host: Host, api: KubeApi, events: EventRecorder, settings: ControllerSettings, onTurn: OnTurn) {
    this.#host = host;
    this.#mirror = new Mirror(
      host,
      api,
      settings.watchNamespaces,
      [
        { type: NACOS_CLUSTERS },
        // All pods, for any may ask to be registered.
        { type: PODS },
        { type: CLAIMS, labelSelector: 'app.kubernetes.io/name=nacos' },
        ...CHILDREN.map((type) => ({ type, labelSelector: OURS })),
      ],
      (type, before, after) => this.#onChange(type, before, after),
    );
    const gateway = new EtcdGateway(host);
    const applier = new Applier(host, api, this.#mirror, events, gateway);
    this.#queue = new WorkQueue(host, {
      name: 'clusters',
      work: (key) => reconcile(host, api, this.#mirror, applier, gateway, settings.podDefaults, key),
      onTurn: (turn) => onTurn('clusters', turn),
    });
    this.#registrar = settings.registration
      ? new Registrar(host, this.#mirror, events, {
          kubeNamespaces: settings.watchNamespaces,
          onTurn: (turn) => onTurn('registration', turn),
        })
      : undefined;
  }

  start(): void {
    this.#mirror.start();
    this.#host.background('first look', this.#begin());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#mirror.stop();
    await Promise.all([this.#queue.stop(), this.#registrar?.stop()]);
  }

  get hasSynced(): boolean {
    return this.#mirror.hasSynced;
  }

  get clusters(): number {
    return [...this.#mirror.values(NACOS_CLUSTERS)].length;
  }

  get registered(): number {
    return this.#registrar?.standing ?? 0;
  }

  depth(queue: 'clusters' | 'registration'): number {
    return queue === 'clusters' ? this.#queue.depth : (this.#registrar?.depth ?? 0);
  }

  /** Nothing is decided before everything has been seen once. */
  async #begin(): Promise<void> {
    await this.#mirror.whenSynced();
    if (this.#isStopped) return;
    this.#host.log.info('everything is listed, beginning', { clusters: this.clusters });
    for (const cluster of this.#mirror.values(NACOS_CLUSTERS)) this.#queue.add(objectKey(cluster.metadata));
    this.#registrar?.start();
  }

  #onChange(type: ResourceType, before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (type === PODS) this.#registrar?.onPod(before, after);
    if (type === NACOS_CLUSTERS) this.#registrar?.onCluster(before, after);
    if (!this.#mirror.hasSynced) return;
    const { metadata } = (after ?? before) as KubeObject;
    if (type === NACOS_CLUSTERS) {
      this.#queue.add(objectKey(metadata));
      return;
    }
    const isOurs = type !== PODS || metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
    const instance = metadata.labels?.[INSTANCE_LABEL];
    if (!isOurs || instance === undefined) return;
    const key = metadata.namespace === undefined ? instance : `${metadata.namespace}/${instance}`;
    if (this.#mirror.get(NACOS_CLUSTERS, key)) this.#queue.add(key);
  }
}
