import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase } from '../store/memory.ts';
import { type AskMore, startNode as start } from './started-node.ts';

/** A whole node, asked below its context path, that can be stopped and started again on the same database. */
export async function startNode(more: Partial<NodeSettings> = {}, database = createMemoryDatabase()) {
  const { host, server, ask: askAt } = await start(more, database);
  const ask = (method: string, target: string, call?: AskMore) => askAt(method, `/nacos${target}`, call);
  const get = async (target: string) => (await ask('GET', target)).text;
  const stop = async () => {
    const stopped = server.lifecycle.stop();
    await host.advance(30_000);
    await stopped;
  };
  return { host, server, database, ask, get, stop };
}
