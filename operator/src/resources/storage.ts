import type {
  NacosCluster,
  NacosClusterSpecStorageEtcd,
  NacosClusterSpecStorageEtcdManaged,
  NacosClusterSpecStorageMysql,
  NacosClusterSpecStorageRedis,
  NacosClusterStatusStorage,
} from '../generated/nacos-cluster.ts';

export interface Volume {
  readonly size: string;
  readonly storageClassName?: string;
}

export type ManagedEtcd = NacosClusterSpecStorageEtcdManaged;

/** Which store it is, with the volume that each node has in any case. */
export type Storage =
  | { readonly kind: 'embedded'; readonly volume: Volume }
  | { readonly kind: 'mysql'; readonly volume: Volume; readonly mysql: NacosClusterSpecStorageMysql }
  | { readonly kind: 'redis'; readonly volume: Volume; readonly redis: NacosClusterSpecStorageRedis }
  | { readonly kind: 'etcd'; readonly volume: Volume; readonly etcd: GivenEtcd; readonly managed?: undefined }
  | { readonly kind: 'etcd'; readonly volume: Volume; readonly managed: ManagedEtcd };

export type GivenEtcd = NacosClusterSpecStorageEtcd & { readonly endpoints: readonly string[] };

const NODE_VOLUME: Volume = { size: '1Gi' };
/** What a cluster of several nodes gets that names no store. */
const CHOSEN_ETCD: ManagedEtcd = { members: 3, volume: { size: '4Gi' } };

/**
 * The store that the manifest names; the CRD's rules let exactly one through. Where it names none, what was chosen
 * before stands in the status and stays: else the data would be left behind when somebody scales. Only the first time
 * the number of replicas decides.
 */
export function storageOf(cluster: NacosCluster): Storage {
  const { embedded, etcd, mysql, redis } = cluster.spec.storage ?? {};
  if (mysql) return { kind: 'mysql', volume: mysql.volume, mysql };
  if (redis) return { kind: 'redis', volume: redis.volume, redis };
  if (etcd?.managed) return { kind: 'etcd', volume: etcd.volume, managed: etcd.managed };
  if (etcd?.endpoints) return { kind: 'etcd', volume: etcd.volume, etcd: { ...etcd, endpoints: etcd.endpoints } };
  if (embedded) return { kind: 'embedded', volume: embedded };
  const chosen = cluster.status?.storage?.kind ?? (cluster.spec.replicas > 1 ? 'etcd' : 'embedded');
  if (chosen === 'etcd') return { kind: 'etcd', volume: NODE_VOLUME, managed: CHOSEN_ETCD };
  return { kind: 'embedded', volume: NODE_VOLUME };
}

export function isManaged(storage: Storage): storage is Storage & { readonly managed: ManagedEtcd } {
  return storage.kind === 'etcd' && storage.managed !== undefined;
}

/** The part of the status that says which store it is: written before anything that depends on it is made. */
export function storageChoice(cluster: NacosCluster): NacosClusterStatusStorage {
  const storage = storageOf(cluster);
  return { ...cluster.status?.storage, kind: storage.kind, managed: isManaged(storage) };
}

export function isChoiceWritten(cluster: NacosCluster): boolean {
  const written = cluster.status?.storage;
  const { kind, managed } = storageChoice(cluster);
  return written?.kind === kind && written.managed === managed;
}

/** A Secret of the user's that the nodes need, by the keys they need in it. */
export interface NeededSecret {
  readonly name: string;
  readonly keys: readonly string[];
}

export function neededSecrets(storage: Storage): readonly NeededSecret[] {
  const login = (name: string | undefined) => (name === undefined ? [] : [{ name, keys: ['user', 'password'] }]);
  switch (storage.kind) {
    case 'embedded':
      return [];
    case 'mysql':
      return login(storage.mysql.secretName);
    case 'redis': {
      const ca = storage.redis.tls?.caSecretName;
      return [...login(storage.redis.secretName), ...(ca === undefined ? [] : [{ name: ca, keys: ['ca.crt'] }])];
    }
    case 'etcd': {
      if (storage.managed) return [];
      const { secretName, tlsSecretName } = storage.etcd;
      const tls = tlsSecretName === undefined ? [] : [{ name: tlsSecretName, keys: ['ca.crt', 'tls.crt', 'tls.key'] }];
      return [...login(secretName), ...tls];
    }
  }
}
