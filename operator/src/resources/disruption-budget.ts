import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { childMeta, childNames, selectorLabels } from './names.ts';

/** One member at a time may be drained away. A broken pod never blocks a drain. */
export function disruptionBudget(cluster: NacosCluster): V1PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMeta(cluster, childNames(cluster.metadata.name).disruptionBudget),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(cluster.metadata.name) },
    },
  };
}
