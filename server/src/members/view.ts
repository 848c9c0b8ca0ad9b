import type { Member, MemberState } from '@nacos-kube/core/model/member.ts';
import { splitMemberAddress } from '@nacos-kube/core/model/member-list.ts';

/** The members as this one sees them at one moment; never changed afterwards, the next one has a higher version. */
export interface MembersView {
  readonly version: number;
  readonly self: string;
  /** All of the list in force, this one included, sorted by address. */
  readonly members: readonly Member[];
  /** Those that may own services: up or suspicious, this one included unless it starts or leaves; never empty. */
  readonly healthy: readonly string[];
  /** Peers that are to be told of changes: the healthy ones and those that start. */
  readonly reachable: readonly string[];
  readonly generation: number | null;
  readonly listHash: string;
}

export function memberOf(address: string, state: MemberState): Member {
  return { address, ...splitMemberAddress(address), state };
}

/**
 * Those that start own nothing while others run: they have not heard of every instance, and would answer a beat that
 * they do not know it. When all start together they share what there is, else nobody would own anything.
 */
export function healthyAmong(self: string, members: readonly Member[]): readonly string[] {
  const running = members.filter(({ state }) => state === 'UP' || state === 'SUSPICIOUS');
  const chosen = running.length > 0 ? running : members.filter(({ state }) => state === 'STARTING');
  return chosen.length > 0 ? chosen.map(({ address }) => address) : [self];
}

export function reachableAmong(self: string, members: readonly Member[]): readonly string[] {
  return members.flatMap(({ address, state }) => (address === self || state === 'DOWN' ? [] : [address]));
}
