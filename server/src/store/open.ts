import type { Host } from '@nacos-kube/core/host/host.ts';
import type { EtcdSettings } from './etcd/settings.ts';
import type { MysqlSettings } from './mysql-settings.ts';
import type { RedisSettings } from './redis/settings.ts';
import type { Store } from './store.ts';

export type StorageSettings =
  /** `rebuildsFrom`: a damaged file is made anew before it is opened, with the copies in that data directory. */
  | { readonly kind: 'sqlite'; readonly path: string; readonly rebuildsFrom?: string }
  | ({ readonly kind: 'etcd' } & EtcdSettings)
  | ({ readonly kind: 'redis' } & RedisSettings)
  | ({ readonly kind: 'mysql' } & Omit<MysqlSettings, 'changesKept' | 'lookEveryMs' | 'forgetEveryMs'>)
  /** Lost when the process ends: for a first try, and for tests. */
  | { readonly kind: 'memory' };

/**
 * The store that the settings name, not started yet; throws `StoreError` when they cannot be right. What the others need
 * is not loaded: the library of one alone takes 20 MB.
 */
export async function openStore(host: Host, settings: StorageSettings): Promise<Store> {
  switch (settings.kind) {
    case 'sqlite':
      return (await import('./sqlite.ts')).createSqliteStore(host, { path: settings.path });
    case 'mysql':
      return (await import('./mysql.ts')).createMysqlStore(host, settings);
    case 'redis':
      return (await import('./redis/redis.ts')).createRedisStore(host, settings);
    case 'etcd':
      return (await import('./etcd/etcd.ts')).createEtcdStore(host, settings);
    case 'memory': {
      const { createMemoryDatabase, createMemoryStore } = await import('./memory.ts');
      return createMemoryStore(host, createMemoryDatabase());
    }
  }
}
