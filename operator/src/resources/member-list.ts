import type { V1ConfigMap } from '@kubernetes/client-node';
import type { MemberList } from '@nacos-kube/core/model/member-list.ts';
import { encodeMemberList } from '@nacos-kube/core/model/member-list.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { CHANGED_AT_ANNOTATION, childMeta, childNames, MEMBER_LIST_KEY } from './names.ts';

export function memberListConfigMap(
  cluster: NacosCluster,
  list: MemberList,
  changedAt: string,
  resourceVersion: string | undefined,
): V1ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...childMeta(cluster, childNames(cluster.metadata.name).memberList, { [CHANGED_AT_ANNOTATION]: changedAt }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    data: { [MEMBER_LIST_KEY]: encodeMemberList(list) },
  } as V1ConfigMap;
}
