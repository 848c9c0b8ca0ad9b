import { type RedisServer, redisMissing, startRedis } from '../../../../e2e/engines/redis.ts';
import { storeContract } from '../contract.ts';
import { createTestHost } from '../host-for-tests.ts';
import type { Store } from '../store.ts';
import { createRedisStore } from './redis.ts';
import type { RedisSettings } from './settings.ts';

const missing = (await redisMissing()) ?? false;

function settingsOf(server: RedisServer): RedisSettings {
  return {
    ...{ mode: 'single', addresses: [server.place], master: '', database: 0, prefix: 'nacos-kube:' },
    ...{ user: undefined, password: server.password, tls: undefined, allowsLoss: false },
  };
}

storeContract(
  'redis',
  async () => {
    const server = await startRedis({ password: 'contract' });
    const stores: Store[] = [];
    return {
      open: async (options) => {
        // How much is kept belongs to the data; a store that asks for less gets data of its own.
        const prefix = options?.changesKept === undefined ? 'nacos-kube:' : 'short:';
        const store = createRedisStore(createTestHost(), { ...settingsOf(server), prefix, ...options });
        await store.start();
        stores.push(store);
        return store;
      },
      cut: () => server.pause(),
      restore: async () => server.resume(),
      tearDown: async () => {
        for (const store of stores) await store.stop();
        await server.stop();
      },
    };
  },
  { skip: missing, failsWithinMs: 3500 },
);
