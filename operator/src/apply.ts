import { createHash } from 'node:crypto';
import type { V1Secret } from '@kubernetes/client-node';
import type { Endpoint, Host, Log } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { EtcdError, type EtcdGateway, type EtcdLogin, isNotYetInSync } from './etcd/gateway.ts';
import { etcdLogin } from './etcd-reports.ts';
import type { NacosCluster } from './generated/nacos-cluster.ts';
import type { KubeApi } from './kube/api.ts';
import { KubeError } from './kube/api.ts';
import type { EventRecorder } from './kube/events.ts';
import type { Mirror } from './kube/mirror.ts';
import type { KubeObject } from './kube/objects.ts';
import { objectKey } from './kube/objects.ts';
import type { ResourceType } from './kube/resource-types.ts';
import { CLAIMS, NACOS_CLUSTERS, SECRETS } from './kube/resource-types.ts';
import type { Action, EtcdOrder } from './plan/actions.ts';
import { CLUSTER_KEY_BYTES, clusterKeySecret } from './resources/access.ts';
import { etcdLoginSecret } from './resources/etcd.ts';
import { ETCD_CLIENT_PORT } from './resources/names.ts';

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
  readonly #gateway: EtcdGateway;
  readonly #log: Log;
  /** What was applied last and what came of it: while both still hold there is nothing to do. */
  readonly #applied = new Map<string, { readonly hash: string; readonly resourceVersion: string | undefined }>();

  constructor(host: Host, api: KubeApi, mirror: Mirror, events: EventRecorder, gateway: EtcdGateway) {
    this.#host = host;
    this.#api = api;
    this.#mirror = mirror;
    this.#events = events;
    this.#gateway = gateway;
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
        case 'create-etcd-login':
          await this.#createEtcdLogin(cluster);
          break;
        case 'etcd':
          await this.#orderEtcd(cluster, action);
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
          await this.#writeStatus(cluster, action.status, action.resourceVersion);
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
    await this.#createSecret(cluster, 'cluster key', clusterKeySecret(cluster, this.#freshKey()));
  }

  async #createEtcdLogin(cluster: NacosCluster): Promise<void> {
    await this.#createSecret(cluster, 'login of etcd', etcdLoginSecret(cluster, this.#freshKey()));
  }

  #freshKey(): string {
    return Buffer.from(this.#host.random.bytes(CLUSTER_KEY_BYTES)).toString('base64url');
  }

  async #createSecret(cluster: NacosCluster, what: string, secret: V1Secret): Promise<void> {
    try {
      await this.#api.create(SECRETS, secret as unknown as KubeObject);
      this.#log.info(`made the ${what} of ${objectKey(cluster.metadata)}`);
    } catch (error) {
      if (error instanceof KubeError && error.reason === 'AlreadyExists') return;
      throw error;
    }
  }

  async #writeStatus(cluster: NacosCluster, status: object, resourceVersion: string | undefined): Promise<void> {
    const { name, namespace } = cluster.metadata;
    const metadata = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const object = { apiVersion: cluster.apiVersion, kind: cluster.kind, metadata, status } as KubeObject;
    await this.#api.apply(NACOS_CLUSTERS, object, { fieldManager: STATUS_FIELD_MANAGER, subresource: 'status' });
  }

  /** What etcd refuses now it is asked again at the next look: it keeps its own quorum and knows why. */
  async #orderEtcd(cluster: NacosCluster, { address, order, note }: Action & { kind: 'etcd' }): Promise<void> {
    const login = await etcdLogin(this.#api, cluster);
    if (login === undefined) return;
    try {
      await this.#carryOut({ address, port: ETCD_CLIENT_PORT }, login, order);
      this.#log.info(`etcd of ${objectKey(cluster.metadata)}: ${note}`);
      this.#events.tell(cluster, { type: 'Normal', reason: 'StoreMaintained', action: 'Reconcile', note });
    } catch (error) {
      if (!(error instanceof EtcdError || error instanceof NetworkError)) throw error;
      if (isNotYetInSync(error)) return;
      const refused = `${note}: ${error.message}`;
      this.#events.tell(cluster, { type: 'Warning', reason: 'StoreRefused', action: 'Reconcile', note: refused });
    }
  }

  async #carryOut(at: Endpoint, login: EtcdLogin, order: EtcdOrder): Promise<void> {
    switch (order.do) {
      case 'guard':
        return await this.#gateway.guard(at, login);
      case 'move-leader':
        return await this.#gateway.moveLeader(at, login, order.to);
      case 'remove-member':
        return await this.#gateway.removeMember(at, login, order.id);
      case 'promote':
        return await this.#gateway.promoteMember(at, login, order.id);
      case 'defragment':
        return await this.#gateway.defragment(at, login);
      case 'disarm':
        return await this.#gateway.disarm(at, login, order.alarm);
    }
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
