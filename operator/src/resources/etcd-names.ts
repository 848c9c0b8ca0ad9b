import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { childNames, ETCD_CLIENT_PORT, ETCD_PEER_PORT } from './names.ts';

/** Name of a member of the managed etcd: the pod's, in every place. */
export function etcdMemberName(clusterName: string, ordinal: number): string {
  return `${childNames(clusterName).etcd}-${ordinal}`;
}

/** Its name in DNS, which holds when the pod gets another address. */
export function etcdClientHost(cluster: NacosCluster, ordinal: number, clusterDomain: string): string {
  const { name, namespace } = cluster.metadata;
  return `${etcdMemberName(name, ordinal)}.${childNames(name).etcd}.${namespace}.svc.${clusterDomain}`;
}

export function etcdPeerUrl(cluster: NacosCluster, ordinal: number, clusterDomain: string): string {
  return `http://${etcdClientHost(cluster, ordinal, clusterDomain)}:${ETCD_PEER_PORT}`;
}

export function etcdClientUrl(cluster: NacosCluster, ordinal: number, clusterDomain: string): string {
  return `http://${etcdClientHost(cluster, ordinal, clusterDomain)}:${ETCD_CLIENT_PORT}`;
}
