import type { Host, TcpStream } from '@nacos-kube/core/host/host.ts';
import { NetworkError } from '@nacos-kube/core/host/host.ts';
import { PUBLIC_PORT, type SimulatedCluster } from './cluster.ts';

export const VIP = 'vip';
const CONNECT_MS = 1_000;
/** Nodes that are tried for one connection. */
const TRIES_MAX = 3;

/** One address before all nodes, as a service of Kubernetes is: each new connection goes to one that is ready. */
export async function startVip(host: Host, cluster: SimulatedCluster): Promise<void> {
  await host.network.listen({ address: '0.0.0.0', port: PUBLIC_PORT }, (stream) => {
    host.background('a connection', pass(host, cluster, stream));
  });
}

async function pass(host: Host, cluster: SimulatedCluster, stream: TcpStream): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const ready = cluster.ready();
    const node = ready[host.random.int(ready.length)];
    if (node === undefined) break;
    try {
      const onward = await host.network.connect({ address: node.name, port: PUBLIC_PORT }, CONNECT_MS);
      await stream.join(onward);
      return;
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
    }
  }
  stream.close();
}
