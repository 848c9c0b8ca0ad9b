import type { MemberList, ParsedMemberList } from '@nacos-kube/core/model/member-list.ts';

/**
 * The member list that shall be written, from who shall be a member and what was written last. It knows nothing of
 * Kubernetes: the driver of this machine (`nacos-kube up`) uses it as the operator does.
 *
 * Only what is wanted decides who is in it, never who was seen: a member that is down stays listed (F17). A list that
 * changes gets a generation above all that were ever written, as far as anyone remembers; the same list keeps its own.
 */
export function nextMemberList(
  written: ParsedMemberList | undefined,
  wanted: readonly string[],
  lastGeneration: number,
): MemberList {
  if (wanted.length === 0) throw new Error('a member list without members is never written');
  const generation = written?.kind === 'sealed' ? written.generation : 0;
  if (written?.kind === 'sealed' && sameMembers(written.members, wanted) && generation >= lastGeneration) {
    return { generation, members: wanted };
  }
  return { generation: Math.max(generation, lastGeneration) + 1, members: wanted };
}

/** Equal as sets: the order of a list means nothing. */
export function sameMembers(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const all = new Set(one);
  return all.size === other.length && other.every((address) => all.has(address));
}
