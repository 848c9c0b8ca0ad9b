import type { Host } from '@nacos-kube/core/host/host.ts';
import { createMemoryDatabase, createMemoryStore } from './memory.ts';
import { createMysqlStore } from './mysql.ts';
import type { MysqlSettings } from './mysql-settings.ts';
import { createSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

export type StorageSettings =
  | { readonly kind: 'sqlite'; readonly path: string }
  | ({ readonly kind: 'mysql' } & Omit<MysqlSettings, 'changesKept' | 'lookEveryMs' | 'forgetEveryMs'>)
  /** Lost when the process ends: for a first try, and for tests. */
  | { readonly kind: 'memory' };

/** The store that the settings name, not started yet. Throws `StoreError` when they cannot be right. */
export function openStore(host: Host, settings: StorageSettings): Store {
  switch (settings.kind) {
    case 'sqlite':
      return createSqliteStore(host, { path: settings.path });
    case 'mysql':
      return createMysqlStore(host, settings);
    case 'memory':
      return createMemoryStore(host, createMemoryDatabase());
  }
}
