import { bodyBytes } from '@nacos-kube/core/http/answers.ts';
import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';

export const PORT = 8848;

export type AskMore = Parameters<FakeHost['network']['ask']>[3];

/** Of a node on its own that keeps nothing. */
export const ALONE: NodeSettings = {
  mode: 'standalone',
  port: PORT,
  listen: '127.0.0.1',
  data: '/data',
  contextPath: '/nacos',
  member: '127.0.0.1:8848',
  memberList: { kind: 'standalone' },
  clusterKeys: [],
  sidecarTokenFile: undefined,
  storage: { kind: 'memory' },
  trustedProxies: [],
};

/**
 * A whole node on a host whose time stands still but for `host.advance`, with the memory store; `files`: what an earlier
 * run left on its disk.
 */
export async function startNode(
  more: Partial<NodeSettings> = {},
  database = createMemoryDatabase(),
  files: ReadonlyMap<string, string> = new Map(),
) {
  const host = new FakeHost('node');
  for (const [path, content] of files) host.disk.put(path, content);
  const settings: NodeSettings = { ...ALONE, ...more };
  const store = createMemoryStore(host, database);
  const membership = createMembership(host, settings);
  const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
  const started = server.lifecycle.start();
  await host.advance(1_000);
  await started;
  const ask = async (method: string, target: string, more: AskMore = {}) => {
    const answered = host.network.ask(PORT, target, method, more);
    await host.advance(50);
    const answer = await answered;
    return { status: answer.status, text: new TextDecoder().decode(bodyBytes(answer)), headers: answer.headers };
  };
  return { host, server, store, ask };
}
