/** The product on a Kubernetes as its users put it there: the chart by Helm, then NacosClusters by kubectl. */
import { join } from 'node:path';
import { type Cluster, type OpenOptions, openCluster, until } from '../cluster.ts';
import { ETCD_IMAGE } from '../etcd-image.ts';
import { CHECKOUT } from '../product-image.ts';

export const CHART = join(CHECKOUT, 'charts/nacos-kube');
export const CLUSTER_CHART = join(CHECKOUT, 'charts/nacos-cluster');
export const EXAMPLES = join(CHECKOUT, 'examples/kubernetes');
export const CRD = 'nacosclusters.nacos-kube.dev';
export const OPERATOR_NAMESPACE = 'nacos-kube-system';
const RELEASE = 'operator';
const HELM_TIMEOUT_MS = 130_000;
const GONE_TIMEOUT_MS = 90_000;

/** Kinds that come and go by themselves, or that Kubernetes puts into each namespace. */
const PASSING = /^(event|endpointslice|endpoints|lease)[./]|^configmap\/kube-root-ca\.crt$|^serviceaccount\/default$/;

export class Installation {
  readonly cluster: Cluster;
  /** Of the suite's own NacosClusters and of what it needs beside them. */
  readonly namespace: string;
  readonly image: string;
  readonly pullPolicy: string;
  readonly #clusterWideBefore: ReadonlySet<string>;

  private constructor(cluster: Cluster, namespace: string, image: string, pullPolicy: string, before: Set<string>) {
    this.cluster = cluster;
    this.namespace = namespace;
    this.image = image;
    this.pullPolicy = pullPolicy;
    this.#clusterWideBefore = before;
  }

  /** A cluster with the product's image and the operator in it, and an empty namespace for the suite. */
  static async open(namespace: string, options: OpenOptions = {}): Promise<Installation> {
    const cluster = await openCluster(options);
    try {
      const { image, pullPolicy } = await cluster.productImage();
      // What an earlier run left on a cluster that is used again.
      await cluster.kubectl(['delete', 'namespace', namespace, '--ignore-not-found'], { timeoutMs: GONE_TIMEOUT_MS });
      for (const name of [namespace, OPERATOR_NAMESPACE]) await makeNamespace(cluster, name);
      const before = await clusterWide(cluster);
      const installation = new Installation(cluster, namespace, image, pullPolicy, before);
      await installation.#install();
      return installation;
    } catch (error) {
      console.error(await cluster.describe().catch(() => 'the cluster can not be described'));
      await cluster.stop();
      throw error;
    }
  }

