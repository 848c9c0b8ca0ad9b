import { writeOf } from '@nacos-kube/server/store/contract-tools.ts';
import { createTestHost } from '@nacos-kube/server/store/host-for-tests.ts';
import { createSqliteStore } from '@nacos-kube/server/store/sqlite.ts';

/** `sqlite-writer.ts PATH NAME` publishes until it is killed, eight at a time; `ack KEY N` follows the store's yes. */
const [path, name] = process.argv.slice(2) as [string, string];
const store = createSqliteStore(createTestHost(name), { path });
await store.start();
await Promise.all(
  Array.from({ length: 8 }, async (_, i) => {
    const dataId = `${name}.${i}`;
    for (let n = 0; ; n += 1) {
      try {
        await store.putConfig(writeOf(dataId, `${n}`));
        process.stdout.write(`ack ${dataId} ${n}\n`);
      } catch (error) {
        process.stdout.write(`failed ${(error as Error).message}\n`);
      }
    }
  }),
);
