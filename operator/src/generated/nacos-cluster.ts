// Generated from crds/nacosclusters.yaml by scripts/generate-types.ts. Do not edit.
import type { ObjectMeta } from '../kube/objects.ts';

export const GROUP = 'nacos-kube.dev';
export const VERSION = 'v1alpha1';
export const KIND = 'NacosCluster';
export const PLURAL = 'nacosclusters';

/** A cluster of nacos-kube nodes, with the one address that clients use. */
export interface NacosCluster {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** What the cluster shall be. */
  readonly spec: NacosClusterSpec;
  /** What the operator found. Written by it alone. */
  readonly status?: NacosClusterStatus;
}

/** What the cluster shall be. */
export interface NacosClusterSpec {
  /** Number of members, 1 to 9. More than one needs spec.storage.mysql. */
  readonly replicas: number;
  /** The image of node and sidecar. What is left out is taken from the operator's own settings. */
  readonly image: NacosClusterSpecImage;
  /** Who may call the public port. Must be written out as long as nothing guards it. */
  readonly auth?: NacosClusterSpecAuth;
  /** Where configs, persistent instances, service metadata and namespaces are kept. Name exactly one. Ephemeral instances need none. */
  readonly storage: NacosClusterSpecStorage;
  /** The Service that clients use; it leads to ready members only. */
  readonly vip: NacosClusterSpecVip;
  /** Requests and limits of the container. */
  readonly resources?: NacosClusterSpecResources;
  /** The agent beside each node. */
  readonly sidecar: NacosClusterSpecSidecar;
  /** Settings of the nodes by the names of the environment, e.g. NACOS_KUBE_LOG_LEVEL. `nacos-kube server --help` lists them. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The image of node and sidecar. What is left out is taken from the operator's own settings. */
export interface NacosClusterSpecImage {
  /** Registry and name, without tag. */
  readonly repository?: string;
  /** Tag, or a digest in the form sha256:... */
  readonly tag?: string;
  /** When the kubelet fetches the image. */
  readonly pullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of Secrets with the registry's credentials, in the same namespace. */
  readonly pullSecrets?: readonly string[];
}

/** Who may call the public port. Must be written out as long as nothing guards it. */
export interface NacosClusterSpecAuth {
  /** Must be false until user accounts are built, and must be written out. */
  readonly enabled?: boolean;
}

/** Where configs, persistent instances, service metadata and namespaces are kept. Name exactly one. Ephemeral instances need none. */
export interface NacosClusterSpecStorage {
  /** A database file on the volume of the only member. */
  readonly embedded?: NacosClusterSpecStorageEmbedded;
  /** A MySQL or MariaDB database, with the tables of Nacos 1.4 or none yet. */
  readonly mysql?: NacosClusterSpecStorageMysql;
}

/** A database file on the volume of the only member. */
export interface NacosClusterSpecStorageEmbedded {
  /** Size of each member's volume. May only grow. */
  readonly size: string;
  /** Class of each member's volume; the cluster's default class when left out. Can't be changed. */
  readonly storageClassName?: string;
}

/** A MySQL or MariaDB database, with the tables of Nacos 1.4 or none yet. */
export interface NacosClusterSpecStorageMysql {
  /** Name or IP of the writing endpoint. */
  readonly host: string;
  /** Port of the database. */
  readonly port: number;
  /** Name of the database. */
  readonly database: string;
  /** Name of a Secret in the same namespace with the keys user and password. */
  readonly secretName: string;
  /** The volume of each member for its journal and its copies of the configs, which it goes on serving while the database is down. */
  readonly volume: NacosClusterSpecStorageMysqlVolume;
}

/** The volume of each member for its journal and its copies of the configs, which it goes on serving while the database is down. */
export interface NacosClusterSpecStorageMysqlVolume {
  /** Size of each member's volume. May only grow. */
  readonly size: string;
  /** Class of each member's volume; the cluster's default class when left out. Can't be changed. */
  readonly storageClassName?: string;
}

/** The Service that clients use; it leads to ready members only. */
export interface NacosClusterSpecVip {
  /** Type of the Service. */
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  /** Port of the Service; members listen on 8848 all the same. */
  readonly port: number;
  /** Annotations of the Service, e.g. for the load balancer of a cloud. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Requests and limits of the container. */
export interface NacosClusterSpecResources {
  readonly requests?: Readonly<Record<string, number | string>>;
  readonly limits?: Readonly<Record<string, number | string>>;
}

/** The agent beside each node. */
export interface NacosClusterSpecSidecar {
  /** Requests and limits of the container. */
  readonly resources?: NacosClusterSpecSidecarResources;
  /** How the persistent instances are probed, by TCP, HTTP or, where that is enabled, MYSQL, as their clusters say. */
  readonly probe: NacosClusterSpecSidecarProbe;
}

/** Requests and limits of the container. */
export interface NacosClusterSpecSidecarResources {
  readonly requests?: Readonly<Record<string, number | string>>;
  readonly limits?: Readonly<Record<string, number | string>>;
}

/** How the persistent instances are probed, by TCP, HTTP or, where that is enabled, MYSQL, as their clusters say. */
export interface NacosClusterSpecSidecarProbe {
  /** Longest time between two probes of an instance; what answers fast is tried more often, as the switches of the checks say. */
  readonly intervalSeconds: number;
  /** A connection that takes longer counts as a failure. */
  readonly timeoutMilliseconds: number;
}

/** What the operator found. Written by it alone. */
export interface NacosClusterStatus {
  /** The metadata.generation that this status speaks of. */
  readonly observedGeneration?: number;
  /** Pods that exist. */
  readonly replicas?: number;
  /** Members that are ready. */
  readonly readyReplicas: number;
  /** Label selector of the pods, for kubectl scale and autoscalers. */
  readonly selector?: string;
  /** The store in use, embedded or mysql. */
  readonly store?: string;
  /** Whether accounts guard the public port. */
  readonly auth?: string;
  /** Tag of the image that the members shall run. */
  readonly version?: string;
  /** The list of members in the ConfigMap. */
  readonly memberList?: NacosClusterStatusMemberList;
  readonly members?: readonly NacosClusterStatusMember[];
  readonly endpoints?: NacosClusterStatusEndpoints;
  readonly conditions?: readonly NacosClusterStatusCondition[];
}

/** The list of members in the ConfigMap. */
export interface NacosClusterStatusMemberList {
  /** Grows with each list. */
  readonly generation?: number;
  /** SHA-256 of its lines. */
  readonly hash?: string;
}

export interface NacosClusterStatusMember {
  /** Name of the pod. */
  readonly name: string;
  /** Its identity, host:port. */
  readonly address?: string;
  readonly podIP?: string;
  /** Whether it answers clients. */
  readonly ready?: boolean;
  /** What it says of itself, UP or STARTING; LEAVING while its pod ends. */
  readonly state?: string;
  /** The version that it reports. */
  readonly version?: string;
  /** Whether the list that it obeys is the one in the ConfigMap. */
  readonly listAgrees?: boolean;
}

export interface NacosClusterStatusEndpoints {
  /** The address for clients inside the Kubernetes cluster. */
  readonly vip?: string;
}

export interface NacosClusterStatusCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}
