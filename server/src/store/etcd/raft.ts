import type { EtcdClient } from './client.ts';

/** The cluster as one of its members sees it. */
export interface EtcdRaft {
  /** The client URL of the member that leads; undefined while none does. */
  readonly leader: string | undefined;
  readonly term: number;
  readonly index: number;
  readonly version: string;
  readonly databaseBytes: number;
  readonly members: readonly { readonly name: string; readonly url: string; readonly isLearner: boolean }[];
  /** Alarms and the like, in etcd's words. */
  readonly errors: readonly string[];
}

export async function readRaft(client: EtcdClient): Promise<EtcdRaft> {
  const patience = client.patience();
  const [status, { members }] = await Promise.all([
    client.repeat('Maintenance/Status', {}, patience),
    client.repeat('Cluster/MemberList', {}, patience),
  ]);
  const leader = members.find((member) => member.ID === status.leader);
  return {
    leader: leader?.clientURLs[0],
    term: Number(status.raftTerm),
    index: Number(status.raftIndex),
    version: status.version,
    databaseBytes: Number(status.dbSize),
    members: members.map(({ name, clientURLs, isLearner }) => ({ name, url: clientURLs[0] ?? '', isLearner })),
    errors: status.errors,
  };
}
