import type { NacosCluster, NacosClusterSpecStorageMysql } from '../generated/nacos-cluster.ts';

export type StoreKind = 'embedded' | 'mysql';

export interface Volume {
  readonly size: string;
  readonly storageClassName?: string;
}

/** The CRD's rules let exactly one store through; this reads which. */
export type Storage =
  | { readonly kind: 'embedded'; readonly volume: Volume }
  | { readonly kind: 'mysql'; readonly volume: Volume; readonly mysql: NacosClusterSpecStorageMysql };

export function storageOf(cluster: NacosCluster): Storage {
  const { embedded, mysql } = cluster.spec.storage;
  if (mysql) return { kind: 'mysql', volume: mysql.volume, mysql };
  return { kind: 'embedded', volume: embedded ?? { size: '1Gi' } };
}
