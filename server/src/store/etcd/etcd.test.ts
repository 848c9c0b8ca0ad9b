import { etcdMissing, startEtcd } from '../../../../e2e/engines/etcd.ts';
import { storeContract } from '../contract.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createEtcdStore } from './etcd.ts';

storeContract(
  'etcd',
  async () => {
    const etcd = await startEtcd();
    const stores: Store[] = [];
    return {
      open: async (options) => {
        // How much is kept belongs to the data; a store that asks for less gets data of its own.
        const prefix = options?.changesKept === undefined ? '/nacos-kube/' : '/short/';
        const store = createEtcdStore(createTestHost(), etcd.settings(prefix), {
          ...options,
          ...(options !== undefined && { housekeepingMs: 100 }),
        });
        await store.start();
        stores.push(store);
        return store;
      },
      cut: () => etcd.pause(),
      restore: async () => etcd.resume(),
      tearDown: async () => {
        for (const store of stores) await store.stop();
        await etcd.stop();
      },
    };
  },
  { skip: (await etcdMissing()) ?? false, failsWithinMs: 3500 },
);
