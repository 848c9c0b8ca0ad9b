import { memberListHash, type ParsedMemberList } from '@nacos-kube/core/model/member-list.ts';

export const REFUSAL_KINDS = ['damaged', 'unsealed', 'older', 'conflict'] as const;
export type RefusalKind = (typeof REFUSAL_KINDS)[number];

export type ListDecision =
  | { readonly kind: 'write'; readonly generation: number; readonly members: readonly string[] }
  | { readonly kind: 'keep' }
  | { readonly kind: 'refuse'; readonly why: RefusalKind; readonly reason: string };

/**
 * Whether a list that was offered replaces what the file says (F17). Only a sealed list of a higher generation does:
 * whatever is torn, made by hand or late changes nothing. Where the file is missing, damaged or made by hand, a sealed
 * list is better.
 */
export function decideList(file: ParsedMemberList | undefined, offered: ParsedMemberList): ListDecision {
  if (offered.kind === 'refused') return { kind: 'refuse', why: 'damaged', reason: offered.reason };
  if (offered.kind === 'bare') return { kind: 'refuse', why: 'unsealed', reason: 'it has no header' };
  const { generation, members } = offered;
  if (file?.kind !== 'sealed' || generation > file.generation) return { kind: 'write', generation, members };
  if (generation < file.generation) {
    return { kind: 'refuse', why: 'older', reason: `generation ${generation} is older than ${file.generation}` };
  }
  if (memberListHash(members) === memberListHash(file.members)) return { kind: 'keep' };
  return { kind: 'refuse', why: 'conflict', reason: `generation ${generation} is there already with other members` };
}
