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
  /** Number of members, 1 to 9. More than one needs a store that they share. */
  readonly replicas: number;
  /** The image of node and sidecar. What is left out is taken from the operator's own settings. */
  readonly image: NacosClusterSpecImage;
  /** Who may call the public port. Must be written out as long as nothing guards it. */
  readonly auth?: NacosClusterSpecAuth;
  /** Where configs, persistent instances, service metadata and namespaces are kept. Name exactly one, or leave it out: then one replica keeps all on its volume, and more get an etcd of three members that the operator runs. What was chosen stands in status.storage and stays. Ephemeral instances need no store. */
  readonly storage?: NacosClusterSpecStorage;
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

/** Where configs, persistent instances, service metadata and namespaces are kept. Name exactly one, or leave it out: then one replica keeps all on its volume, and more get an etcd of three members that the operator runs. What was chosen stands in status.storage and stays. Ephemeral instances need no store. */
export interface NacosClusterSpecStorage {
  /** A database file on the volume of the only member. */
  readonly embedded?: NacosClusterSpecStorageEmbedded;
  /** An etcd, 3.4 or newer. Either one that the operator runs beside the nodes, or the endpoints of yours. */
  readonly etcd?: NacosClusterSpecStorageEtcd;
  /** A Redis of yours, 6.2 or newer, that keeps an append-only file. */
  readonly redis?: NacosClusterSpecStorageRedis;
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

/** An etcd, 3.4 or newer. Either one that the operator runs beside the nodes, or the endpoints of yours. */
export interface NacosClusterSpecStorageEtcd {
  /** An etcd for this cluster alone, which the operator runs, guards with a login, repairs and updates. */
  readonly managed?: NacosClusterSpecStorageEtcdManaged;
  /** Members of an etcd of yours, as http://host:2379 or https://host:2379. */
  readonly endpoints?: readonly string[];
  /** Start of all keys, for several clusters on one etcd. */
  readonly prefix: string;
  /** Name of a Secret in the same namespace with the keys user and password; left out when etcd asks for none. */
  readonly secretName?: string;
  /** Name of a Secret in the same namespace with the keys ca.crt, tls.crt and tls.key, to check etcd and to be known by it. */
  readonly tlsSecretName?: string;
  /** The volume of each node for its journal and its copies of the configs, which it goes on serving while etcd is down. */
  readonly volume: NacosClusterSpecStorageEtcdVolume;
}

/** An etcd for this cluster alone, which the operator runs, guards with a login, repairs and updates. */
export interface NacosClusterSpecStorageEtcdManaged {
  /** Number of its members, 1, 3 or 5. Three survive the loss of one, five of two. */
  readonly members: number;
  /** Image with the program etcd, 3.4 to 3.6. Left out, that of the operator's settings, which is upstream's. */
  readonly image?: string;
  /** The volume of each member of etcd. The database may take half of it. */
  readonly volume: NacosClusterSpecStorageEtcdManagedVolume;
  /** Requests and limits of the container. */
  readonly resources?: NacosClusterSpecStorageEtcdManagedResources;
}

/** The volume of each member of etcd. The database may take half of it. */
export interface NacosClusterSpecStorageEtcdManagedVolume {
  /** Size of each volume. May only grow. */
  readonly size: string;
  /** Class of each volume; the cluster's default class when left out. Can't be changed. */
  readonly storageClassName?: string;
}

/** Requests and limits of the container. */
export interface NacosClusterSpecStorageEtcdManagedResources {
  readonly requests?: Readonly<Record<string, number | string>>;
  readonly limits?: Readonly<Record<string, number | string>>;
}

/** The volume of each node for its journal and its copies of the configs, which it goes on serving while etcd is down. */
export interface NacosClusterSpecStorageEtcdVolume {
  /** Size of each member's volume. May only grow. */
  readonly size: string;
  /** Class of each member's volume; the cluster's default class when left out. Can't be changed. */
  readonly storageClassName?: string;
}

/** A Redis of yours, 6.2 or newer, that keeps an append-only file. */
export interface NacosClusterSpecStorageRedis {
  /** One server, Sentinels that name the master, or a Redis Cluster. */
  readonly mode: 'single' | 'sentinel' | 'cluster';
  /** host:port of the server, of the Sentinels or of some nodes of the Redis Cluster. */
  readonly addresses: readonly string[];
  /** Name of the master that the Sentinels watch. */
  readonly master: string;
  /** Number of the database. */
  readonly database: number;
  /** Start of all keys, for several clusters on one Redis. */
  readonly prefix: string;
  /** Name of a Secret in the same namespace with the keys user and password; the user may be default. Left out when Redis asks for none. */
  readonly secretName?: string;
  /** Speak TLS with Redis. */
  readonly tls?: NacosClusterSpecStorageRedisTls;
  /** The volume of each node for its journal and its copies of the configs, which it goes on serving while Redis is down. */
  readonly volume: NacosClusterSpecStorageRedisVolume;
}

/** Speak TLS with Redis. */
export interface NacosClusterSpecStorageRedisTls {
  /** Name of a Secret in the same namespace with the key ca.crt, that Redis is checked against; left out for public authorities. */
  readonly caSecretName?: string;
}

/** The volume of each node for its journal and its copies of the configs, which it goes on serving while Redis is down. */
export interface NacosClusterSpecStorageRedisVolume {
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
  /** The store in use, embedded, etcd, mysql or redis. */
  readonly store?: string;
  /** The store that was named or chosen, and how a managed etcd is. It stays, even when spec.replicas changes. */
  readonly storage?: NacosClusterStatusStorage;
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

/** The store that was named or chosen, and how a managed etcd is. It stays, even when spec.replicas changes. */
export interface NacosClusterStatusStorage {
  /** Where configs and persistent instances are kept. */
  readonly kind: 'embedded' | 'etcd' | 'mysql' | 'redis';
  /** Whether the operator runs it. */
  readonly managed: boolean;
  /** Whether the members of a managed etcd have found together once. From then on an empty volume joins them and never begins anew. */
  readonly formed?: boolean;
  /** Members of a managed etcd. */
  readonly members?: readonly NacosClusterStatusStorageMember[];
}

export interface NacosClusterStatusStorageMember {
  /** Name of the pod. */
  readonly name: string;
  /** Its number in etcd, in hex. Another one after its volume was lost. */
  readonly id?: string;
  /** UP; JOINING until it has what the others have; DOWN when it does not answer; ABSENT when etcd does not know it. */
  readonly state?: string;
  /** Whether the others follow it. */
  readonly leader?: boolean;
  /** The version that it reports. */
  readonly version?: string;
  /** Size of its database file, in steps of 1Mi. */
  readonly dbSize?: string;
  /** NOSPACE when its database has reached its bound, CORRUPT when it differs from the others. */
  readonly alarms?: readonly string[];
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
