import type { StoreRaft } from '../store.ts';
import type { EtcdClient } from './client.ts';
import type { MemberListResponse } from './protocol.ts';

/** Members by the addresses that clients reach them at. */
export async function readRaft(client: EtcdClient): Promise<StoreRaft> {
  const patience = client.patience();
  const [status, { members }] = await Promise.all([
    client.repeat('Maintenance/Status', {}, patience),
    client.repeat('Cluster/MemberList', {}, patience),
  ]);
  const leader = members.find((member) => member.ID === status.leader);
  return {
    leader: leader && addressOf(leader),
    members: members.map(addressOf),
    term: Number(status.raftTerm),
    index: Number(status.raftIndex),
  };
}

/** One that was added and has not joined yet has neither URL nor name. */
function addressOf({ name, clientURLs }: MemberListResponse['members'][number]): string {
  return clientURLs[0]?.replace(/^https?:\/\//, '') ?? name;
}
