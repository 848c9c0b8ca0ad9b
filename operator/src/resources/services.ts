import type { V1Service } from '@kubernetes/client-node';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { childMeta, childNames, NODE_PORT, PEER_PORT, SIDECAR_PORT, selectorLabels } from './names.ts';

/** Names of the members. Not-ready ones too: a member that starts must find its peers, and they it. */
export function headlessService(cluster: NacosCluster): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMeta(cluster, childNames(cluster.metadata.name).headless),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selectorLabels(cluster.metadata.name),
      ports: [
        { name: 'http', port: NODE_PORT, targetPort: 'http', protocol: 'TCP' },
        { name: 'peer', port: PEER_PORT, targetPort: 'peer', protocol: 'TCP' },
        { name: 'metrics', port: SIDECAR_PORT, targetPort: SIDECAR_PORT, protocol: 'TCP' },
      ],
    } as NonNullable<V1Service['spec']>,
  };
}

/** The one address for clients: ready members, and the public port alone. */
export function vipService(cluster: NacosCluster): V1Service {
  const { type, port, annotations } = cluster.spec.vip;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMeta(cluster, childNames(cluster.metadata.name).vip, annotations),
    spec: {
      type,
      selector: selectorLabels(cluster.metadata.name),
      ports: [{ name: 'http', port, targetPort: 'http', protocol: 'TCP' }],
    } as NonNullable<V1Service['spec']>,
  };
}
