import { FakeHost } from '@nacos-kube/core/testing/fake-host.ts';
import { createMembership } from '../members/create.ts';
import { createNacosServer } from '../server.ts';
import type { NodeSettings } from '../settings/settings.ts';
import { createMemoryDatabase, createMemoryStore } from '../store/memory.ts';

const PORT = 8848;

/** A whole node on a host whose time stands still, to be asked as through its public port. */
export async function startNode(more: Partial<NodeSettings> = {}, database = createMemoryDatabase()) {
  const host = new FakeHost('node');
  const settings: NodeSettings = {
    ...{ mode: 'standalone', port: PORT, listen: '127.0.0.1', data: '/data', contextPath: '/nacos' },
    ...{ member: '127.0.0.1:8848', memberList: { kind: 'standalone' }, clusterKeys: [], sidecarTokenFile: undefined },
    ...{ storage: { kind: 'memory' }, trustedProxies: [] },
    ...more,
  };
  const store = createMemoryStore(host, database);
  const membership = createMembership(host, settings);
  const server = createNacosServer({ host, settings, store, membership, withProcessMetrics: false });
  const started = server.lifecycle.start();
  await host.advance(1_000);
  await started;
  const ask = async (method: string, target: string, call: Parameters<FakeHost['network']['ask']>[3] = {}) => {
    const answered = host.network.ask(PORT, `${settings.contextPath}${target}`, method, call);
    await host.advance(50);
    const { status, body } = await answered;
    return { status, text: typeof body === 'string' ? body : new TextDecoder().decode(body) };
  };
  const get = async (target: string) => (await ask('GET', target)).text;
  const stop = async () => {
    const stopped = server.lifecycle.stop();
    await host.advance(30_000);
    await stopped;
  };
  return { host, server, database, ask, get, stop };
}
