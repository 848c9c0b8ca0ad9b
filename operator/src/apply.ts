import { createHash } from 'node:crypto';
import type { Host, Log } from '@nacos-kube/core/host/host.ts';
import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { KubeApi } from './kube/api.ts';
import { KubeError } from './kube/api.ts';
import type { EventRecorder } from './kube/events.ts';
import type { Mirror } from './kube/mirror.ts';
import type { KubeObject } from './kube/objects.ts';
import { objectKey } from './kube/objects.ts';
import type { ResourceType } from './kube/resource-types.ts';
import { CLAIMS, NACOS_CLUSTERS, SECRETS } from './kube/resource-types.ts';
import type { Action } from './plan/actions.ts';
import { CLUSTER_KEY_BYTES, clusterKeySecret } from './resources/access.ts';

export const FIELD_MANAGER = 'nacos-operator';
export const STATUS_FIELD_MANAGER = 'nacos-operator-status';
/** Far more children than clusters ever have; beyond it one is applied again without need. */
const REMEMBERED_MAX = 20_000;

/** The one place that writes to Kubernetes on behalf of a plan. */
export class Applier {
  readonly #host: Host;
  readonly #api: KubeApi;
  readonly #mirror: Mirror;
  readonly #events: EventRecorder;
  readonly #log: Log;
  /** What was applied last and what came of it: while both still hold there is nothing to do. */
  readonly #applied = new Map<string, { readonly hash: string; readonly resourceVersion: string | undefined }>();

  constructor(host: Host, api: KubeApi, mirror: Mirror, events: EventRecorder) {
    this.#host = host;
    this.#api = api;
    this.#mirror = mirror;
    this.#events = events;
    this.#log = host.log.area('apply');
  }

  /** Performs the actions in order and stops at the first that fails. Returns when to look again. */
  async perform(cluster: NacosCluster, actions: readonly Action[]): Promise<{ readonly recheckMs?: number }> {
    let recheckMs: number | undefined;
    for (const action of actions) {
      switch (action.kind) {
        case 'apply':
          await this.#apply(cluster, action.type, action.object as KubeObject);
          break;
        case 'create-cluster-key':
          await this.#createClusterKey(cluster);
          break;
        case 'delete': {
          this.#log.info(`deleting ${action.type.plural} ${action.name}: ${action.why}`);
          const ref = { name: action.name, namespace: cluster.metadata.namespace ?? 'default' };
          await this.#api.delete(action.type, ref, action.uid);
          break;
        }
        case 'event':
          this.#events.tell(cluster, {
            type: action.type,
            reason: action.reason,
            action: 'Reconcile',
            note: action.note,
          });
          break;
        case 'status':
          await this.#writeStatus(cluster, action.status);
          break;
        case 'recheck':
          recheckMs = action.afterMs;
          break;
      }
    }
    return recheckMs === undefined ? {} : { recheckMs };
  }

  async #apply(cluster: NacosCluster, type: ResourceType, object: KubeObject): Promise<void> {
    const key = `${type.plural}/${objectKey(object.metadata)}`;
    const hash = createHash('sha256').update(JSON.stringify(object)).digest('hex');
    const is = this.#mirror.get(type, objectKey(object.metadata));
    const last = this.#applied.get(key);
    if (is && last?.hash === hash && last.resourceVersion === is.metadata.resourceVersion) return;
    try {
      const after = await this.#api.apply(type, object, { fieldManager: FIELD_MANAGER });
      const { resourceVersion } = after.metadata;
      const isNews = resourceVersion !== is?.metadata.resourceVersion && resourceVersion !== last?.resourceVersion;
      if (isNews) this.#log.info(`applied ${key}`);
      this.#remember(key, { hash, resourceVersion });
    } catch (error) {
      // Whether a volume can grow is up to its storage class: the cluster goes on with the old size.
      if (type !== CLAIMS || !(error instanceof KubeError) || error.code < 400 || error.code >= 500) throw error;
      const note = `${object.metadata.name} keeps its size: ${error.message}`;
      this.#events.tell(cluster, { type: 'Warning', reason: 'VolumeNotGrown', action: 'Reconcile', note });
    }
  }

  async #createClusterKey(cluster: NacosCluster): Promise<void> {
    const key = Buffer.from(this.#host.random.bytes(CLUSTER_KEY_BYTES)).toString('base64url');
    try {
      await this.#api.create(SECRETS, clusterKeySecret(cluster, key) as unknown as KubeObject);
      this.#log.info(`made the cluster key of ${objectKey(cluster.metadata)}`);
    } catch (error) {
      if (error instanceof KubeError && error.reason === 'AlreadyExists') return;
      throw error;
    }
  }

  async #writeStatus(cluster: NacosCluster, status: object): Promise<void> {
    const { name, namespace } = cluster.metadata;
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    const object = { apiVersion: cluster.apiVersion, kind: cluster.kind, metadata, status } as KubeObject;
    await this.#api.apply(NACOS_CLUSTERS, object, { fieldManager: STATUS_FIELD_MANAGER, subresource: 'status' });
  }

  #remember(key: string, applied: { readonly hash: string; readonly resourceVersion: string | undefined }): void {
    this.#applied.delete(key);
    this.#applied.set(key, applied);
    for (const oldest of this.#applied.keys()) {
      if (this.#applied.size <= REMEMBERED_MAX) break;
      this.#applied.delete(oldest);
    }
  }
}
