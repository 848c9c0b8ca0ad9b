/** What a reader of a failed test asks the cluster first. */
import type { Cluster } from './cluster.ts';

interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const UNREADY_PODS_MAX = 6;

export async function describeCluster(cluster: Pick<Cluster, 'kubectl' | 'get'>): Promise<string> {
  const ask = (...args: string[]) =>
    cluster.kubectl(args, { timeoutMs: 20_000 }).catch((error: Error) => `(no answer: ${error.message})\n`);
  const parts = [
    '--- pods',
    await ask('get', 'pods', '-A', '-o', 'wide'),
    '--- last events',
    (await ask('get', 'events', '-A', '--sort-by=.lastTimestamp')).split('\n').slice(-40).join('\n'),
  ];
  const pods = await cluster.get<{ items: Pod[] }>('pods', '-A').catch(() => ({ items: [] }));
  const isReady = (pod: Pod) =>
    pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  for (const { metadata } of pods.items.filter((pod) => !isReady(pod)).slice(0, UNREADY_PODS_MAX)) {
    parts.push(`--- log of ${metadata.namespace}/${metadata.name}`);
    parts.push(await ask('-n', metadata.namespace, 'logs', metadata.name, '--all-containers', '--tail=30'));
  }
  return parts.join('\n');
}