  async #install(): Promise<void> {
    const colon = this.image.lastIndexOf(':');
    const values = {
      'image.repository': this.image.slice(0, colon),
      'image.tag': this.image.slice(colon + 1),
      'image.pullPolicy': this.pullPolicy,
      // On a given cluster upstream's is pulled.
      ...(this.cluster.kind === 'own' ? { 'etcd.image': ETCD_IMAGE } : {}),
    };
    const sets = Object.entries(values).map(([name, value]) => `--set-string=${name}=${value}`);
    await this.helm('upgrade', '--install', RELEASE, CHART, ...sets, '--wait', '--timeout=120s');
  }

  /** `kubectl` in the suite's namespace. */
  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl(['-n', this.namespace, ...args], { timeoutMs: GONE_TIMEOUT_MS });
  }

  helm(...args: string[]): Promise<string> {
    return this.cluster.helm(['-n', OPERATOR_NAMESPACE, ...args], { timeoutMs: HELM_TIMEOUT_MS });
  }

  /** `helm test`. */
  test(): Promise<string> {
    return this.helm('test', RELEASE, '--timeout=100s');
  }

  // biome-ignore lint/suspicious/noExplicitAny: what kubectl answers has no type here.
  get<T = any>(...args: string[]): Promise<T> {
    return this.cluster.get('-n', this.namespace, ...args);
  }

  apply(objects: string | readonly object[]): Promise<string> {
    return this.cluster.apply(objects, ['-n', this.namespace]);
  }

  /** The objects of a file, to be applied with what a suite has to change in them. */
  // biome-ignore lint/suspicious/noExplicitAny: they are of any kind.
  async objectsOf(file: string): Promise<any[]> {
    const text = await this.kubectl('create', '--dry-run=client', '-o', 'json', '-f', file);
    // One JSON text after the other, or a list of all.
    const parts = text.split(/^(?=\{)/m).filter((part) => part.trim() !== '');
    return parts.flatMap((part) => {
      const object = JSON.parse(part);
      return object.kind === 'List' ? object.items : [object];
    });
  }

  /** Waits until a NacosCluster is Ready with so many members. */
  async ready(name: string, replicas: number, timeoutMs = 120_000): Promise<NacosClusterObject> {
    return await until(
      `${name} is Ready with ${replicas} members`,
      async () => {
        const object = await this.get<NacosClusterObject>('nc', name);
        const { status, metadata } = object;
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        const isCurrent = ready?.status === 'True' && status?.observedGeneration === metadata.generation;
        return isCurrent && status?.readyReplicas === replicas && object;
      },
      { timeoutMs, everyMs: 300 },
    ).catch(async (cause) => {
      throw new Error(`${cause.message}\n${await this.cluster.describe()}`, { cause });
    });
  }

  pod(name: string): Promise<PodObject> {
    return this.get<PodObject>('pod', name);
  }

  /** Everything of a namespace as `KIND/NAME`, but what comes and goes by itself. */
  async leftovers(namespace = this.namespace): Promise<string[]> {
    const kinds = await listable(this.cluster, true);
    const text = await this.cluster.kubectl(['-n', namespace, 'get', kinds.join(), '-o', 'name', '--ignore-not-found']);
    return lines(text).filter((name) => !PASSING.test(name));
  }

  /** What is new since before the installation among that which is in no namespace. */
  async clusterWideLeftovers(): Promise<string[]> {
    return [...(await clusterWide(this.cluster))].filter((name) => !this.#clusterWideBefore.has(name));
  }

  async uninstall(): Promise<void> {
    await this.helm('uninstall', RELEASE, '--wait', '--timeout=60s');
  }

  /** Ends the cluster, or on one that is used again what this suite put there. */
  async close(): Promise<void> {
    await this.cluster.kubectl(['delete', 'namespace', this.namespace, '--wait=false']).catch(() => {});
    await this.cluster.stop();
  }
}

export interface NacosClusterObject {
  readonly metadata: { readonly name: string; readonly generation: number; readonly uid: string };
  readonly status?: {
    readonly observedGeneration: number;
    readonly replicas: number;
    readonly readyReplicas: number;
    readonly memberList: { readonly generation: number; readonly hash: string };
    readonly members: readonly { readonly name: string; readonly state: string; readonly listAgrees?: boolean }[];
    readonly storage?: {
      readonly kind: string;
      readonly managed: boolean;
      readonly members?: readonly {
        readonly name: string;
        readonly id?: string;
        readonly state?: string;
        readonly leader?: boolean;
        readonly alarms?: readonly string[];
      }[];
    };
    readonly endpoints: { readonly vip: string };
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount: number;
}

export interface PodObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec?: { readonly containers: readonly { readonly name: string; readonly image: string }[] };
  readonly status: {
    readonly podIP: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Restarts of all containers of a pod. */
export function restartsOf({ status }: PodObject): number {
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  return all.reduce((sum, { restartCount }) => sum + restartCount, 0);
}

export function isReady({ metadata, status }: PodObject): boolean {
  const isTrue = status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
  return isTrue && metadata.deletionTimestamp === undefined;
}

async function makeNamespace(cluster: Cluster, name: string): Promise<void> {
  await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }]);
}

async function clusterWide(cluster: Cluster): Promise<Set<string>> {
  const kinds = (await listable(cluster, false)).filter((kind) => kind !== 'componentstatuses');
  return new Set(lines(await cluster.kubectl(['get', kinds.join(), '-o', 'name'])));
}

/** Kinds of objects that can be listed, in namespaces or in none. */
async function listable(cluster: Cluster, isNamespaced: boolean): Promise<string[]> {
  return lines(await cluster.kubectl(['api-resources', '--verbs=list', `--namespaced=${isNamespaced}`, '-o', 'name']));
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
