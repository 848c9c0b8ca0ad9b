import { type Mariadb, mariadbMissing, startMariadb } from '../../../e2e/engines/mariadb.ts';
import { storeContract } from './contract.ts';
import { createTestHost } from './host-for-tests.ts';
import { createMysqlStore } from './mysql.ts';
import type { MysqlSettings } from './mysql-settings.ts';
import type { Store } from './store.ts';

const missing = (await mariadbMissing()) ?? false;

function settingsOf(server: Mariadb): MysqlSettings {
  const { address: host, port, database, user, password } = server;
  return { host, port, database, user, password };
}

storeContract(
  'mysql',
  async () => {
    const server = await startMariadb();
    const stores: Store[] = [];
    return {
      open: async (options) => {
        // How much is kept belongs to the data; a store that asks for less gets data of its own.
        const database = options?.changesKept === undefined ? server.database : await server.makeDatabase('short');
        const store = createMysqlStore(createTestHost(), {
          ...settingsOf(server),
          database,
          lookEveryMs: 100,
          ...options,
        });
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
